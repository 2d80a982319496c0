"""How pictures are named in one line, as ``--data`` and a record's ``data`` have it.

``world``, or ``KIND:PLACE``, and behind a ``?`` what is to be left out: ``skip-bad``, or
``skip-small=8``, or both, joined by ``&``. They stand in the name because they change results;
names without them mean what they always meant.
"""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass, replace
from pathlib import Path

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
_SKIP = re.compile(r"skip-bad|skip-small(?:=([1-9]\d{0,8}))?")


@dataclass(frozen=True)
class Source:
    """A source of pictures, taken apart.

    kind:       ``world`` or one of ``KINDS``
    place:      a folder, or a name on the Hugging Face Hub
    skip_bad:   leave out pictures that cannot be read, instead of an error
    skip_small: leave out, in every domain, classes with fewer than so many pictures to train on,
                or none to choose settings or to test on; 0 makes them an error
    """

    kind: str
    place: str = ""
    skip_bad: bool = False
    skip_small: int = 0

    def __post_init__(self) -> None:
        if self.kind == "world" and (self.skip_bad or self.skip_small):
            raise ValueError(
                "the drawn world has no bad pictures and no small classes: leave "
                f"{'skip-bad' if self.skip_bad else 'skip-small'} out"
            )

    def __str__(self) -> str:
        small = f"skip-small={self.skip_small}" if self.skip_small else ""
        options = "&".join(filter(None, ["skip-bad" * self.skip_bad, small]))
        place = f":{self.place}" if self.kind != "world" else ""
        return f"{self.kind}{place}{'?' if options else ''}{options}"


def parse(text: str) -> Source:
    """A source from its line; a ``ValueError`` says what is wrong and what there is."""
    if text == "world":
        return Source("world")
    kind, colon, rest = text.partition(":")
    if kind == "world":
        kind, _, options = text.partition("?")
    elif kind.startswith("world?"):
        kind, _, options = kind.partition("?")
    else:
        options = ""
    if kind in KINDS:
        rest, options = _without_options(rest)
    elif kind != "world" or not options:
        known = ", ".join(f"'{kind}:{what}'" for kind, what in KINDS.items())
        place, there = Path(_without_options(text)[0]).expanduser(), ""
        with contextlib.suppress(OSError, ValueError):  # a name too long, or with a 0 in it
            if text and place.exists():
                kind = "folder" if place.is_dir() else "hub"
                there = f"there is such a {'folder' if place.is_dir() else 'file'}, "
                there += f"say --data {kind}:{text}; or else "
        raise ValueError(f"no data {text!r}: {there}give 'world' or one of {known}")
    if kind != "world" and not (colon and rest):
        what = KINDS[kind]
        raise ValueError(
            f"data {text!r} lacks its {what}: give '{kind}:{what}'"
            + (f", or --data {kind} --root {what} on the command line" if what == "ROOT" else "")
        )
    bad, small = False, 0
    for word in filter(None, options.split("&")):
        said = _SKIP.fullmatch(word)
        if not said:
            raise ValueError(
                f"data {text!r}: no option {word!r} behind '?': there are skip-bad and "
                "skip-small, or skip-small=SHOTS with a whole number from 1"
            )
        bad = bad or word == "skip-bad"
        small = int(said[1] or 1) if word != "skip-bad" else small
    return Source(kind, rest if kind != "world" else "", bad, small)


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
