"""What is to be forgotten: domains, classes everywhere, or classes in some domains only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from adu_core.data.dataset import DomainDataset, readable

#: What kind of thing is forgotten; a method says which kinds it can.
Kind = Literal["domains", "classes", "classes in domains"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True)
class Target:
    """Domains alone: all that is in them. Classes alone: everywhere. Both: only where they meet.

    Names are made readable (``art_painting`` → ``art painting``). Raises ``ValueError`` for no
    name at all and for one named twice.
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

    @classmethod
    def from_dict(cls, values: Any, where: str | Path) -> Target:
        """What ``as_dict`` gave; a ``ValueError`` naming ``where`` if it is another thing."""
        names = values.values() if isinstance(values, dict) else ()
        whole = isinstance(values, dict) and values.keys() == {"domains", "classes"}
        if not whole or not all(
            isinstance(some, list) and all(isinstance(name, str) for name in some) for some in names
        ):
            raise ValueError(
                f"{where}: what to forget is {{'domains': [names], 'classes': [names]}}, "
                f"not {values!r}"
            )
        return cls(tuple(values["domains"]), tuple(values["classes"]))

    def __str__(self) -> str:
        domains, classes = ", ".join(self.domains), ", ".join(self.classes)
        return f"{classes} in {domains}" if domains and classes else domains or classes

    def check(self, class_names: Sequence[str], domain_names: Sequence[str]) -> None:
        """Raise ``ValueError`` for a name that is not there, and if nothing would be memorized."""
        for what, asked, known in (
            ("domain", self.domains, domain_names),
            ("class", self.classes, class_names),
        ):
            unknown = [name for name in asked if name not in known]
            if unknown:
                several = {"domain": "domains", "class": "classes"}[what]
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


def domains_of(texts: Iterable[str], known: Sequence[str]) -> list[str]:
    """Domains that are forgotten at once; ``A+B`` names two of them, unless one is called so."""
    parts = ([text] if readable(text) in known else text.split("+") for text in texts)
    return [name for part in parts for name in part]
