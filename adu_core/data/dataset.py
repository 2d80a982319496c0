"""Pictures with two labels each, a class and a domain, whatever they were read from."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from unicodedata import normalize

import torch
from torch import Tensor


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
    class_names:   as they are said in a prompt, such as ``"alarm clock"``
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
        """(N,) bool: which pictures belong to the domains named in ``forget``.

        Raises ``ValueError`` for an unknown name, for no name and for all of them:
        unlearning needs at least one domain to forget and one to memorize.
        """
        wanted = {self.domain_index(name) for name in forget}
        if not wanted or len(wanted) == len(self.domain_names):
            raise ValueError(
                f"cannot forget {'every domain' if wanted else 'no domain'}: name at least one of "
                f"{', '.join(self.domain_names)} to forget and leave at least one to memorize"
            )
        return torch.isin(self.domains, torch.tensor(sorted(wanted), device=self.domains.device))

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
        labels, domains = self.labels.cpu()[order], self.domains.cpu()[order]
        chosen = []
        for label, class_name in enumerate(self.class_names):
            for domain, domain_name in enumerate(self.domain_names):
                members = order[(labels == label) & (domains == domain)]
                if len(members) < shots:
                    raise ValueError(
                        f"class {class_name!r} has {len(members)} pictures to train on in domain "
                        f"{domain_name!r}, but {shots} shots were asked for: ask for at most "
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


def batch_indices(
    domains: Tensor, batch_size: int, generator: torch.Generator, balanced: bool = True
) -> Iterator[Tensor]:
    """One epoch of batches over pictures whose domains are ``domains`` (N,): their indices.

    Every picture comes once, in an order drawn from ``generator``; the last batch may be
    smaller. ``balanced`` deals the domains out evenly: as long as every domain has pictures
    left, the numbers of pictures per domain in a batch differ by one at the most.
    """
    if batch_size < 1:
        raise ValueError(f"the batch size must be 1 or more, not {batch_size}")
    order = torch.randperm(len(domains), generator=generator)
    if balanced:
        # A picture's rank within its own domain is its turn. Sorted by turn, then by domain, the
        # domains take turns in one fixed cycle, and any batch is a stretch of that cycle.
        by_domain = order[torch.argsort(domains.cpu()[order], stable=True)]
        turn = torch.cat([torch.arange(int(count)) for count in torch.bincount(domains.cpu())])
        order = by_domain[torch.argsort(turn, stable=True)]
    yield from order.split(batch_size)
