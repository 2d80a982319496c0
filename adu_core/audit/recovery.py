"""What someone with the features can read: nearest prototypes and a linear probe."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from adu_core.audit.materials import Materials, percent
from adu_core.clip import Trace
from adu_core.dataset import DomainDataset
from adu_core.rivals.evidence import BATCH
from adu_core.task import Model

#: Pictures of each class that an attacker has.
SHOTS = (1, 2, 4, 8, 16)
#: So many draws are averaged where an attacker has fewer pictures than there are.
DRAWS = 3
FINAL = "feature"


@torch.no_grad()
def places(model: Model, pictures: Tensor) -> dict[str, Tensor]:
    """What can be read at each place of a model's forward pass, on the CPU.

    "block 1" and so on: the first token and the mean over the picture's own tokens, (N, 2 · width);
    "feature": (N, feature_size).
    """
    clip, found = model.clip, dict[str, list[Tensor]]()
    own = clip.tower.own
    for batch in pictures.split(BATCH):
        trace = Trace()
        features = model.features(batch, trace)
        for number, tokens in enumerate(trace.tokens[:-1]):  # the last one's are the feature
            seen = tokens[:, :own].float()
            both = torch.cat([seen[:, 0], seen.mean(dim=1)], dim=1)
            found.setdefault(f"block {number + 1}", []).append(both.cpu())
        found.setdefault(FINAL, []).append(features.float().cpu())
    return {name: torch.cat(parts) for name, parts in found.items()}


def recovery(materials: Materials, shots: Sequence[int] = SHOTS) -> dict[str, Any]:
    """Accuracy in percent on what should be forgotten, by place and number of pictures a class.

    Of the model, of the frozen CLIP (the same places without the method's parts), and of the
    reference, if there is one. An attacker has at most as many pictures as there are: with fewer
    than asked for, the last number is all of them.
    """
    attack, test, tried = materials.attack, materials.forgotten, materials.numbers(shots)
    found: dict[str, Any] = {"shots": tried}
    models = {
        "model": materials.model, "frozen": materials.frozen, "reference": materials.exact
    }  # fmt: skip
    for who, model in models.items():
        if model is None:
            continue
        known, asked = places(model, attack.pictures), places(model, test.pictures)
        found[who] = {
            place: {
                how: [
                    _accuracy(read, known[place], asked[place], materials, count) for count in tried
                ]
                for how, read in (("prototypes", prototypes), ("probe", probe))
            }
            for place in known
        }
    return found


def few(dataset: DomainDataset, count: int, seed: int) -> Tensor:
    """Places of ``count`` pictures of each class, drawn by ``seed``."""
    order = torch.randperm(len(dataset), generator=torch.Generator().manual_seed(seed))
    labels = dataset.labels[order]
    rank = torch.zeros(len(order), dtype=torch.int64)
    for label in labels.unique():
        mine = labels == label
        rank[mine] = torch.arange(int(mine.sum()))
    return order[rank < count].sort().values


def _accuracy(
    read: Callable[[Tensor, Tensor, Tensor], Tensor],
    known: Tensor,
    asked: Tensor,
    materials: Materials,
    count: int,
) -> float:
    """What a reader has right, a mean over draws of ``count`` pictures of each class."""
    attack, found = materials.attack, []
    for draw in range(min(DRAWS, max(1, materials.most // count))):
        index = few(attack, count, seed=draw)
        named = read(known[index], attack.labels[index], asked)
        found.append(percent(named == materials.forgotten.labels))
    return sum(found) / len(found)


def prototypes(known: Tensor, labels: Tensor, asked: Tensor) -> Tensor:
    """The class whose mean is nearest by cosine: (n, F), (n,), (N, F) → (N,) int64."""
    classes = labels.unique()
    centred = known.mean(dim=0)
    means = torch.stack([known[labels == c].mean(dim=0) for c in classes]) - centred
    cosines = F.normalize(asked - centred, dim=1) @ F.normalize(means, dim=1).T
    nearest: Tensor = classes[cosines.argmax(dim=1)]
    return nearest


def probe(known: Tensor, labels: Tensor, asked: Tensor) -> Tensor:
    """What a logistic regression on standardised features names: (n, F), (n,), (N, F) → (N,)."""
    regression = make_pipeline(StandardScaler(), LogisticRegression(max_iter=300))
    regression.fit(known.double().numpy(), labels.numpy())
    return torch.as_tensor(regression.predict(asked.double().numpy()))
