"""Which CLIP and which pictures the notebooks use: the drawn world, or a reader's own."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

from adu_core.adu import ADU
from adu_core.clip import FrozenCLIP
from adu_core.clips.grammar import clip_from
from adu_core.clips.load import load_clip
from adu_core.data.grammar import KINDS, drawn
from adu_core.data.sources import Splits, load_splits, source_names
from adu_core.dataset import readable
from adu_core.machine.device import resolved
from adu_core.rivals.methods import Preset, method, preset_for
from adu_core.task import Method

#: One CLIP is loaded once for a notebook, however often it asks.
_loaded = lru_cache(maxsize=1)(load_clip)


@dataclass(frozen=True)
class Profile:
    """The CLIP, the pictures and the domain to forget that a notebook uses.

    clip:  ``load_clip``'s name and pretrained
    data:  ``"world"`` or ``"KIND:PLACE"``, as ``load_splits`` takes it
    shots: training pictures per class and domain
    limit: measure on at most this many pictures per class and domain, if they are not drawn
    """

    clip: tuple[str, str | None] = ("mini", None)
    data: str = "world"
    forget: str = "sketch"
    device: str = "cpu"
    shots: int = 8
    limit: int | None = None

    @property
    def drawn(self) -> bool:
        """Whether the pictures are those of the drawn world."""
        return drawn(self.data)

    @property
    def records_apply(self) -> bool:
        """Whether the book's records of the drawn world are of this CLIP and these pictures."""
        return self.drawn and self.clip == ("mini", None)

    @property
    def preset(self) -> Preset:
        """``"mini"`` for small CLIPs, ``"paper"`` for open_clip's."""
        return preset_for(self.clip)

    @property
    def settings(self) -> ADU:
        """The whole of ADU with the settings that suit the CLIP."""
        return cast(ADU, self.method("full"))

    def method(self, name: str, **settings: Any) -> Method:
        """Any method by its name, with the settings that suit the CLIP and those given here.

        Raises ``ValueError`` for an unknown name or setting, or a value out of range.
        """
        return method(name, self.preset, **settings)

    def load_clip(self) -> FrozenCLIP:
        """The frozen CLIP, on the profile's device."""
        return _loaded(*self.clip, self.device)

    def load_splits(self, seed: int = 0, *, held_out: bool = False) -> Splits:
        """Shots, validation and test pictures, as the profile's CLIP takes them.

        held_out: the drawn world's classes that no split has, too
        """
        return load_splits(
            self.data,
            size=self.load_clip().preprocess,
            shots=self.shots,
            seed=seed,
            limit=self.limit,
            held_out=held_out,
        )

    def _repr_markdown_(self) -> str:
        name, pretrained = self.clip
        weights = f" ({pretrained})" if pretrained else ""
        return (
            f"CLIP `{name}`{weights} on {self.device}, pictures from `{self.data}`, "
            f"{self.shots} shots per class and domain, forgetting {self.forget}."
        )


def profile() -> Profile:
    """The profile that the environment asks for; without a word, the drawn world and its CLIP.

    - ``ADU_CLIP``: ``mini``, a file of ``adu pretrain``, or ``NAME:WEIGHTS`` of open_clip
    - ``ADU_DATA``: ``world``, a folder ``<root>/<domain>/<class>/picture.jpg``, or ``KIND:PLACE``
    - ``ADU_FORGET``: a domain, as its folder is called; without it ``sketch``, or the last domain
      where there is no sketch
    - ``ADU_SHOTS``: training pictures per class and domain, 8 without it

    A GPU is used if torch finds one and the CLIP is one of open_clip's. Raises ``ValueError`` for
    a CLIP, pictures or a domain that are not there, or a wrong number, naming the variable.
    """
    data = os.environ.get("ADU_DATA") or "world"
    if not drawn(data) and data.partition(":")[0] not in KINDS:
        data = f"folder:{data}"
    try:
        clip = clip_from(os.environ.get("ADU_CLIP") or "mini")
    except ValueError as error:
        raise ValueError(f"ADU_CLIP: {error}") from None
    try:
        _, domains = source_names(data)
    except (ValueError, OSError) as error:
        raise ValueError(f"ADU_DATA: {error}") from None
    asked = readable(os.environ.get("ADU_FORGET") or "")
    if asked and asked not in domains:
        raise ValueError(f"ADU_FORGET: no domain {asked!r} there, but {', '.join(domains)}")
    forget = asked or ("sketch" if "sketch" in domains else domains[-1])
    shots = os.environ.get("ADU_SHOTS") or "8"
    if not shots.isdecimal() or int(shots) < 1:
        raise ValueError(f"ADU_SHOTS must be a whole number, 1 or more, not {shots!r}")
    limit = None if drawn(data) else 10
    return Profile(clip, data, forget, resolved("auto", clip), int(shots), limit)
