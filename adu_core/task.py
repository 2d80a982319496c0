"""The main classes: pictures with two labels, a target, a task, a method and its model."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from itertools import product
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args
from unicodedata import normalize

import torch
from torch import Tensor, nn

from adu_core.clip import TEMPLATE, FrozenCLIP, Trace
from adu_core.settings import Settings

if TYPE_CHECKING:
    from adu_core.loop import Loop

#: What kind of thing is forgotten; a method says which kinds it can.
Kind = Literal["domains", "classes", "classes in domains"]
KINDS: tuple[Kind, ...] = get_args(Kind)

#: What a method changes of the CLIP it is given.
Changes = Literal["nothing", "prompts", "head", "features", "weights"]


def readable(name: str) -> str:
    """A folder's or a user's name as a prompt says it: ``art_painting`` → ``art painting``.

    Accents become one letter each, so that names written on macOS are those written elsewhere.
    """
    return normalize("NFC", " ".join(name.replace("_", " ").replace("-", " ").lower().split()))


@dataclass(frozen=True)
class DomainDataset:
    """N pictures that all have the same size, with the class and the domain of each.

    pictures:      (N, 3, H, W) uint8, in the range 0 to 255; it may be a mapped file
    labels:        (N,) int64, the class, an index into ``class_names``
    domains:       (N,) int64, the domain, an index into ``domain_names``
    class_names:   as used in a prompt, such as ``"alarm clock"``
    domain_names:  such as ``"art painting"``
    style_shift:   (N,) float32 or None: how far the picture's style was moved from its own
                   domain's mean towards another's (0 = pure, 1 = the other's mean);
                   known for rendered pictures only
    """

    pictures: Tensor
    labels: Tensor
    domains: Tensor
    class_names: tuple[str, ...]
    domain_names: tuple[str, ...]
    style_shift: Tensor | None = None

    def __post_init__(self) -> None:
        count = len(self.pictures)
        if self.pictures.ndim != 4 or self.pictures.shape[1] != 3:
            raise ValueError(f"pictures must be (N, 3, H, W), not {tuple(self.pictures.shape)}")
        if self.pictures.dtype != torch.uint8:
            raise TypeError(f"pictures must be uint8 in 0 to 255, not {self.pictures.dtype}")
        for what, values, names in (
            ("labels", self.labels, self.class_names),
            ("domains", self.domains, self.domain_names),
        ):
            if values.shape != (count,) or values.dtype != torch.int64:
                raise ValueError(
                    f"{what} must be ({count},) int64, one for each picture, "
                    f"not {tuple(values.shape)} {values.dtype}"
                )
            if count and not 0 <= int(values.min()) <= int(values.max()) < len(names):
                raise ValueError(
                    f"{what} run from {int(values.min())} to {int(values.max())}, "
                    f"but there are {len(names)} names for them"
                )
            if len(set(names)) != len(names):
                raise ValueError(f"the names of the {what} are not all different: {list(names)}")

    def __len__(self) -> int:
        return len(self.pictures)

    @property
    def picture_size(self) -> int:
        """Height (= width) of every picture, in pixels."""
        return self.pictures.shape[-1]

    def subset(self, index: Tensor) -> DomainDataset:
        """The pictures at ``index`` (integers or a mask), all names kept."""
        return replace(
            self,
            pictures=self.pictures[index],
            labels=self.labels[index],
            domains=self.domains[index],
            style_shift=None if self.style_shift is None else self.style_shift[index],
        )

    def domain_index(self, name: str) -> int:
        """The number of the domain called ``name``; a ``ValueError`` lists those there are."""
        if readable(name) not in self.domain_names:
            raise ValueError(f"no domain {name!r}: the domains are {', '.join(self.domain_names)}")
        return self.domain_names.index(readable(name))

    def forgotten(self, forget: Sequence[str]) -> Tensor:
        """(N,) bool: which pictures belong to the domains named; raises what ``Target`` does."""
        return Target(tuple(forget)).mask(self)

    def counts(self) -> Tensor:
        """(classes, domains) int64: how many pictures there are of each."""
        shape = (len(self.class_names), len(self.domain_names))
        cell = self.labels * shape[1] + self.domains
        return torch.bincount(cell.cpu(), minlength=shape[0] * shape[1]).reshape(shape)

    def few_shot(self, shots: int, seed: int = 0) -> DomainDataset:
        """``shots`` pictures per class and domain, the same for the same seed.

        Raises ``ValueError`` naming the class and the domain that have too few.
        """
        if shots < 1:
            raise ValueError(f"shots must be 1 or more, not {shots}")
        order = torch.randperm(len(self), generator=torch.Generator().manual_seed(seed))
        cells = (self.labels * len(self.domain_names) + self.domains).cpu()[order]
        chosen = []
        for cell, (class_name, domain) in enumerate(product(self.class_names, self.domain_names)):
            members = order[cells == cell]
            if len(members) < shots:
                raise ValueError(
                    f"class {class_name!r} has {len(members)} pictures to train on in domain "
                    f"{domain!r}, but {shots} shots were asked for: ask for at most "
                    f"{len(members)} (--shots), add pictures, or say --skip-small"
                )
            chosen.append(members[:shots])
        return self.subset(torch.cat(chosen))

    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits that change with any picture, label or name."""
        digest = hashlib.sha256(repr((self.class_names, self.domain_names)).encode())
        for values in (self.pictures, self.labels, self.domains):
            digest.update(repr(tuple(values.shape)).encode())
            for part in values.split(1024):  # a mapped file is never in memory as a whole
                digest.update(part.cpu().contiguous().numpy())
        return digest.hexdigest()[:16]


@dataclass(frozen=True)
class Target:
    """What is to be forgotten, by readable names (``art_painting`` → ``art painting``).

    Domains alone: all their pictures. Classes alone: in every domain. Both: these classes in these
    domains. Raises ``ValueError`` for no name and for one named twice.
    """

    domains: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for what in ("domains", "classes"):
            names = tuple(readable(name) for name in getattr(self, what))
            if len(set(names)) != len(names):
                raise ValueError(f"the same of the {what} to forget is named twice: {list(names)}")
            object.__setattr__(self, what, names)
        if not self.domains and not self.classes:
            raise ValueError("cannot forget no domain: name at least one domain or class to forget")

    @property
    def kind(self) -> Kind:
        """Which of the three it is."""
        if self.domains and self.classes:
            return "classes in domains"
        return "domains" if self.domains else "classes"

    def as_dict(self) -> dict[str, list[str]]:
        """Names as JSON keeps them."""
        return {"domains": list(self.domains), "classes": list(self.classes)}

    def __str__(self) -> str:
        domains, classes = ", ".join(self.domains), ", ".join(self.classes)
        return f"{classes} in {domains}" if domains and classes else domains or classes

    def check(self, class_names: Sequence[str], domain_names: Sequence[str]) -> None:
        """Raise ``ValueError`` for a name that is not there, and if nothing would be memorized."""
        for what, several, asked, known in (
            ("domain", "domains", self.domains, domain_names),
            ("class", "classes", self.classes, class_names),
        ):
            unknown = [name for name in asked if name not in known]
            if unknown:
                raise ValueError(f"no {what} {unknown[0]!r}: the {several} are {', '.join(known)}")
        all_domains = not self.domains or len(self.domains) == len(domain_names)
        all_classes = not self.classes or len(self.classes) == len(class_names)
        if all_domains and all_classes:
            names = ", ".join(domain_names if self.domains else class_names)
            everything = "every domain" if self.kind == "domains" else "everything"
            raise ValueError(
                f"cannot forget {everything}: leave at least one of {names} to memorize"
            )

    def mask(self, data: DomainDataset) -> Tensor:
        """(N,) bool: which pictures of ``data`` are to be forgotten; raises what ``check`` does."""
        self.check(data.class_names, data.domain_names)
        found = torch.ones_like(data.labels, dtype=torch.bool)
        for asked, names, values in (
            (self.domains, data.domain_names, data.domains),
            (self.classes, data.class_names, data.labels),
        ):
            if asked:
                numbers = torch.tensor([names.index(name) for name in asked], device=values.device)
                found &= torch.isin(values, numbers)
        return found


def target(forget: Target | Sequence[str]) -> Target:
    """A target from domain names; a target stays what it is."""
    if isinstance(forget, str):
        raise TypeError(f"give the domains to forget as a list, [{forget!r}]")
    return forget if isinstance(forget, Target) else Target(tuple(forget))


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

    @property
    def forget(self) -> tuple[str, ...]:
        """The names of the domains to forget."""
        return self.target.domains

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
