"""Pictures are decoded once: what was decoded is kept in a file that every later run maps.

In the folder ``ADU_CACHE``, or the platform's folder for caches; ``ADU_CACHE=off`` keeps nothing.
The file's name is a hash of all that its pixels depend on: of every picture its place, size and
time, how pictures are made square, and the version of Pillow. The folder may be removed at any
time, whole or in part.

A file is filled by one process at a time. Each picture's checksum is noted behind it, so whatever
stops the work, a later run goes on where it stopped; what is not whole is never taken for whole.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import platform
import shutil
import sys
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Lock
from typing import Any, BinaryIO

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
VERSION = 2
#: What may be decoded into memory, in bytes, where no cache can be written.
SMALL = 2 * 10**9
#: So many pictures of a finished file are compared with their checksums when it is opened.
PROBES = 32


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
    entry = _Entry(folder, items, preprocess)
    try:
        return entry.load(skip_bad) or entry.fill(skip_bad, progress)
    except OSError as error:
        said = (
            f"the cache of pictures at {folder} cannot be used: {error}. Free some space there, or "
            "name another folder in ADU_CACHE, or say ADU_CACHE=off to keep nothing"
        )
        if size > SMALL:
            raise OSError(f"{said}; {size / 1e9:.1f} GB are too much for memory") from error
        notice(f"{said}. Decoding {size / 1e6:.0f} MB into memory")
        return into_memory(items, preprocess, skip_bad, progress)


class _Entry:
    """One file of decoded pictures: what it is called, whether it is whole, how it is made."""

    def __init__(self, folder: Path, items: Sequence[Item], preprocess: Preprocess) -> None:
        digest = hashlib.sha256(f"{VERSION}|{PIL.__version__}|{preprocess}".encode())
        for item in items:
            digest.update(b"\n" + os.fsencode(stamp(item)))
        self.items, self.preprocess = items, preprocess
        self.shape = (3, preprocess.size, preprocess.size)
        self.row = 3 * preprocess.size**2
        key = digest.hexdigest()[:32]
        self.data, self.about, self.partial, self.sums, self.lock = (
            folder / f"{key}.{suffix}" for suffix in ("u8", "json", "part", "sums", "lock")
        )

    def load(self, skip_bad: bool) -> Decoded | None:
        """The pictures, mapped, if all of them are there."""
        if not (self.about.is_file() and self.data.is_file() and self.sums.is_file()):
            return None
        try:
            about = read_json(self.about)
            bad = {int(number): str(why) for number, why in about["bad"].items()}
            count = len(self.items) - len(bad)
            sums = np.fromfile(self.sums, np.int64)
        except (ValueError, TypeError, KeyError, AttributeError):
            return None
        size = count * self.row
        if self.data.stat().st_size != size or len(sums) != count:
            return None
        refuse_bad(bad, len(self.items), skip_bad)
        if count == 0:
            return Decoded(torch.empty((0, *self.shape), dtype=torch.uint8), bad)
        mapped = torch.from_file(str(self.data), shared=False, size=size, dtype=torch.uint8)
        pictures = mapped.view(count, *self.shape)
        probes = np.linspace(0, count - 1, min(count, PROBES)).astype(int).tolist()
        if any(_checksum(pictures[i].numpy().data) != sums[i] for i in probes):
            return None
        return Decoded(pictures, bad)

    def fill(self, skip_bad: bool, progress: bool) -> Decoded:
        """Decode what is missing, put the file in its place, and map it."""
        self.data.parent.mkdir(parents=True, exist_ok=True)
        with self._alone():
            found = self.load(skip_bad)  # another process may just have made it
            if found is None:
                bad = self._decode(progress)
                refuse_bad(bad, len(self.items), skip_bad)
                self._finish(bad)
                found = self.load(skip_bad)
        if found is None:
            raise OSError(errno.EIO, "what was written cannot be read back", str(self.data))
        return found

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        lock = filelock.FileLock(self.lock)
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            notice("another process is reading the same pictures: waiting for it")
            lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def _decode(self, progress: bool) -> dict[int, str]:
        """Fill the partial file; the pictures that are bad."""
        count = len(self.items)
        self.about.unlink(missing_ok=True)
        if not self.partial.exists():  # stopped while it was put in its place, or damaged since
            if self.data.exists():
                self.data.replace(self.partial)
            else:
                self.sums.unlink(missing_ok=True)
        for path, size in ((self.partial, count * self.row), (self.sums, count * 8)):
            path.touch()
            if path == self.sums and path.stat().st_size != size:
                os.truncate(path, 0)  # of other pictures: nothing is known to be there
            os.truncate(path, size)
        with self.partial.open("r+b", buffering=0) as data, self.sums.open("r+b", 0) as sums:
            done = np.fromfile(self.sums, np.int64)
            missing = [i for i in range(count) if not self._holds(data, i, int(done[i]))]
            self._refuse_full_disk(len(missing) * self.row)
            writing = Lock()

            def keep(number: int, picture: Tensor) -> None:
                pixels = picture.numpy().data
                check = _checksum(pixels).to_bytes(8, sys.byteorder)
                with writing:  # first the picture, then that it is there
                    _write(data, number * self.row, pixels.cast("B"))
                    _write(sums, number * 8, check)

            return decode_all(self.items, missing, self.preprocess, keep, progress)

    def _holds(self, data: BinaryIO | Any, number: int, check: int) -> bool:
        """Whether the partial file holds the picture whose checksum was noted."""
        if not check:
            return False
        data.seek(number * self.row)
        return _checksum(data.read(self.row)) == check

    def _refuse_full_disk(self, needed: int) -> None:
        free = shutil.disk_usage(self.data.parent).free
        if needed > free:
            reason = f"{needed / 1e9:.2f} GB are needed and {free / 1e9:.2f} GB are free"
            raise OSError(errno.ENOSPC, reason)

    def _finish(self, bad: dict[int, str]) -> None:
        """The partial file, without the bad pictures, becomes the whole one."""
        if bad:
            self._close_gaps(bad)
        with self.partial.open("r+b") as data:
            os.fsync(data.fileno())
        self.partial.replace(self.data)
        write_json(self.about, {"count": len(self.items), "bad": bad})

    def _close_gaps(self, bad: dict[int, str]) -> None:
        """Write the good pictures anew, without gaps."""
        good = [number for number in range(len(self.items)) if number not in bad]
        closed = self.partial.with_suffix(".closed")
        self._refuse_full_disk(len(good) * self.row)
        sums = np.fromfile(self.sums, np.int64)
        with self.partial.open("rb") as old, closed.open("wb") as new:
            for number in good:
                old.seek(number * self.row)
                new.write(old.read(self.row))
        self.sums.unlink()  # stopped from here on, it is made anew
        closed.replace(self.partial)
        sums[good].tofile(self.sums)


def _checksum(pixels: Any) -> int:
    """A number other than 0."""
    return zlib.crc32(pixels) + 1


def _write(file: Any, place: int, what: memoryview | bytes) -> None:
    file.seek(place)
    rest = memoryview(what)
    while rest:
        rest = rest[file.write(rest) :]
