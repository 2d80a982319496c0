"""Datasets of the Hugging Face Hub, and local ones in its formats; by the extra ``hub``.

A dataset is read as it is on this machine. Nothing is downloaded but by ``download``, which the
option ``--download`` asks for. A local dataset is a folder that ``save_to_disk`` wrote, a folder in
a format that ``datasets`` knows, such as imagefolder, or a file of Parquet or Arrow.

Splits called train, validation and test are used as such; a single split of any name is shared out
as a folder is.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from adu_core.data.hub_columns import columns, names_of
from adu_core.data.listing import PART_NAMES, Listing, Part, Pool, Row, refuse_gaps, stamp
from adu_core.data.picture import PictureError

#: How long the hub may take to say what a dataset is, in seconds.
PATIENCE = 5.0


class HubTable:
    """One split of a dataset, its pictures as they were stored."""

    def __init__(self, name: str, stamp: str, dataset: Any, column: str, base: Path) -> None:
        self.name, self.stamp, self.column, self.base = name, stamp, column, base
        self._rows = dataset.select_columns([column])

    def picture(self, number: int) -> bytes | Path:
        """The picture file of a row, or where it is."""
        found = self._rows[number][self.column]
        if found is None or (found["bytes"] is None and found["path"] is None):
            raise PictureError("the row holds no picture")
        if found["bytes"] is not None:
            return bytes(found["bytes"])
        return self.base / str(found["path"])


def read_hub(place: str, *, skip_bad: bool = False, gaps: bool = False) -> Listing:
    """The pictures of a dataset on this machine; none is opened.

    place: a local folder or file, or a name on the hub such as ``flwrlabs/pacs``
    skip_bad: leave out rows that have no class or domain, instead of an error
    gaps:  whether classes may be missing in some domain

    Raises ``ImportError`` without ``datasets``, ``FileNotFoundError`` for a dataset of the hub
    that was not downloaded, with its licence, its size and how to fetch it, and ``PictureError``
    for one without the columns that are needed.
    """
    where = f"hub:{place}"
    parts = _parts(where, _load(place))
    split = len(parts) > 1
    domains: dict[str, dict[Part, Pool]] = {}
    for name, dataset in parts.items():
        _fill(domains, PART_NAMES[name] if split else "all", place, name, dataset, skip_bad)
    for domain, pools in domains.items():
        if split and "train" not in pools:
            raise PictureError(f"{where} has no training pictures of the domain {domain}")
        if split and len(pools) == 1:
            pools["all"] = pools.pop("train")
    listing = Listing(where, domains)
    if not gaps:
        refuse_gaps(listing)
    return listing


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


def _load(place: str) -> Any:
    """The dataset, all its splits; nothing is downloaded."""
    path, datasets = _local(place), _datasets()
    if path is None:
        try:
            with _offline():
                return datasets.load_dataset(place)
        except (OSError, ValueError) as error:
            raise FileNotFoundError(_refusal(place, error)) from None
    shown = datasets.utils.is_progress_bar_enabled()
    datasets.utils.disable_progress_bars()
    try:
        if path.suffix == ".arrow":
            return datasets.Dataset.from_file(str(path))
        if path.is_file():
            if path.suffix != ".parquet":
                raise PictureError(f"{path} is no Parquet or Arrow file: pass one, or a folder")
            return datasets.load_dataset("parquet", data_files=str(path))
        if any((path / name).is_file() for name in ("state.json", "dataset_dict.json")):
            return datasets.load_from_disk(str(path))
        return datasets.load_dataset(str(path))
    except PictureError:
        raise
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


def _refusal(name: str, error: Exception) -> str:
    """What to say of a dataset that was not downloaded: its licence, its size, the command."""
    about = "the hub cannot be reached to say its licence and size"
    with contextlib.suppress(Exception):  # no network, no such dataset, no such field
        hub: Any = import_module("huggingface_hub")  # datasets brings it
        if not hub.constants.HF_HUB_OFFLINE:
            found = hub.HfApi().dataset_info(name, timeout=PATIENCE, files_metadata=True)
            size = sum(file.size or 0 for file in found.siblings or ())
            licence = (found.card_data or {}).get("license") or "not stated"
            about = f"its licence is {licence}, its size {size / 1e9:.2f} GB"
    first = str(error).partition("\n")[0]
    return (
        f"the dataset {name} of the Hugging Face Hub is not on this machine ({first}); {about}. "
        f"To fetch it: adu run --data hub:{name} --download, or in Python "
        f"adu_core.data.hub.download({name!r})"
    )


def _parts(where: str, loaded: Any) -> dict[str, Any]:
    """The splits that are used."""
    if not isinstance(loaded, Mapping):
        return {"all": loaded}
    if len(loaded) == 1:
        return dict(loaded)
    known = {name: split for name, split in loaded.items() if name in PART_NAMES}
    parts = {PART_NAMES[name] for name in known}
    if len(parts) < len(loaded) or "train" not in parts:
        raise PictureError(
            f"{where} has the splits {', '.join(loaded)}: they must be called train, validation "
            "and test, of which train is needed, or be one"
        )
    return known


def _fill(
    domains: dict[str, dict[Part, Pool]],
    part: Part,
    place: str,
    split: str,
    dataset: Any,
    skip_bad: bool,
) -> None:
    """Enter the rows of a split."""
    where, stamps, path = f"hub:{place}", _stamps(place), _local(place) or Path()
    name = where if split == "all" else f"{where}, split {split}"
    image, domain, label = columns(name, dataset)
    rows = dataset.select_columns([domain, label]).with_format(None)[:]
    domain_names = names_of(name, domain, dataset.features[domain], rows[domain], skip_bad)
    class_names = names_of(name, label, dataset.features[label], rows[label], skip_bad)
    base = path if path.is_dir() else path.parent  # where paths that are not whole begin
    raw = dataset.cast_column(image, _datasets().Image(decode=False))
    table = HubTable(name, f"{split}|{stamps or dataset._fingerprint}", raw, image, base)
    for number, (one, other) in enumerate(zip(domain_names, class_names, strict=True)):
        if one is not None and other is not None:
            pool = domains.setdefault(one, {}).setdefault(part, {})
            pool.setdefault(other, []).append(Row(table, number))


def _stamps(place: str) -> str:
    """What changes when a local dataset's files do."""
    path = _local(place)
    if path is None:
        return ""
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    said = "\n".join(stamp(file) for file in files if file.is_file())
    return hashlib.sha256(said.encode("utf-8", "surrogateescape")).hexdigest()[:16]
