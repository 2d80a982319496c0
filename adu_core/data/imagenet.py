"""ImageNet's photos and a second domain: ImageNet-Sketch, or ImageNet-R's renditions.

The domain "real" is ImageNet itself. Where its training and validation trees are both there, shots
and validation pictures are drawn from the first, and the second is the test, as it is for everybody
else; where there is one tree only, it is shared out as any folder is. The second domain, "sketch"
or "rendition", has one tree and is always shared out. Classes are those of the second domain: all
1,000 of ImageNet-Sketch, the 200 of ImageNet-R.

A class's folder is called by its WordNet number, and ``classnames.txt`` ("n01440764 tench", a line
each) says what that is, as Dassl has it; a folder of another name is called what it is called.
Numbers of one name are one class, since no prompt can tell them apart.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from adu_core.data.folder import Folder, Skipped, class_pictures
from adu_core.data.listing import Entry, Listing, Part
from adu_core.data.messages import preview, warn
from adu_core.data.picture import PictureError
from adu_core.data.text import lines_of
from adu_core.task import readable

NAMES = "classnames.txt"
_NUMBER = re.compile(r"n\d{8}")
_ENTRY = re.compile(r"""["']?(n\d{8})["']?[\s,;]\s*["']?([^"]+?)["']?""")
#: Where each domain may lie below the root.
REAL = ("imagenet/images", "imagenet", "ImageNet", "ILSVRC2012", "real")
SECOND = {
    "sketch": ("imagenet-sketch/images", "imagenet-sketch", "ImageNet-Sketch", "sketch"),
    "rendition": ("imagenet-rendition/imagenet-r", "imagenet-rendition", "imagenet-r"),
}


def find_imagenet(root: str | Path, second: str | None = None) -> Listing:
    """The pictures of ImageNet and its second domain below ``root``; no picture is opened.

    second: ``sketch`` or ``rendition``; None takes the one that is there
    """
    root = Path(root).expanduser()
    there = {name: path for name in SECOND if (path := _first(root, SECOND[name])) is not None}
    if second is None and len(there) > 1:
        raise PictureError(
            f"{root} holds ImageNet-Sketch and ImageNet-R: say which, imagenet-sketch:{root} or "
            f"imagenet-r:{root}"
        )
    real, other = _first(root, REAL), second or next(iter(there), "sketch")
    lacking = [
        f"{name} (looked for {', '.join(places)})"
        for name, places, path in (
            ("ImageNet's photos", REAL, real),
            (f"the domain {other}", SECOND[other], there.get(other)),
        )
        if path is None
    ]
    if real is None or lacking:
        raise PictureError(f"{root} lacks {' and '.join(lacking)}: unpack them there")
    words = _words(root, real, there[other])
    trees = {name: path for name in ("train", "val") if (path := real / name).is_dir()}
    second_domain = _entries(other, "all", there[other], words)
    if len(trees) == 2:
        entries = _entries("real", "train", trees["train"], words)
        entries += _entries("real", "test", trees["val"], words)
    else:
        entries = _entries("real", "all", next(iter(trees.values()), real), words)
    classes = {label for _, _, label, _ in second_domain}
    entries = [entry for entry in entries if entry[2] in classes]
    return Listing.of(str(root), entries + second_domain)


def _first(root: Path, places: tuple[str, ...]) -> Path | None:
    return next((root / place for place in places if (root / place).is_dir()), None)


def _words(root: Path, *folders: Path) -> dict[str, str]:
    """What the numbers mean, from the first list there is; none if there is none."""
    for folder in (root, root / "imagenet", *folders, *(folder.parent for folder in folders)):
        path = folder / NAMES
        if path.is_file():
            lines = [(line, _ENTRY.fullmatch(line)) for _, line in lines_of(path)]
            wrong = [line for line, entry in lines if not entry]
            if wrong:
                raise PictureError(
                    f"{path} has lines that are not 'n01440764 tench': {preview(wrong)}"
                )
            return {entry[1]: readable(entry[2]) for _, entry in lines if entry}
    return {}


def _entries(domain: str, part: Part, folder: Path, words: dict[str, str]) -> list[Entry]:
    """The pictures of each class, by the name that a prompt says."""
    skipped = Skipped()
    found = dict(class_pictures(Folder(str(folder)), skipped))
    skipped.warn(str(folder))
    names = {name: words.get(name, readable(name)) for name in sorted(found)}
    nameless = [name for name in names if _NUMBER.fullmatch(name) and name not in words]
    if nameless:
        raise PictureError(
            f"{folder}: CLIP needs words, and {len(nameless)} classes are numbers without one: "
            f"{preview(nameless)}; put {NAMES} beside them, of lines 'n01440764 tench'"
        )
    merged = sorted(name for name, count in Counter(names.values()).items() if count > 1)
    if merged:
        warn(f"{folder}: several folders are called {preview(merged)}, each one class now")
    return [(domain, part, names[name], found[name]) for name in names]
