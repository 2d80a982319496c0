"""Pictures are decoded once: what was decoded is kept in a file that every later run maps.

In the folder ``ADU_CACHE``, or the platform's folder for caches; ``ADU_CACHE=off`` keeps nothing.
The file's name is a hash of all that its pixels depend on: of every picture its place, size and
time, how pictures are made square, and the version of Pillow. The folder may be removed at any
time, whole or in part.

A file is filled by one process at a time and then put in its place; one that was left half filled
starts over.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import platform
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import filelock
import numpy as np
import PIL
import torch
from torch import Tensor

from adu_core.clips.preprocess import Preprocess
from adu_core.data.decoding import Decoded, decode_all, into_memory, refuse_bad
from adu_core.data.listing import Item, stamp
from adu_core.data.notice import notice
from adu_core.machine.files import read_json, write_json

#: Raised when ``read_picture`` gives other pixels: files made before are then of no account.
VERSION = 3
#: What may be decoded into memory, in bytes, where no cache can be written.
SMALL = 2 * 10**9
#: So many pictures are copied at a time.
BLOCK = 1024


def cache_folder() -> Path | None:
    """Where decoded pictures are kept; None if they are not."""
    asked = os.environ.get("ADU_CACHE", "")
    if asked.lower() in ("off", "0", "no"):
        return None
    if asked:
        return Path(asked).expanduser()
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
        return into_memory(items, preprocess, skip_bad, progress)
    path = folder / f"{_key(items, preprocess)}.npy"
    try:
        found = _load(path, len(items))
        if found is None:
            folder.mkdir(parents=True, exist_ok=True)
            with _alone(path):
                found = _load(path, len(items))  # another process may just have made it
                if found is None:
                    _fill(path, items, preprocess, progress)
                    found = _load(path, len(items))
        if found is None:
            raise OSError(errno.EIO, "what was written cannot be read back", str(path))
    except OSError as error:
        said = (
            f"the cache of pictures at {folder} cannot be used: {error}. Free some space there, or "
            "name another folder in ADU_CACHE, or say ADU_CACHE=off to keep nothing"
        )
        if size > SMALL:
            raise OSError(f"{said}; {size / 1e9:.1f} GB are too much for memory") from error
        notice(f"{said}. Decoding {size / 1e6:.0f} MB into memory")
        return into_memory(items, preprocess, skip_bad, progress)
    refuse_bad(found.bad, len(items), skip_bad)
    return found


def _key(items: Sequence[Item], preprocess: Preprocess) -> str:
    digest = hashlib.sha256(f"{VERSION}|{PIL.__version__}|{preprocess}".encode())
    for item in items:
        digest.update(b"\n" + os.fsencode(stamp(item)))
    return digest.hexdigest()[:32]


def _load(path: Path, count: int) -> Decoded | None:
    """The pictures, mapped, if all of them are there; beside them is written which are bad."""
    try:
        known = read_json(path.with_suffix(".json"))
        bad = {int(number): str(why) for number, why in known.items()}
        pictures = np.load(path, mmap_mode="c")  # a private copy: the file stays as it is
    except (FileNotFoundError, ValueError, AttributeError, EOFError):
        return None
    whole = len(pictures) + len(bad) == count
    return Decoded(torch.from_numpy(pictures), bad) if whole else None


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    lock = filelock.FileLock(path.with_suffix(".lock"))
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        notice("another process is reading the same pictures: waiting for it")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _fill(path: Path, items: Sequence[Item], preprocess: Preprocess, progress: bool) -> None:
    """Decode into a partial file, without gaps for bad pictures, and put it in its place."""
    partial, closed = path.with_suffix(".part"), path.with_suffix(".closed")
    bad = _decode(partial, items, preprocess, progress)
    if bad:
        _close_gaps(partial, closed, [n for n in range(len(items)) if n not in bad])
        closed.replace(partial)
    write_json(path.with_suffix(".json"), bad)
    partial.replace(path)


def _decode(
    path: Path, items: Sequence[Item], preprocess: Preprocess, progress: bool
) -> dict[int, str]:
    pictures = _array(path, (len(items), 3, preprocess.size, preprocess.size))

    def keep(number: int, picture: Tensor) -> None:
        pictures[number] = picture.numpy()

    return decode_all(items, range(len(items)), preprocess, keep, progress)


def _close_gaps(path: Path, closed: Path, good: Sequence[int]) -> None:
    pictures = np.load(path, mmap_mode="r")
    fewer = _array(closed, (len(good), *pictures.shape[1:]))
    for start in range(0, len(good), BLOCK):
        fewer[start : start + BLOCK] = pictures[good[start : start + BLOCK]]


def _array(path: Path, shape: tuple[int, ...]) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """A new file for an array, mapped; an ``OSError`` if the disk has no room for it."""
    needed, free = int(np.prod(shape)), shutil.disk_usage(path.parent).free
    if needed > free:
        reason = f"{needed / 1e9:.2f} GB are needed and {free / 1e9:.2f} GB are free"
        raise OSError(errno.ENOSPC, reason)
    pictures = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)
    if hasattr(os, "posix_fallocate"):  # a mapped page that finds no room would end the process
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    return pictures
