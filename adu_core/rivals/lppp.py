"""LP++ with the memorize and forget losses: a linear head on the frozen CLIP's features."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from tqdm import tqdm

from adu_core import losses
from adu_core.loop import Loop
from adu_core.precision import exact
from adu_core.rivals.views import Judge, Views
from adu_core.settings import setting
from adu_core.task import Method, Model, Task

#: In so many steps α takes one.
ALPHA_EVERY = 10


class LinearHead(Model):
    """Logits W f + b + α_k · (f · t_k), without CLIP's scale; it knows its own classes only.

    weight: W (C, E); bias: b (C,); alpha: α (C,); t are the frozen CLIP's class features
    """

    open_classes = False

    def __init__(self, task: Task, method: Method, alpha: float) -> None:
        super().__init__(task, method)
        count, size = self.class_features().shape
        self.weight = nn.Parameter(torch.zeros(count, size))
        self.bias = nn.Parameter(torch.zeros(count))
        self.alpha = nn.Parameter(torch.full((count,), alpha))
        self.to(task.clip.device)

    def logits(self, features: Tensor, class_names: Sequence[str] | None = None) -> Tensor:
        """Features (B, E) → class logits (B, C), in float32; ``ValueError`` for other classes."""
        if class_names is not None and tuple(class_names) != self.class_names:
            raise ValueError(
                f"a head of {self.method.name} knows {', '.join(self.class_names)} only: fit "
                "one for other classes"
            )
        with exact(features.device):
            features = features.float()
            text = features @ self.class_features().float().T
            return features @ self.weight.T + self.bias + self.alpha * text


def step_sizes(features: Tensor, class_features: Tensor, shares: Tensor) -> tuple[float, float]:
    """The step sizes of W and of α, from the curvature that the features allow at most.

    4 / λmax(Σ c_i f_i f_iᵀ) and 1 / (4 · max_k Σ c_i (f_i · t_k)²); c_i is what picture i counts
    in the loss. Where all count alike, c = 1/N, these are LP++'s 4N / λmax(FᵀF) and
    N / (4 · max_k Σ (f_i · t_k)²).

    features (N, E), class_features (C, E), shares c (N,)
    """
    features, class_features, shares = (x.cpu() for x in (features, class_features, shares))
    F, c = features.double(), shares.double()[:, None]  # not every GPU has float64
    largest = torch.linalg.eigvalsh(F.T @ (c * F))[-1]
    text = (c * (F @ class_features.double().T).square()).sum(dim=0).max()
    return 4 / largest.item(), 1 / (4 * text.item())


def first_values(
    features: Tensor, class_features: Tensor, labels: Tensor, alpha: float
) -> tuple[Tensor, float]:
    """W and α to start from: W_k = Σ f_i over class k; α = ``alpha`` · mean over k of its f · t_k.

    features (N, E), class_features (C, E), labels (N,) → W (C, E) and one α for all classes.
    A class without a picture has W_k = 0 and no say in α.
    """
    sums = torch.zeros_like(class_features).index_add_(0, labels, features)
    counts = torch.bincount(labels, minlength=len(class_features))
    own = (sums * class_features).sum(dim=1)[counts > 0] / counts[counts > 0]
    return sums, alpha * own.mean().item()


@dataclass(frozen=True)
class LPPP(Views, Method):
    """LP++ (Huang et al., "LP++: A Surprisingly Strong Linear Probe for Few-Shot CLIP", CVPR 2024).

    Full-batch gradient descent on L_memorize + forget_weight · L_forget over W, b and α together,
    with class-wise initial values and step sizes from the data; α takes every tenth step, without
    momentum, and the best step on validation pictures is kept, as in LP++'s code. Chosen here
    [choice]: the best has the highest H; initial values come from the memorized shots alone; in the
    step sizes each shot has the weight that it has in the loss; b has the step size of W. It takes
    a second or two, so no checkpoint is written or read.
    """

    name = "lp++"
    summary = "a linear head beside the text's"
    source = "Huang et al., CVPR 2024"
    changes = "head"
    chooses_step = True
    undo = "take the zero-shot head again"
    small = {"forget_weight": 20.0, "views": 4}

    epochs: int = setting(
        300, "full-batch steps", least=1, most=100_000, search=(30, 100, 300, 1000)
    )
    momentum: float = setting(0.9, "of the steps", least=0, most=0.9999, search=(0.0, 0.5, 0.9))
    alpha: float = setting(
        250.0,
        "α at the start, times the classes' mean f · t",
        least=0,
        search=(25.0, 80.0, 250.0, 800.0),
    )
    forget_weight: float = setting(
        1.0, "of L_forget", least=0, search=(0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
    )
    views: int = setting(
        1, "of each shot: itself, then crops", least=1, most=1000, search=(1, 2, 4, 8)
    )

    def start(self, task: Task, seed: int = 0) -> LinearHead:
        """The zero-shot order of classes: W and b are 0."""
        return LinearHead(task, self, self.alpha)

    def fit(self, task: Task, seed: int = 0, run: Loop | None = None) -> LinearHead:
        """Descend from the class-wise first values."""
        model, run = self.start(task, seed), run or Loop(progress=False)
        features, labels, forgotten = self.encoded(task, seed)
        classes, kept = model.class_features(), ~forgotten
        weight, alpha = first_values(features[kept], classes, labels[kept], self.alpha)
        with torch.no_grad():
            model.weight.copy_(weight / self.views)
            model.alpha.fill_(alpha)
        shares = kept / kept.sum().clamp(min=1) + self.forget_weight * (
            forgotten / forgotten.sum().clamp(min=1)
        )
        of_weight, of_alpha = step_sizes(features, classes, shares)
        optimizer = torch.optim.SGD(
            [
                {"params": [model.weight, model.bias], "lr": of_weight},
                {"params": [model.alpha], "lr": of_alpha, "momentum": 0.0},
            ],
            momentum=self.momentum,
        )
        run.history.clear()
        judge, best = Judge(task), copy.deepcopy(model.state_dict())
        for epoch in tqdm(range(self.epochs), "steps", disable=not run.progress, leave=False):
            parts = losses.memorize_and_forget(
                model.logits(features), labels, forgotten, self.forget_weight
            )
            optimizer.zero_grad()
            parts.total.backward()
            if epoch % ALPHA_EVERY:
                model.alpha.grad = None
            optimizer.step()
            with torch.no_grad():
                if judge.better(model.logits(judge.features)):
                    best = copy.deepcopy(model.state_dict())
            entry = {name: value.item() for name, value in parts._asdict().items()}
            if not math.isfinite(entry["total"]):
                raise FloatingPointError(
                    f"the loss became {entry['total']} in step {epoch + 1}: lower the momentum "
                    f"(now {self.momentum}) or the forget weight ({self.forget_weight})"
                )
            run.history.append(entry)
            if run.after_epoch:
                run.after_epoch(epoch + 1, model)
        model.load_state_dict(best)
        return model.eval()
