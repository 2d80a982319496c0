"""Which column of a dataset of the Hub is what: its features say.

The picture is the only column of pictures, or the one called ``image``: by its feature, or as other
programs write them, bytes or a pair of bytes and path. Domain and class are columns of class labels
or of texts by one of the usual names.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from adu_core.data.messages import preview, warn
from adu_core.data.picture import PictureError
from adu_core.task import readable

DOMAIN = ("domain", "domain_name", "style", "domain_id")
LABEL = ("label", "class", "class_name", "category", "label_name", "labels", "object")
_TEXTS, _BYTES = ("string", "large_string"), ("binary", "large_binary")


def columns(name: str, dataset: Any) -> tuple[str, str, str]:
    """The columns of the picture, the domain and the class."""
    features, datasets = dataset.features, import_module("datasets")
    images = [
        key
        for key, kind in features.items()
        if isinstance(kind, datasets.Image)
        or getattr(kind, "dtype", "") in _BYTES
        or (isinstance(kind, dict) and kind.keys() == {"bytes", "path"})
    ]
    named = {
        key: kind
        for key, kind in features.items()
        if isinstance(kind, datasets.ClassLabel) or getattr(kind, "dtype", "") in _TEXTS
    }
    image = "image" if "image" in images else images[0] if len(images) == 1 else None
    domain, label = (
        next((key for key in wanted if key in named), None) for wanted in (DOMAIN, LABEL)
    )
    if image is None or domain is None or label is None:
        held = ", ".join(f"{key} ({_kind(kind)})" for key, kind in features.items())
        lacking = [
            what
            for what, found in (
                ("a column of pictures, the only one or called image", image),
                (f"a domain as class labels or texts, called {' or '.join(DOMAIN)}", domain),
                (f"a class as class labels or texts, called {' or '.join(LABEL)}", label),
            )
            if found is None
        ]
        numbers = [key for key in features if key in DOMAIN + LABEL and key not in named]
        words = f"; for {', '.join(numbers)} with datasets.ClassLabel(names=[…])" if numbers else ""
        raise PictureError(
            f"{name} lacks {'; '.join(lacking)}. It has {held}. Rename or cast the columns with "
            f"datasets{words}, save_to_disk, and pass that folder"
        )
    return image, domain, label


def names_of(
    name: str, column: str, feature: Any, values: list[Any], skip_bad: bool = False
) -> list[str | None]:
    """The readable name in each row; an error for rows that have none, or None with skip_bad."""
    names = getattr(feature, "names", None)
    if names is None:
        said = [text if text and text.strip() else None for text in values]
    else:
        said = [None if x is None or not 0 <= x < len(names) else names[x] for x in values]
    wrong = [f"row {n} has {values[n]!r}" for n, text in enumerate(said) if text is None]
    if wrong and skip_bad:
        warn(f"--skip-bad leaves out {len(wrong)} rows of {name} without a {column}: "
               f"{preview(wrong)}")  # fmt: skip
    elif wrong:
        known = f"; it runs from 0 to {len(names) - 1}" if names is not None else ""
        raise PictureError(
            f"{name}: column {column!r} out of range: {preview(wrong)}{known}: correct it, or say "
            "--skip-bad to leave such rows out"
        )
    spoken: dict[str, str] = {}
    first: dict[str, str] = {}
    for text in sorted({text for text in said if text is not None}):
        spoken[text] = readable(text)
        twin = first.setdefault(spoken[text], text)
        if twin != text:
            raise PictureError(
                f"{name}: {twin!r} and {text!r} in column {column!r} are both called "
                f"{spoken[text]!r} in a prompt: rename one"
            )
    return [None if text is None else spoken[text] for text in said]


def _kind(feature: Any) -> str:
    return str(getattr(feature, "dtype", None) or type(feature).__name__)
