"""Decodes pictures once, with all cores, into a file that every later run maps into memory.

The file is in the folder ``ADU_CACHE``, or in the platform's folder for caches; ``ADU_CACHE=off``
keeps nothing. Its name is a hash of all that its pixels depend on: path, size and time of every
picture, the preprocessing, and the version of Pillow. Files may be deleted at any time.

A file is filled by one process at a time and then moved to its place; one that was left half filled
is started over.
"""

from __future__ import annotations

import errno
import hashlib
import os
import platform
import shutil
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filelock
import numpy as np
import PIL
import torch
from torch import Tensor
from tqdm import tqdm

from adu_core.clips.preprocess import Preprocess
from adu_core.data.listing import Item, opened, stamp
from adu_core.data.messages import preview, warn
from adu_core.data.picture import PictureError, read_picture
from adu_core.machine.files import read_json, write_json

#: Raised when ``read_picture`` gives other pixels: files made before are then of no account.
VERSION = 3
#: What may be decoded into memory, in bytes, where no cache can be written.
SMALL = 2 * 10**9
#: So many pictures are one task of a thread, and so many tasks of each thread wait for it.
TASK, AHEAD = 16, 4


@dataclass(frozen=True)
class Decoded:
    """The pictures (N, 3, S, S) uint8 that can be read, in order, and why the others cannot.

    bad: number in the list of items → message
    """

    pictures: Tensor
    bad: dict[int, str]


def cache_folder() -> Path | None:
    """Where decoded pictures are kept; None if they are not."""
    chosen = os.environ.get("ADU_CACHE", "")
    if chosen.lower() in ("off", "0", "no"):
        return None
    if chosen:
        return Path(chosen).expanduser()
    if platform.system() == "Darwin":
        return Path.home() / "Library" / "Caches" / "adu"
    if platform.system() == "Windows":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local")) / "adu"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "adu"


def decode(
    items: Sequence[Item], preprocess: Preprocess, *, skip_bad: bool = False, progress: bool = False
) -> Decoded:
    """The pictures of ``items`` in their order, from the cache or by way of it.

    Raises ``PictureError`` naming those that cannot be read, unless ``skip_bad``; they are left
    out then. Where the cache cannot be written, less than ``SMALL`` is decoded into memory, and
    more is an ``OSError``.
    """
    folder, size = cache_folder(), len(items) * 3 * preprocess.size**2
    if folder is None or not items:
        found = _into_memory(items, preprocess, progress)
    else:
        try:
            found = _from_file(folder, items, preprocess, progress)
        except OSError as error:
            text = (
                f"the cache of pictures at {folder} cannot be used: {error}. Free some space "
                "there, or name another folder in ADU_CACHE, or say ADU_CACHE=off to keep nothing"
            )
            if size > SMALL:
                raise OSError(f"{text}; {size / 1e9:.1f} GB are too much for memory") from error
            warn(f"{text}. Decoding {size / 1e6:.0f} MB into memory")
            found = _into_memory(items, preprocess, progress)
    if found.bad and not skip_bad:
        raise PictureError(
            f"{preview(found.bad.values())}: replace or remove the damaged files, "
            f"{len(found.bad)} of {len(items)}, or say --skip-bad"
        )
    return found


def decode_each(items: Sequence[Item], preprocess: Preprocess) -> Iterator[Tensor | PictureError]:
    """Each picture in order, (3, S, S) uint8, or the error that names it; by all cores."""

    def read(task: Sequence[Item]) -> list[Tensor | PictureError]:
        return [_read(item, preprocess) for item in task]

    waiting: deque[Future[list[Tensor | PictureError]]] = deque()
    with ThreadPoolExecutor(cores()) as pool:
        try:
            for start in range(0, len(items), TASK):
                waiting.append(pool.submit(read, items[start : start + TASK]))
                if len(waiting) > AHEAD * cores():
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def cores() -> int:
    """How many this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _read(item: Item, preprocess: Preprocess) -> Tensor | PictureError:
    try:
        return read_picture(opened(item), preprocess, item)
    except PictureError as error:
        return error
    except Exception as error:  # whatever a table's format raises
        return PictureError(f"cannot read the picture {item}: {error}")


def _good(
    items: Sequence[Item], preprocess: Preprocess, bad: dict[int, str], progress: bool
) -> Iterator[Tensor]:
    """The pictures that can be read; why the others cannot is entered in ``bad``."""
    pictures = decode_each(items, preprocess)
    bar = tqdm(pictures, "reading pictures", len(items), disable=not progress)
    for number, picture in enumerate(bar):
        if isinstance(picture, PictureError):
            bad[number] = str(picture)
        else:
            yield picture


def _into_memory(items: Sequence[Item], preprocess: Preprocess, progress: bool) -> Decoded:
    bad: dict[int, str] = {}
    pictures = torch.empty(_shape(len(items), preprocess), dtype=torch.uint8)
    for picture, place in zip(_good(items, preprocess, bad, progress), pictures, strict=False):
        place.copy_(picture)
    return Decoded(pictures[: len(items) - len(bad)], bad)


def _from_file(
    folder: Path, items: Sequence[Item], preprocess: Preprocess, progress: bool
) -> Decoded:
    """The pictures mapped from their file, which is made if it is not there."""
    path = folder / f"{_key(items, preprocess)}.npy"
    if found := _load(path, len(items)):
        return found
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(path):
        if not _load(path, len(items)):  # another process may just have made it
            _fill(path, items, preprocess, progress)
    found = _load(path, len(items))
    if found is None:
        raise OSError(errno.EIO, "what was written cannot be read back", str(path))
    return found


def _load(path: Path, count: int) -> Decoded | None:
    """The pictures, if all of them are there; which are bad is written beside them."""
    try:
        known = read_json(path.with_suffix(".json"))
        bad = {int(number): str(why) for number, why in known.items()}
        pictures = np.load(path, mmap_mode="c")  # a private copy: the file stays as it is
    except (FileNotFoundError, ValueError, AttributeError, EOFError):
        return None
    whole = len(pictures) + len(bad) == count
    return Decoded(torch.from_numpy(pictures), bad) if whole else None


def _fill(path: Path, items: Sequence[Item], preprocess: Preprocess, progress: bool) -> None:
    """Write the good pictures to a partial file, and put it in its place."""
    partial, shape = path.with_suffix(".part"), _shape(len(items), preprocess)
    bad: dict[int, str] = {}
    needed, free = int(np.prod(shape)), shutil.disk_usage(path.parent).free
    if needed > free:
        reason = f"{needed / 1e9:.2f} GB are needed and {free / 1e9:.2f} GB are free"
        raise OSError(errno.ENOSPC, reason)
    try:
        with partial.open("wb") as file:
            _write_header(file, shape)
            for picture in _good(items, preprocess, bad, progress):
                file.write(picture.numpy().data)
            file.seek(0)
            _write_header(file, (len(items) - len(bad), *shape[1:]))  # of the same length
        write_json(path.with_suffix(".json"), bad)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _shape(count: int, preprocess: Preprocess) -> tuple[int, ...]:
    return count, 3, preprocess.size, preprocess.size


def _write_header(file: Any, shape: tuple[int, ...]) -> None:
    about = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, about)


def _key(items: Sequence[Item], preprocess: Preprocess) -> str:
    digest = hashlib.sha256(f"{VERSION}|{PIL.__version__}|{preprocess}".encode())
    for item in items:
        digest.update(b"\n" + os.fsencode(stamp(item)))
    return digest.hexdigest()[:32]


def _alone(path: Path) -> AbstractContextManager[object]:
    lock = filelock.FileLock(path.with_suffix(".lock"))
    try:
        return lock.acquire(timeout=0)
    except filelock.Timeout:
        warn("another process is reading the same pictures: waiting for it")
        return lock.acquire()
