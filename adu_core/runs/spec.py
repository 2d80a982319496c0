"""One run as plain values: what to forget, by which method, on which pictures and CLIP."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NotRequired, get_args

from pydantic import ConfigDict, TypeAdapter, with_config
from typing_extensions import TypedDict

from adu_core.data.grammar import drawn, parse
from adu_core.dataset import Target
from adu_core.machine.files import checked, plain
from adu_core.rivals.methods import from_dict, target_from_dict
from adu_core.task import Method

Split = Literal["validation", "test"]
#: What is measured beside accuracy: how entangled the domains are; classes that unlearning never
#: met, where the data has some; and Mem, For and H on the validation pictures, and on the measured
#: ones under each of ``adu_core.data.corruptions``.
Extra = Literal["entanglement", "held-out", "validation", "corrupted"]


class _Clip(TypedDict):
    name: str
    pretrained: str | None


class _Config(TypedDict):
    """A spec as a record keeps it."""

    method: Any
    forget: Any
    data: str
    clip: _Clip
    shots: int
    limit: int | None
    seed: int
    on: Split
    measure: list[Extra]
    labels: NotRequired[str]


_CONFIG = TypeAdapter(with_config(ConfigDict(strict=True, extra="forbid"))(_Config))


@dataclass(frozen=True)
class Spec:
    """All that a run's result depends on, and nothing about the machine.

    clip:    ``load_clip``'s name and pretrained
    shots:   training pictures per class and domain
    data:    the source of the pictures, see ``adu_core.data.grammar``
    limit:   measure on at most this many pictures per class and domain
    on:      the pictures to measure on
    measure: what is measured in addition to accuracy
    labels:  the shots' domain labels that the method gets, see ``adu_core.runs.labels.relabel``
    """

    method: Method
    forget: Target
    data: str = "world"
    clip: tuple[str, str | None] = ("mini", None)
    shots: int = 8
    limit: int | None = None
    seed: int = 0
    on: Split = "test"
    measure: tuple[Extra, ...] = ("entanglement",)
    labels: str = "true"

    def __post_init__(self) -> None:
        for name, least in (("shots", 1), ("limit", 1), ("seed", 0)):
            value = getattr(self, name)
            if value is None and name == "limit":
                continue
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise ValueError(f"{name} must be a whole number, {least} or more, not {value!r}")
        check_labels(self.labels)
        if self.on not in get_args(Split):
            raise ValueError(f"on must be one of {', '.join(get_args(Split))}, not {self.on!r}")
        unknown = [extra for extra in self.measure if extra not in get_args(Extra)]
        if unknown:
            raise ValueError(f"measure knows {', '.join(get_args(Extra))}, not {unknown[0]!r}")
        # One way to say it: two spellings do not make two specs of one.
        ordered = tuple(extra for extra in get_args(Extra) if extra in self.measure)
        object.__setattr__(self, "measure", ordered)
        if drawn(self.data):
            object.__setattr__(self, "data", str(parse(self.data)))

    def as_dict(self) -> dict[str, Any]:
        """The spec as a record keeps it: plain JSON values."""
        values: dict[str, Any] = plain(
            {
                "data": self.data,
                "clip": {"name": self.clip[0], "pretrained": self.clip[1]},
                "method": self.method.as_dict(),
                "forget": self.forget.as_dict(),
                **{key: getattr(self, key) for key in ("shots", "limit", "seed", "on", "measure")},
            }
        )
        if self.labels != "true":  # what is left out by default keeps the hashes of old records
            values["labels"] = self.labels
        return values

    @classmethod
    def from_dict(cls, values: Any, where: str | Path) -> Spec:
        """What ``as_dict`` gave; a ``ValueError`` naming ``where`` if it is another thing."""
        found = checked(_CONFIG, values, where)
        measured: Any = {key: found[key] for key in ("data", "shots", "limit", "seed", "on")}
        try:
            return cls(
                method=from_dict(found["method"], where),
                forget=target_from_dict(found["forget"], where),
                clip=(found["clip"]["name"], found["clip"]["pretrained"]),
                measure=tuple(found["measure"]),
                labels=found.get("labels", "true"),
                **measured,
            )
        except ValueError as error:
            raise ValueError(f"{where}: {str(error).removeprefix(f'{where}: ')}") from None

    @property
    def hash(self) -> str:
        """Sixteen hexadecimal digits of the canonical JSON: the same for the same spec only."""
        canonical = json.dumps(self.as_dict(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]

    @property
    def name(self) -> str:
        """What the record's file is called: readable first, then what tells it from all others."""
        forget = re.sub(r"[^\w.+]+", "_", str(self.forget).replace(", ", "+"))
        return f"{forget[:80]}-{self.method.name}-seed{self.seed}-{self.hash[:8]}"


def check_labels(labels: str) -> None:
    """Raise ``ValueError`` unless ``labels`` is a way that ``adu_core.runs.labels`` knows."""
    kind, _, share = labels.partition(":")
    with contextlib.suppress(ValueError):  # of a share that is no number
        if labels in ("true", "shuffled", "k-means", "sentences"):
            return
        if kind == "wrong" and 0 < float(share) < 1:
            return
    raise ValueError(
        "labels must be true, shuffled, wrong:SHARE, k-means or sentences, with a SHARE between 0 "
        f"and 1 such as wrong:0.2, not {labels!r}"
    )
