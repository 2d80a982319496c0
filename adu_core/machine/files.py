"""Reading and writing files: never half written, and never a pickle."""

from __future__ import annotations

import contextlib
import json
import math
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from adu_core.settings import in_words

T = TypeVar("T")


@contextlib.contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """A temporary file beside ``path`` that takes its place if the block ends well.

    Whatever happens, ``path`` is either the old file or the whole new one. A disk that is full, or
    a folder that may not be written to, is an ``OSError`` that names ``path``.
    """
    path = Path(path)
    partial = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(path.suffix, f".{path.stem}.", path.parent)
        os.close(handle)
        partial = Path(name)
        yield partial
        partial.chmod(0o644)
        partial.replace(path)
    except (OSError, SafetensorError) as error:
        why = getattr(error, "strerror", None) or error
        raise OSError(
            f"{path} cannot be written ({why}): make room there or name another place"
        ) from None
    finally:
        if partial is not None:
            partial.unlink(missing_ok=True)


def write_json(path: str | Path, value: Any) -> None:
    """Write ``value`` as indented JSON; a number that is not finite becomes null."""
    write_text(path, json.dumps(plain(value), indent=2, allow_nan=False) + "\n")


def write_text(path: str | Path, text: str) -> None:
    """Write ``text`` as UTF-8, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def plain(value: Any) -> Any:
    """A value as it comes back from JSON: tuples are lists, NaN and infinity null."""
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def read_json(path: str | Path) -> Any:
    """What a JSON file holds; an error names the file.

    Raises ``FileNotFoundError`` if it is missing, ``ValueError`` if it is no JSON, which has
    neither NaN nor Infinity.
    """
    try:
        text = Path(path).read_bytes()
    except FileNotFoundError:
        raise FileNotFoundError(f"{path} is missing") from None
    except OSError as error:
        raise ValueError(f"{path} is not readable as JSON ({error})") from None
    return parse_json(text, path)


def parse_json(text: bytes, where: object) -> Any:
    """What JSON in any Unicode says, or a ``ValueError`` that names the place."""
    try:
        return json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{where} is not readable as JSON ({error})") from None


def checked(kind: TypeAdapter[T], value: Any, where: object) -> T:
    """The value, if it is of this kind; else a ``ValueError`` that names the place."""
    try:
        return kind.validate_python(value)
    except ValidationError as error:
        raise ValueError(f"{where}: {in_words(error)}") from None


def _no_number(word: str) -> None:
    raise ValueError(f"{word} is no number of JSON")


def write_tensors(
    path: str | Path, tensors: Mapping[str, Tensor], about: Mapping[str, Any] | None = None
) -> None:
    """Write tensors, and JSON ``about`` them, as one safetensors file."""
    with replacing(path) as temporary:
        save_file(
            {key: value.detach().cpu().contiguous() for key, value in tensors.items()},
            temporary,
            metadata={"about": json.dumps(about or {})},
        )


def read_tensors(path: str | Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors of a safetensors file, on the CPU, and the JSON about them.

    Raises ``FileNotFoundError`` or ``ValueError`` naming the file, also for a number that is not
    finite, which would spoil every answer.
    """
    with _opened(path) as file:
        about = json.loads((file.metadata() or {}).get("about", "{}"))
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    if not isinstance(about, dict):
        raise ValueError(
            f"{path} was not written by this package: what it says of itself is no object"
        )
    for key, value in tensors.items():
        if not value.isfinite().all():
            raise ValueError(f"{path}: {key} holds a number that is not finite: make the file anew")
    return tensors, about


def read_layout(path: str | Path) -> dict[str, tuple[str, tuple[int, ...]]]:
    """The kind of number and the shape of each tensor of a safetensors file; reads no tensor.

    Raises what ``read_tensors`` does, but knows nothing of the numbers.
    """
    with _opened(path) as file:
        parts = {key: file.get_slice(key) for key in file.keys()}  # noqa: SIM118
        return {key: (part.get_dtype(), tuple(part.get_shape())) for key, part in parts.items()}


@contextlib.contextmanager
def _opened(path: str | Path) -> Iterator[Any]:
    """A safetensors file to read from; errors name it, and say what it is if it is none."""
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path} is missing")
    if not path.is_file():
        what = "folder: name a file in it" if path.is_dir() else "device or pipe: name a file"
        raise ValueError(f"{path} is a {what}")
    try:
        with safe_open(path, framework="pt") as file:
            yield file
    except PermissionError:
        raise ValueError(f"{path} may not be read: change its permissions") from None
    except (SafetensorError, OSError, ValueError, RecursionError, AttributeError) as error:
        what = _looks(path) or f"({error})"
        raise ValueError(f"{path} is not a whole safetensors file {what}") from None


#: What files begin with that are sometimes taken for weights, and what to do with them.
_OTHERS = {
    (b"version https://git-lfs",): "a pointer to one: `git lfs pull` fetches it",
    (b"PK\x03\x04", b"\x80"): "a pickle, which can run code when it is read: convert it where you "
    "trust it (safetensors.torch.save_file(state_dict, PATH))",
    (b"<",): "a web page: download the file itself, not the page that shows it",
    (b"\x89HDF",): "HDF5, as Keras writes it: convert it to safetensors",
    (b"GGUF",): "GGUF, as llama.cpp reads it: take the model's safetensors",
    (b"\x93NUMPY",): "an array of numpy: convert it to safetensors",
    (b"\x1f\x8b",): "packed by gzip: unpack it",
}


def _looks(path: Path) -> str:
    """What a file is that is no whole safetensors file; "" if that cannot be seen."""
    with path.open("rb") as file:
        start = file.read(200)
    again = "fetch or copy it again"
    if not start.strip(b"\0"):
        return f"but {'holds zeros alone' if start else 'empty'}: {again}"
    if start[7:9] == b"\0{":  # eight bytes tell how long the JSON is that comes next
        return f"but one that is cut off or damaged: {again}"
    for first, what in _OTHERS.items():
        if start.lstrip(b"\xef\xbb\xbf \r\n").startswith(first):
            return f"but {what}"
    text = " ".join(start[:60].decode("utf-8", "replace").split())
    return f"but the text {text!r}" if text.isprintable() and "\ufffd" not in text else ""
