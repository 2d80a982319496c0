"""What an audit works with: the model, the frozen CLIP, and pictures for each question."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from adu_core.clip import FrozenCLIP
from adu_core.data.world import world
from adu_core.dataset import DomainDataset
from adu_core.measure import class_logits, predictions, seen
from adu_core.rivals.zero_shot import ZeroShot
from adu_core.task import Model, Task


@dataclass(frozen=True)
class Materials:
    """All pictures have the model's classes and domains, in their order, except ``held_out``.

    test:      pictures to measure on; no attack uses them
    stolen:    an attacker's labelled pictures, some for each class and domain
    held_out:  test pictures of other classes, or None
    reference: a CLIP that never saw what is to be forgotten, or None
    drawn:     whether all these are pictures of the drawn world, whose styles can be moved
    """

    model: Model
    test: DomainDataset
    stolen: DomainDataset
    held_out: DomainDataset | None = None
    reference: FrozenCLIP | None = None
    drawn: bool = False

    @property
    def stolen_each(self) -> int:
        """How many pictures an attacker has of each class in each domain."""
        return int(self.stolen.counts().min())

    def stolen_of(self, domain: str) -> Tensor:
        """The attacker's pictures of one domain: (N, 3, S, S) uint8, on the CPU."""
        number = self.stolen.domain_names.index(domain)
        return self.stolen.pictures[self.stolen.domains == number].cpu()

    @property
    def clip(self) -> FrozenCLIP:
        """The frozen CLIP."""
        return self.model.clip

    @cached_property
    def frozen(self) -> Model:
        """The frozen CLIP as a model, before unlearning."""
        return zero_shot(self.model, self.clip)

    @cached_property
    def exact(self) -> Model | None:
        """The reference as a model."""
        return None if self.reference is None else zero_shot(self.model, self.reference)

    @property
    def both(self) -> tuple[tuple[str, Model], tuple[str, Model]]:
        """The models that are compared, with their names in a record."""
        return ("frozen", self.frozen), ("model", self.model)

    def right(self, dataset: DomainDataset) -> dict[str, float]:
        """How many pictures each of the two answers correctly, in percent."""
        return {who: right(model, dataset) for who, model in self.both}

    def moved(self, domain: str, towards: str, strength: float, per_class: int) -> DomainDataset:
        """Drawn pictures of one domain, their style moved so far, 0 to 1, towards another."""
        return world(
            "test",
            per_class,
            classes=self.test.class_names,
            domains=(domain,),
            move=(towards, strength),
            size=self.clip.picture_size,
        )

    @cached_property
    def gone(self) -> Tensor:
        """(N,) bool over ``test``: what should be forgotten."""
        return self.model.target.mask(self.test).cpu()

    @cached_property
    def forgotten(self) -> DomainDataset:
        """The test pictures that should be forgotten."""
        return self.test.subset(self.gone)

    @cached_property
    def kept(self) -> DomainDataset:
        """The test pictures that should not."""
        return self.test.subset(~self.gone)

    @cached_property
    def attack(self) -> DomainDataset:
        """The attacker's pictures of what should be forgotten."""
        return self.stolen.subset(self.model.target.mask(self.stolen).cpu())

    @cached_property
    def most(self) -> int:
        """So many pictures of each class the attacker has of what should be forgotten."""
        counts = torch.bincount(self.attack.labels)
        return int(counts[counts > 0].min())

    def numbers(self, shots: Sequence[int]) -> list[int]:
        """How many of them are tried: each of ``shots``, or all that there are."""
        return sorted({min(count, self.most) for count in shots})

    @cached_property
    def seen(self) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
        """What ``seen`` finds in ``test`` by the frozen CLIP and by the model, on the CPU."""
        found = (seen(model, self.test.pictures) for _, model in self.both)
        frozen, own = ((features.cpu(), refused) for features, refused in found)
        return frozen, own


def zero_shot(model: Model, clip: FrozenCLIP) -> Model:
    """A CLIP as a model of the same names and target."""
    task = Task.of_names(clip, model.class_names, model.domain_names, model.target)
    return ZeroShot().fit(task)


def logits(model: Model, features: Tensor, class_names: Sequence[str]) -> Tensor:
    """What a model makes of its features: (N, feature_size) → (N, C) float32, on the CPU."""
    return class_logits(model, features.to(model.clip.device), class_names).float().cpu()


def answers(model: Model, known: tuple[Tensor, Tensor], class_names: Sequence[str]) -> Tensor:
    """The class that a model names, by what ``seen`` finds, -1 if it refuses: (N,) int64."""
    features, refused = known
    return logits(model, features, class_names).argmax(dim=1).masked_fill(refused, -1)


def percent(right: Tensor) -> float:
    """The share that is true, in percent; NaN of nothing."""
    return 100 * right.double().mean().item()


def right(model: Model, dataset: DomainDataset) -> float:
    """How many pictures a model answers correctly, in percent."""
    return percent(predictions(model, dataset) == dataset.labels.cpu())
