"""Pictures with two labels, and which of them are to be forgotten."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Literal, get_args
from unicodedata import normalize

import torch
from torch import Tensor

#: What kind of thing is forgotten; a method says which kinds it can.
Kind = Literal["domains", "classes", "classes in domains"]
KINDS: tuple[Kind, ...] = get_args(Kind)


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
