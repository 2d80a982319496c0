"""Pictures decoded by as many threads as there are cores; those that cannot be are told."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from adu_core.clips.preprocess import Preprocess
from adu_core.data.listing import Item, opened
from adu_core.data.picture import PictureError, read_picture

#: So many pictures are dealt out to the threads at a time, and so many of them as one task: a task
#: has its price, in the one lock that all threads of Python share.
BLOCK, TASK = 8192, 16


@dataclass(frozen=True)
class Decoded:
    """Pictures (N, 3, S, S) uint8, and why those that are missing among them could not be read.

    bad: number in the list of items → message
    """

    pictures: Tensor
    bad: dict[int, str]


def threads() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def into_memory(
    items: Sequence[Item], preprocess: Preprocess, skip_bad: bool, progress: bool
) -> Decoded:
    """All pictures at once; a ``PictureError`` for those that are bad, unless ``skip_bad``."""
    pictures = torch.empty((len(items), 3, preprocess.size, preprocess.size), dtype=torch.uint8)

    def keep(number: int, picture: Tensor) -> None:
        pictures[number] = picture

    bad = decode_all(items, range(len(items)), preprocess, keep, progress)
    refuse_bad(bad, len(items), skip_bad)
    if bad:
        pictures = pictures[[number for number in range(len(items)) if number not in bad]]
    return Decoded(pictures, bad)


def decode_all(
    items: Sequence[Item],
    numbers: Sequence[int],
    preprocess: Preprocess,
    keep: Callable[[int, Tensor], None],
    progress: bool,
) -> dict[int, str]:
    """Decode the pictures with these numbers, in threads; which are bad, and why."""

    def read(some: Sequence[int]) -> dict[int, str]:
        wrong = {}
        for number in some:
            try:
                keep(number, read_item(items[number], preprocess))
            except PictureError as error:
                wrong[number] = str(error)
        return wrong

    bad: dict[int, str] = {}
    with (
        ThreadPoolExecutor(threads()) as pool,
        tqdm(
            total=len(items),
            initial=len(items) - len(numbers),
            desc="reading pictures",
            disable=not progress,
        ) as bar,
    ):
        try:
            for start in range(0, len(numbers), BLOCK):
                block = numbers[start : start + BLOCK]
                tasks = [block[i : i + TASK] for i in range(0, len(block), TASK)]
                for task, wrong in zip(tasks, pool.map(read, tasks), strict=True):
                    bar.update(len(task))
                    bad |= wrong
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return bad


def read_item(item: Item, preprocess: Preprocess) -> Tensor:
    """One picture, (3, S, S) uint8; a ``PictureError`` names it."""
    try:
        file: Any = opened(item)
    except Exception as error:  # whatever a table's format raises
        raise PictureError(f"cannot read the picture {item}: {error}") from error
    return read_picture(file, preprocess, item)


def refuse_bad(bad: dict[int, str], count: int, skip_bad: bool) -> None:
    """Raise a ``PictureError`` that names the first ten of what is bad, but to skip it."""
    if bad and not skip_bad:
        messages = list(bad.values())
        listed = "; ".join(messages[:10] + ["…"] * (len(bad) > 10))
        raise PictureError(
            f"{listed}: replace or remove the damaged files, {len(bad)} of {count}, or say "
            "--skip-bad"
        )
