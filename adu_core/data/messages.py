"""Warnings about reading pictures: on stderr, each of them once."""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterable

from tqdm import tqdm


@functools.lru_cache(maxsize=1024)
def warn(text: str) -> None:
    """Print ``text`` on stderr, beside a progress bar if there is one; once in a process."""
    tqdm.write(text, file=sys.stderr)


def preview(things: Iterable[str], most: int = 10) -> str:
    """The first few of many things, in one line."""
    listed = list(things)
    return "; ".join(listed[:most] + ["…"] * (len(listed) > most))
