"""Data sets of the Hugging Face Hub, and local ones in its formats; needs the extra ``hub``.

A data set is read from this machine. Only ``download``, which the option ``--download`` calls,
downloads anything. A local data set is a folder written by ``save_to_disk``, a folder in a format
that ``datasets`` knows, such as imagefolder, or a Parquet or Arrow file.

The picture is the only column of pictures, or the one called ``image``: recognised by its feature,
or as other programs write them, bytes or a pair of bytes and path. Domain and class are columns of
class labels or of texts with one of the usual names.

Splits called train, validation and test are used as such; a single split of any name is divided
like a folder.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Iterator, Mapping
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from adu_core.data.listing import PART_NAMES, Entry, Listing, Part, Row, Table, stamp
from adu_core.data.messages import preview, warn
from adu_core.data.picture import PictureError

#: How long the hub may take to say what a dataset is, in seconds.
PATIENCE = 5.0
#: What the columns of domains and of classes are called.
DOMAIN = ("domain", "domain_name", "style", "domain_id")
LABEL = ("label", "class", "class_name", "category", "label_name", "labels", "object")
_TEXTS, _BYTES = ("string", "large_string"), ("binary", "large_binary")


def read_hub(place: str, *, skip_bad: bool = False) -> Listing:
    """The pictures of a dataset on this machine; none is opened.

    place: a local folder or file, or a name on the hub such as ``flwrlabs/pacs``
    skip_bad: leave out rows that have no class or domain, instead of an error

    Raises ``ImportError`` without ``datasets``, ``FileNotFoundError`` for a dataset of the hub
    that was not downloaded, with its licence, its size and how to fetch it, and ``PictureError``
    for one without the columns that are needed.
    """
    where, path = f"hub:{place}", _local(place)
    parts = _parts(where, _load(place, path))
    stamps = _stamps(path) if path else ""
    entries: list[Entry] = []
    for split, dataset in parts.items():
        name = where if split == "all" else f"{where}, split {split}"
        image, *columns = _columns(name, dataset)
        rows = dataset.select_columns(columns).with_format(None)[:]
        domains, labels = (
            _names(name, column, dataset.features[column], rows[column], skip_bad)
            for column in columns
        )
        raw = dataset.cast_column(image, _datasets().Image(decode=False))
        base = path if path and path.is_dir() else (path or Path()).parent
        reader = partial(_picture, raw.select_columns([image]), image, base)
        table = Table(name, f"{split}|{stamps or dataset._fingerprint}", reader)
        part: Part = PART_NAMES[split] if len(parts) > 1 else "all"
        entries += [
            (domain, part, label, [Row(table, number)])
            for number, (domain, label) in enumerate(zip(domains, labels, strict=True))
            if domain is not None and label is not None
        ]
    return Listing.of(where, entries)


def _picture(rows: Any, column: str, base: Path, number: int) -> bytes | Path:
    """The picture file of a row, as it was stored, or where it is."""
    found = rows[number][column]
    if found is None or (found["bytes"] is None and found["path"] is None):
        raise ValueError("the row holds no picture")
    return base / str(found["path"]) if found["bytes"] is None else bytes(found["bytes"])


def download(name: str) -> None:
    """Fetch a dataset of the hub; what is there already is kept, and checked by ``datasets``."""
    if _local(name) is None:
        _datasets().load_dataset(name)


def _datasets() -> Any:
    try:
        return import_module("datasets")
    except ImportError:
        raise ImportError(
            "data 'hub:…' needs the library datasets: pip install 'adu-core[hub]'"
        ) from None


def _local(place: str) -> Path | None:
    """Where the dataset is, if it is none of the hub."""
    path = Path(place).expanduser()
    if path.exists():
        return path
    if place.startswith(("/", ".", "~")) or path.suffix in (".parquet", ".arrow") or path.drive:
        raise PictureError(f"{path} does not exist: pass a local dataset, or a name on the hub")
    if not re.fullmatch(r"[\w.-]+(/[\w.-]+)?", place):
        raise PictureError(f"{place!r} is no name of the hub: it is like 'flwrlabs/pacs'")
    return None


def _load(place: str, path: Path | None) -> Any:
    """The dataset, all its splits; nothing is downloaded."""
    datasets = _datasets()
    if path is None:
        try:
            with _offline():
                return datasets.load_dataset(place)
        except (OSError, ValueError) as error:
            first = str(error).partition("\n")[0]
            raise FileNotFoundError(
                f"the dataset {place} of the Hugging Face Hub is not on this machine ({first}); "
                f"{about(place)}. To fetch it: adu run --data hub:{place} --download, or in Python "
                f"adu_core.data.hub.download({place!r})"
            ) from None
    if path.is_file() and path.suffix not in (".parquet", ".arrow"):
        raise PictureError(f"{path} is no Parquet or Arrow file: pass one, or a folder")
    shown = datasets.utils.is_progress_bar_enabled()
    datasets.utils.disable_progress_bars()
    try:
        if path.suffix == ".arrow":
            return datasets.Dataset.from_file(str(path))
        if path.is_file():
            return datasets.load_dataset("parquet", data_files=str(path))
        if any((path / name).is_file() for name in ("state.json", "dataset_dict.json")):
            return datasets.load_from_disk(str(path))
        return datasets.load_dataset(str(path))
    except Exception as error:  # a format's reader raises whatever it likes
        raise PictureError(f"{path} cannot be read as a dataset: {error}") from error
    finally:
        if shown:
            datasets.utils.enable_progress_bars()


@contextlib.contextmanager
def _offline() -> Iterator[None]:
    """Let ``datasets`` look on this machine only: where there is news, it would fetch it."""
    places: list[Any] = [_datasets().config, import_module("huggingface_hub.constants")]
    before = [place.HF_HUB_OFFLINE for place in places]
    try:
        for place in places:
            place.HF_HUB_OFFLINE = True
        yield
    finally:
        for place, value in zip(places, before, strict=True):
            place.HF_HUB_OFFLINE = value


def about(name: str) -> str:
    """The licence and the size of a dataset of the hub, in words; asks the hub, if it may."""
    with contextlib.suppress(Exception):  # no network, no such dataset, no such field
        hub: Any = import_module("huggingface_hub")  # datasets brings it
        if not hub.constants.HF_HUB_OFFLINE:
            found = hub.HfApi().dataset_info(name, timeout=PATIENCE, files_metadata=True)
            size = sum(file.size or 0 for file in found.siblings or ())
            licence = (found.card_data or {}).get("license") or "not stated"
            return f"its licence is {licence}, its size {size / 1e9:.2f} GB"
    return "the hub cannot be reached to say its licence and size"


def _parts(where: str, loaded: Any) -> dict[str, Any]:
    """The splits that are used."""
    if not isinstance(loaded, Mapping):
        return {"all": loaded}
    if len(loaded) == 1:
        return dict(loaded)
    parts = {PART_NAMES.get(name) for name in loaded}
    if len(parts) < len(loaded) or None in parts or "train" not in parts:
        raise PictureError(
            f"{where} has the splits {', '.join(loaded)}: they must be called train, validation "
            "and test, of which train is needed, or be one"
        )
    return dict(loaded)


def _stamps(path: Path) -> str:
    """What changes when a local dataset's files do."""
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    stamps = "\n".join(stamp(file) for file in files if file.is_file())
    return hashlib.sha256(stamps.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _columns(name: str, dataset: Any) -> tuple[str, str, str]:
    """The columns of the picture, the domain and the class."""
    features, images, named = dataset.features, list[str](), list[str]()
    for key, kind in features.items():
        pair = isinstance(kind, dict) and kind.keys() == {"bytes", "path"}
        of = getattr(kind, "dtype", "")
        if isinstance(kind, _datasets().Image) or of in _BYTES or pair:
            images.append(key)
        if isinstance(kind, _datasets().ClassLabel) or of in _TEXTS:
            named.append(key)
    image = "image" if "image" in images else images[0] if len(images) == 1 else None
    domain, label = (next((x for x in usual if x in named), None) for usual in (DOMAIN, LABEL))
    if image is not None and domain is not None and label is not None:
        return image, domain, label
    lacking = [
        what
        for what, found in (
            ("a column of pictures, the only one or called image", image),
            (f"a domain as class labels or texts, called {' or '.join(DOMAIN)}", domain),
            (f"a class as class labels or texts, called {' or '.join(LABEL)}", label),
        )
        if found is None
    ]
    kinds = {key: getattr(kind, "dtype", "") or type(kind) for key, kind in features.items()}
    held = [f"{key} ({getattr(kind, '__name__', kind)})" for key, kind in kinds.items()]
    numbers = [key for key in features if key in DOMAIN + LABEL and key not in named]
    words = f"; for {', '.join(numbers)} with datasets.ClassLabel(names=[…])" if numbers else ""
    raise PictureError(
        f"{name} lacks {'; '.join(lacking)}. It has {', '.join(held)}. Rename or cast the columns "
        f"with datasets{words}, save_to_disk, and pass that folder"
    )


def _names(
    name: str, column: str, feature: Any, values: list[Any], skip_bad: bool
) -> list[str | None]:
    """The name in each row; an error for rows that have none, or None with ``skip_bad``."""
    known = getattr(feature, "names", None)
    if known is None:
        names = [text if text and text.strip() else None for text in values]
    else:
        names = [None if x is None or not 0 <= x < len(known) else known[x] for x in values]
    wrong = [f"row {n} has {values[n]!r}" for n, text in enumerate(names) if text is None]
    if wrong and skip_bad:
        warn(f"--skip-bad leaves out {len(wrong)} rows of {name} without a {column}: "
             f"{preview(wrong)}")  # fmt: skip
    elif wrong:
        runs = f"; it runs from 0 to {len(known) - 1}" if known is not None else ""
        raise PictureError(
            f"{name}: column {column!r} out of range: {preview(wrong)}{runs}: correct it, or say "
            "--skip-bad to leave such rows out"
        )
    return names
