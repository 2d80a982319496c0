"""A task, a method that solves it, and the model that comes out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from adu_core.clip import TEMPLATE, FrozenCLIP, Trace
from adu_core.dataset import KINDS, DomainDataset, Kind, Target
from adu_core.settings import Settings

if TYPE_CHECKING:
    from adu_core.loop import Loop

#: What a method changes of the CLIP it is given.
Changes = Literal["nothing", "prompts", "head", "features", "weights"]


@dataclass(frozen=True)
class Task:
    """What a method is given.

    shots: the few training pictures; for a model that is loaded from disk, only their names and no
           picture
    known: (N,) bool over the shots, what is to be forgotten, if their labels do not show it, as in
           a placebo
    validation: pictures for the methods that choose one of their steps (``Method.chooses_step``);
           without any, they choose on the shots
    """

    clip: FrozenCLIP
    shots: DomainDataset
    target: Target
    known: Tensor | None = None
    validation: DomainDataset | None = None

    def __post_init__(self) -> None:
        self.target.check(self.shots.class_names, self.shots.domain_names)
        for side, what in ((self.forgotten, "to be forgotten"), (~self.forgotten, "to be kept")):
            if len(side) and not side.any():
                raise ValueError(f"none of the {len(side)} shots is {what} (forget {self.target})")

    @cached_property
    def forgotten(self) -> Tensor:
        """(N,) bool over the shots: what is to be forgotten."""
        return self.target.mask(self.shots) if self.known is None else self.known

    @classmethod
    def of_names(
        cls,
        clip: FrozenCLIP,
        class_names: Sequence[str],
        domain_names: Sequence[str],
        target: Target,
    ) -> Task:
        """A task without pictures, enough to make a model whose tensors are then loaded."""
        size, none = clip.picture_size, torch.zeros(0, dtype=torch.int64)
        pictures = torch.zeros(0, 3, size, size, dtype=torch.uint8)
        shots = DomainDataset(pictures, none, none, tuple(class_names), tuple(domain_names))
        return cls(clip, shots, target)


class Model(nn.Module):
    """What a method returns, and all that measuring, figures and prediction use.

    This class itself is the zero-shot CLIP. A method's model overrides ``features``, ``logits`` or
    both, and ``refuses`` if it gives no answer for some pictures. ``state_dict`` holds all that is
    saved, ``method`` how it was made.
    """

    #: Whether ``logits`` can be asked for other classes than the model's own.
    open_classes: ClassVar[bool] = True

    #: Whether sentences have other features than the frozen CLIP's.
    text_changes: bool = False

    #: The sentence for a class.
    template: str = TEMPLATE

    _class_features: Tensor

    def __init__(self, task: Task, method: Method) -> None:
        super().__init__()
        method.check(task)  # here, where every model passes: `fit`, loading, a look before a run
        self.method = method
        self._clip = (task.clip,)  # in a tuple: used, but no part of what is saved and trained
        self.class_names, self.domain_names = task.shots.class_names, task.shots.domain_names
        self.target = task.target
        with torch.no_grad():
            fixed = task.clip.class_features(self.class_names)
        self.register_buffer("_class_features", fixed, persistent=False)

    @property
    def clip(self) -> FrozenCLIP:
        """The frozen CLIP this model was made for."""
        return self._clip[0]

    def features(self, pictures: Tensor, trace: Trace | None = None) -> Tensor:
        """Pictures (B, 3, S, S) → features (B, feature_size), of length 1.

        A ``trace`` is filled with the tokens that the model's own forward pass holds.
        """
        return self.clip.encode_image(pictures, trace=trace)

    def refuses(self, pictures: Tensor) -> Tensor:
        """Which pictures get no answer: (B, 3, S, S) → (B,) bool; none, if not overridden.

        All refused pictures have one and the same feature. What ``logits`` make of it says nothing
        of the picture: whoever shows an answer to a person says "refused" in its place.
        """
        return torch.zeros(len(pictures), dtype=torch.bool, device=self.clip.device)

    def seen(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """``features`` and ``refuses`` together, which may cost one pass in place of two."""
        return self.features(pictures), self.refuses(pictures)

    def forward(self, pictures: Tensor, trace: Trace | None = None) -> Tensor:
        """The same as ``features``."""
        return self.features(pictures, trace)

    def sentences(self, texts: Sequence[str]) -> Tensor:
        """Features of any sentences as this model has them: T texts → (T, feature_size)."""
        return self.clip.encode_text(texts)

    def class_features(self, class_names: Sequence[str] | None = None) -> Tensor:
        """(C, feature_size), of length 1: of the model's own classes, or of ``class_names``."""
        names = self.class_names if class_names is None else tuple(class_names)
        if names == self.class_names and not self.text_changes:
            return self._class_features
        return self.sentences([self.template.format(name) for name in names])

    def logits(self, features: Tensor, class_names: Sequence[str] | None = None) -> Tensor:
        """Features (B, feature_size) → class logits (B, C), in float32."""
        return self.clip.similarity(features, self.class_features(class_names))

    def learned_numbers(self) -> int:
        """How many numbers it holds beside the frozen CLIP."""
        return sum(tensor.numel() for tensor in self.state_dict().values())


@dataclass(frozen=True)
class Method(Settings, ABC):
    """How a task becomes a model; a subclass is a frozen dataclass whose fields are its settings.

    The class variables describe the method.
    """

    name: ClassVar[str]
    summary: ClassVar[str]  #: one line
    source: ClassVar[str]  #: where it comes from
    changes: ClassVar[Changes] = "prompts"
    undo: ClassVar[str] = "leave the adapter out"
    needs: ClassVar[str] = "shots of every domain"  #: which pictures it learns from
    kinds: ClassVar[frozenset[Kind]] = frozenset(KINDS)  #: what it can forget
    trained: ClassVar[bool] = True  #: by gradient steps or evolution, not in closed form
    chooses_step: ClassVar[bool] = False  #: on validation pictures, as its source does
    #: What differs from the defaults for small CLIPs such as the shipped one.
    small: ClassVar[Mapping[str, Any]] = MappingProxyType({})

    @property
    def trained_on(self) -> frozenset[str]:
        """Families of disguises that its shots were given: an audit does not count these."""
        return frozenset()

    @abstractmethod
    def start(self, task: Task, seed: int = 0) -> Model:
        """The model before anything is learned; only names, target and CLIP of ``task`` count."""

    @abstractmethod
    def fit(self, task: Task, seed: int = 0, run: Loop | None = None) -> Model:
        """Unlearn what ``task`` asks for. The same seed gives the same bits on one machine."""

    def check(self, task: Task) -> None:
        """Raise ``ValueError`` if the method cannot do what is asked."""
        self.check_kind(task.target.kind)

    def check_kind(self, kind: Kind) -> None:
        """Raise ``ValueError`` if the method cannot forget such a thing."""
        if kind not in self.kinds:
            able = ", ".join(each for each in KINDS if each in self.kinds)
            raise ValueError(f"{self.name} cannot forget {kind}, only {able}: see `adu methods`")

    def as_dict(self) -> dict[str, Any]:
        """Name and settings, as a record keeps them."""
        settings = {each.name: getattr(self, each.name) for each in fields(self)}
        return {"name": self.name, "settings": settings}

    def search(self) -> dict[str, tuple[Any, ...]]:
        """The values that a fair search tries, by setting."""
        found = {each.name: each.metadata.get("search", ()) for each in fields(self)}
        return {name: values for name, values in found.items() if values}
