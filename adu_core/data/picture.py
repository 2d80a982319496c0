"""One picture file → one tensor, for all colours, depths, orientations and formats."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from threading import Lock
from typing import BinaryIO

from PIL import Image, ImageOps, UnidentifiedImageError, features
from torch import Tensor

from adu_core.clips.preprocess import Preprocess, preprocessing
from adu_core.data.colours import rgb

#: What Pillow opens and nobody classifies: icons, films, drawings that need another program, and
#: formats of science whose pixels it cannot read.
_NOT_PICTURES = frozenset({
    "BUFR", "CUR", "EPS", "FLI", "GRIB", "HDF5", "ICNS", "ICO", "IPTC", "MPEG", "PDF", "WMF",
})  # fmt: skip
#: Suffixes of pictures that Pillow reads only with help, or not at all.
_FOREIGN = frozenset({
    ".arw", ".avif", ".cr2", ".cr3", ".dcm", ".dng", ".exr", ".hdr", ".heic", ".heif",
    ".hif", ".jp2", ".j2k", ".jxl", ".mat", ".nef", ".npy", ".npz", ".nrrd", ".nii", ".orf", ".raf",
    ".rw2", ".svg", ".webp",
})  # fmt: skip

#: A picture of more pixels, decoded 270 MB, is decoded at a half or less where its format can, and
#: where not, alone. It is where Pillow begins to warn of pictures made to fill a memory.
LARGE = 89_478_485
#: More are refused: of a JPEG, which need not be decoded whole, and of any other format.
MOST_JPEG, MOST_PIXELS = 1_000_000_000, 268_435_456

_alone, _counting = Lock(), Lock()
_readers: list[int | None] = []  # of each picture being read, the limit that Pillow had before


class PictureError(ValueError):
    """Pictures cannot be used: the message names the path and says what to do."""


@cache
def picture_suffixes() -> frozenset[str]:
    """Of files that Pillow, as it is installed here, can read as pictures, in small letters."""
    known = Image.registered_extensions()
    lacking = _NOT_PICTURES if features.check("jpg_2000") else _NOT_PICTURES | {"JPEG2000"}
    return frozenset(
        suffix for suffix, kind in known.items() if kind in Image.OPEN and kind not in lacking
    )


def left_out(others: Counter[str]) -> str:
    """What to say of files that are no pictures by their suffixes."""
    counts = ", ".join(f"{suffix or 'no suffix'} {n}" for suffix, n in others.most_common())
    foreign = sorted(_FOREIGN & others.keys())
    remedy = f" (Pillow cannot read {', '.join(foreign)}: convert them to .png)" if foreign else ""
    return f"{others.total()} files left out, no pictures by their suffix: {counts}{remedy}"


def read_picture(
    path: str | Path | BinaryIO, size: int | Preprocess, name: object = None
) -> Tensor:
    """The picture at ``path``, or in an open file, upright, scaled and cut as ``size`` says.

    ``size`` is a CLIP's own ``preprocess``; a number scales the shorter side to so many pixels,
    bicubic and antialiased, and cuts out the middle square. Transparency is laid over white,
    other depths are brought to 8 bits (see ``adu_core.data.colours``), and of an animation or of
    several pages the first is taken; the rest is open_clip's own preprocessing. A JPEG of at most
    ``LARGE`` pixels is decoded whole: decoding it at 1/2 or 1/4, which is three to seven times as
    fast, moves pixels by up to 40 grey levels.

    ``name`` is what an error calls it, if not by its path.

    Returns:
        (3, size, size) uint8, red, green and blue in 0 to 255.

    Raises:
        PictureError: the file is missing, damaged, too large or no picture.
    """
    preprocess = preprocessing(size)
    try:
        with _own_limit(), Image.open(path) as opened:
            count = opened.width * opened.height
            most = MOST_JPEG if opened.format in ("JPEG", "MPO") else MOST_PIXELS
            if count > most:
                raise PictureError(
                    f"it has {opened.width} × {opened.height} pixels, more than {most:,}: "
                    "scale it down"
                )
            if count <= LARGE:
                return preprocess(rgb(_upright(opened)))
            with _alone:
                return preprocess(rgb(_upright(_less(opened, count))))
    except Exception as error:  # on damaged bytes decoders raise whatever they like
        reason = str(error) or type(error).__name__
        if isinstance(error, UnidentifiedImageError):
            reason = f"{_looks_like(path)}: replace it by a JPEG or PNG"
        elif isinstance(error, FileNotFoundError):
            reason = "there is no such file"
        raise PictureError(f"cannot read the picture {name or path}: {reason}") from error


@contextlib.contextmanager
def _own_limit() -> Iterator[None]:
    """Pillow's limit, which holds for a whole process, lifted while ours is kept."""
    with _counting:
        _readers.append(_readers[-1] if _readers else Image.MAX_IMAGE_PIXELS)
        Image.MAX_IMAGE_PIXELS = None
    try:
        yield
    finally:
        with _counting:
            before = _readers.pop()
            if not _readers:
                Image.MAX_IMAGE_PIXELS = before


def _less(opened: Image.Image, count: int) -> Image.Image:
    """A picture of many pixels at a half, a quarter or an eighth of its sides."""
    part = next(part for part in (2, 4, 8) if count <= LARGE * part**2)
    opened.draft(None, (opened.width // part, opened.height // part))  # a JPEG decodes no more
    whole = opened.width * opened.height == count
    if whole and opened.mode in ("L", "RGB", "RGBA", "CMYK"):
        return Image.Image.reduce(opened, part)  # a JPEG 2000 calls something else ``reduce``
    return opened


def _upright(opened: Image.Image) -> Image.Image:
    """As its camera was held; a picture whose EXIF is damaged stays as it is."""
    opened.load()  # which turns a TIFF
    with contextlib.suppress(Exception):
        ImageOps.exif_transpose(opened, in_place=True)
    return opened


def _looks_like(path: str | Path | BinaryIO) -> str:
    """What a file is that is no picture which Pillow knows."""
    if isinstance(path, str | Path):
        with Path(path).open("rb") as file:
            head = file.read(64)
    else:
        path.seek(0)
        head = path.read(64)
    for kind, start in (
        ("the file is empty", head == b""),
        ("it is HEIC, or a film, whatever its suffix", head[4:8] == b"ftyp"),
        ("it is a pointer of git-lfs, get the file by `git lfs pull`", head[:11] == b"version htt"),
        ("it is a web page or an SVG", head.lstrip()[:1] == b"<"),
    ):
        if start:
            return kind
    return "it is no picture that Pillow can identify"
