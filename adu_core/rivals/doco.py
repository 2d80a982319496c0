"""DoCo's two ideas transferred to CLIP: correction towards an anchor, and gradient surgery."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import skip_init

from adu_core import losses
from adu_core.clip import FrozenCLIP
from adu_core.loop import Batch, Loop, train
from adu_core.losses import precise
from adu_core.rivals.edited import EditedCLIP, WeightSteps, block_weights
from adu_core.rivals.surgery import project_conflict
from adu_core.settings import setting
from adu_core.task import Method, Task


class DoCoLosses(NamedTuple):
    """The parts of one step's loss and their sum, scalars with gradient."""

    total: Tensor
    memorize: Tensor
    correct: Tensor
    discriminate: Tensor


class Discriminator(nn.Module):
    """Distinguishes pictures of a class from anchors of other classes: a small MLP.

    Its input is a feature f (…, size) and its product, entry by entry, with the sentence t of a
    class (…, size), both of length 1; the sum of these entries is CLIP's cosine.
    """

    def __init__(self, size: int, hidden: int, generator: torch.Generator) -> None:
        super().__init__()
        self.size = size
        self.first = skip_init(nn.Linear, 2 * size, hidden)
        self.last = skip_init(nn.Linear, hidden, 1)
        for linear in (self.first, self.last):
            nn.init.xavier_uniform_(linear.weight, generator=generator)
            nn.init.zeros_(linear.bias)

    def forward(self, features: Tensor, sentences: Tensor) -> Tensor:
        """Logits (…): above 0 for an anchor, below for a picture of the sentence's class."""
        features, sentences = torch.broadcast_tensors(precise(features), precise(sentences))
        # Entries of a vector of length 1 are about 1 / √size, their products about 1 / size.
        seen = [features * self.size**0.5, features * sentences * self.size]
        logits: Tensor = self.last(F.leaky_relu(self.first(torch.cat(seen, dim=-1)), 0.2))
        return logits.squeeze(-1)


def discrimination(pictures: Tensor, anchors: Tensor, paired: Tensor) -> Tensor:
    """What the discriminator learns by: logits below 0 for pictures, above 0 for their anchors.

    pictures (P,), anchors (P, A), of which ``paired`` (P, A) bool says which belong together →
    scalar, in nats; 0 if there are no pictures, or none has an anchor.
    """
    own = F.softplus(pictures) * paired.any(dim=1)
    theirs = (F.softplus(-anchors) * paired).sum(dim=1) / paired.sum(dim=1).clamp(min=1)
    return (own + theirs).sum() / paired.any(dim=1).sum().clamp(min=1)


def correction(pictures: Tensor, paired: Tensor) -> Tensor:
    """What the learner is taught: pictures (P,) are taken for anchors → scalar, in nats.

    The non-saturating loss of Goodfellow et al. (2014); ``paired`` as in ``discrimination``.
    """
    fooled = F.softplus(-pictures) * paired.any(dim=1)
    return fooled.sum() / paired.any(dim=1).sum().clamp(min=1)


class Corrected(EditedCLIP):
    """The edited CLIP and the discriminator that it was trained with, which is saved as well."""

    def __init__(self, task: Task, method: DoCo, seed: int) -> None:
        super().__init__(task, method, attention_weights(task.clip))
        generator = torch.Generator().manual_seed(seed)
        self.discriminator = Discriminator(task.clip.feature_size, method.hidden, generator)
        self.discriminator.to(task.clip.device)


@dataclass(frozen=True)
class DoCo(WeightSteps, Method):
    """Domain correction and concept-preserving gradient, two ideas of DoCo, in CLIP.

    The source (Wu et al., "Unlearning Concepts in Diffusion Model via Concept Domain Correction
    and Concept Preserving Gradient", arXiv 2405.15304) edits the cross-attention of text-to-image
    models; this is a transfer of its ideas to a vision tower's self-attention, not its system.

    Correction: a discriminator distinguishes pictures of the concept from those of an anchor, and
    the model learns to fool it. [choice] The concept is "a picture of class y that is to be
    forgotten", its anchors are memorized pictures of all classes but y, and the discriminator
    knows y. Otherwise forgotten pictures would only have to look like memorized ones of any class,
    which would be domain adaptation and forget nothing. [choice] Anchors' features
    are those of the trained model, without gradient, of the same batch; the source uses those of
    the frozen model.

    Preserving: where the correction's gradient conflicts with that of L_memorize, the conflicting
    part is removed (``surgery.without_conflict``), all weights being one vector [choice].
    """

    name = "doco"
    summary = "adversarial correction towards other classes, gradient surgery"
    source = "after Wu et al., arXiv 2405.15304"
    changes = "weights"
    undo = "load the frozen weights again"

    forget_weight: float = setting(
        1.0, "of the correction", least=0, search=(0.1, 0.3, 1.0, 3.0, 10.0)
    )
    surgery: bool = setting(
        True, "where the correction is against L_memorize, mend it", search=(True, False)
    )
    hidden: int = setting(64, "width of the discriminator", least=1, most=65_536)
    pace: float = setting(
        10.0,
        "the discriminator's learning rate, times the learner's",
        least=0,
        search=(1.0, 3.0, 10.0, 30.0),
    )

    def check(self, task: Task) -> None:
        """Raise ``ValueError`` if there is no other class to take an anchor from."""
        super().check(task)
        if len(task.shots.class_names) < 2:
            raise ValueError("an anchor is of another class: pictures of a second class are needed")

    def start(self, task: Task, seed: int = 0) -> Corrected:
        """The frozen CLIP, and a discriminator as it is drawn."""
        return Corrected(task, self, seed)

    def fit(self, task: Task, seed: int = 0, run: Loop | None = None) -> Corrected:
        """Teach learner and discriminator in turns, a step of each on every batch."""
        model = self.start(task, seed)
        sentences = model.class_features()

        def loss(batch: Batch) -> DoCoLosses:
            features = model(batch.pictures)
            gone = batch.forgotten
            labels = batch.labels[gone]
            paired = labels[:, None] != batch.labels[~gone]  # (P, A)
            own = sentences[labels]
            pictures, anchors = features[gone], features[~gone].detach()
            judge = model.discriminator
            right = discrimination(
                judge(pictures.detach(), own), judge(anchors[None], own[:, None]), paired
            )
            correct = correction(judge(pictures, own), paired)
            memorize = losses.memorize(model.logits(features), batch.labels, ~gone)
            total = memorize + self.forget_weight * correct + right
            return DoCoLosses(total, memorize, correct, right)

        def backward(parts: DoCoLosses, learned: list[nn.Parameter]) -> None:
            """Each side's gradient of its own losses alone, the model's free of conflict."""
            correct, weights = self.forget_weight * parts.correct, list(model.weights)
            if self.surgery:
                project_conflict(parts.memorize, correct, weights)
            else:
                (parts.memorize + correct).backward(inputs=weights)
            parts.discriminate.backward(inputs=judges)

        judges = list(model.discriminator.parameters())
        groups = [{"params": list(model.weights)}, {"params": judges, "scale": self.pace}]
        optimizer = self.sgd(groups)
        shots, gone = task.shots, task.forgotten
        train(model, shots, gone, self, loss, optimizer, seed=seed, run=run, backward=backward)
        return model.eval()


def attention_weights(clip: FrozenCLIP) -> tuple[str, ...]:
    """The names of all weights of self-attention in the vision tower."""
    return tuple(name for name in block_weights(clip) if ".attn." in name)
