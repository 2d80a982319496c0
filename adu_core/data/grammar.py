"""The line that names pictures, in ``--data`` and in a record's ``data``.

``world`` or ``KIND:PLACE`` and, after a ``?``, options that change results: ``world?mix=0.25`` is
the drawn world with styles that overlap less; ``skip-bad`` or ``skip-small=8``, or both joined by
``&``, say what to leave out of a place.
"""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

#: Every kind of source but the drawn world, and what stands behind its colon.
KINDS = {
    "folder": "ROOT",
    "lists": "ROOT",
    "hub": "NAME",
    "pacs": "ROOT",
    "office-home": "ROOT",
    "domainnet": "ROOT",
    "mini-domainnet": "ROOT",
    "imagenet": "ROOT",
    "imagenet-sketch": "ROOT",
    "imagenet-r": "ROOT",
}
#: How much the styles of the drawn world overlap if its line does not say it.
MIX = 0.5
_SMALL = re.compile(r"skip-small(?:=([1-9]\d{0,8}))?")


@dataclass(frozen=True)
class Source:
    """A source of pictures, taken apart.

    kind:       ``world`` or one of ``KINDS``
    place:      a folder, or a name on the Hugging Face Hub
    skip_bad:   leave out pictures that cannot be read, instead of an error
    skip_small: leave out, in every domain, classes with fewer than this many training pictures, or
                without validation or test pictures; 0 makes them an error
    mix:        how much the styles of the drawn world overlap, 0 to 0.5
    """

    kind: str
    place: str = ""
    skip_bad: bool = False
    skip_small: int = 0
    mix: float = MIX

    def __post_init__(self) -> None:
        if self.kind == "world" and (self.skip_bad or self.skip_small):
            raise ValueError(
                "the drawn world has no bad pictures and no small classes: leave "
                f"{'skip-bad' if self.skip_bad else 'skip-small'} out"
            )
        if self.kind != "world" and self.mix != MIX:
            raise ValueError(f"mix is for the drawn world, 'world?mix={self.mix:g}'")

    def __str__(self) -> str:
        options = [
            "skip-bad" * self.skip_bad,
            f"skip-small={self.skip_small}" * (self.skip_small > 0),
            f"mix={abs(self.mix)!r}".removesuffix(".0") * (self.mix != MIX),
        ]
        place = f":{self.place}" if self.kind != "world" else ""
        return "?".join(filter(None, [self.kind + place, "&".join(filter(None, options))]))


def drawn(text: str) -> bool:
    """Whether a line names the drawn world."""
    return text.partition("?")[0] == "world"


def parse(text: str) -> Source:
    """A source from its line; a ``ValueError`` says what is wrong and what there is."""
    if drawn(text):
        return _with_options("world", "", text.partition("?")[2], text)
    kind, colon, rest = text.partition(":")
    if kind not in KINDS:
        known = ", ".join(f"'{kind}:{what}'" for kind, what in KINDS.items())
        place, there = Path(_without_options(text)[0]).expanduser(), ""
        with contextlib.suppress(OSError, ValueError):  # a name too long, or with a 0 in it
            if text and place.exists():
                kind = "folder" if place.is_dir() else "hub"
                there = f"there is such a {'folder' if place.is_dir() else 'file'}, "
                there += f"say --data {kind}:{text}; or else "
        raise ValueError(f"no data {text!r}: {there}give 'world' or one of {known}")
    place_named, options = _without_options(rest)
    if not (colon and place_named):
        what = KINDS[kind]
        raise ValueError(
            f"data {text!r} lacks its {what}: give '{kind}:{what}'"
            + (f", or --data {kind} --root {what} on the command line" if what == "ROOT" else "")
        )
    return _with_options(kind, place_named, options, text)


def _with_options(kind: str, place: str, options: str, text: str) -> Source:
    """A source with what stands behind the ``?`` of its line."""
    found: dict[str, Any] = {}
    for word in filter(None, options.split("&")):
        small = _SMALL.fullmatch(word)
        if word == "skip-bad":
            found["skip_bad"] = True
        elif small:
            found["skip_small"] = int(small[1] or 1)
        elif word.startswith("mix="):
            found["mix"] = float("nan")
            with contextlib.suppress(ValueError):
                found["mix"] = float(word.removeprefix("mix="))
            if not 0 <= found["mix"] <= 0.5:
                raise ValueError(f"data {text!r}: mix must be a number from 0 to 0.5")
        else:
            raise ValueError(
                f"data {text!r}: no option {word!r} behind '?': there are skip-bad, skip-small or "
                "skip-small=SHOTS with a whole number from 1, and, for the world, mix=NUMBER"
            )
    return Source(kind, place, **found)


def _without_options(place: str) -> tuple[str, str]:
    """A place, and the options behind it; a ``?`` in the name of a folder is none of theirs."""
    head, mark, tail = place.rpartition("?")
    if not mark or Path(place).expanduser().exists():
        return place, ""
    return head, tail


def joined(text: str, root: str | None = None, *, skip_bad: bool = False, shots: int = 0) -> str:
    """The line for ``text`` with a root and what is to be left out said apart from it.

    shots: leave out classes that have fewer to train on; 0 leaves none out
    """
    if root is not None:
        if KINDS.get(text) != "ROOT":
            named = ", ".join(kind for kind, what in KINDS.items() if what == "ROOT")
            raise ValueError(
                f"--root {root} goes with a --data that needs one, not {text}: {named}"
            )
        text = f"{text}:{root}"
    source = parse(text)
    bad, small = source.skip_bad or skip_bad, shots or source.skip_small
    return str(replace(source, skip_bad=bad, skip_small=small))
