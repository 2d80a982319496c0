"""Crops and flips: what a picture that knows its own coordinates says about where it was cut."""

import pytest
import torch
from torch import Tensor

from adu_core.loop import random_crop_and_flip

SIZE = 16


def coordinates(count: int) -> Tensor:
    """Pictures (count, 3, S, S) whose channels are the column, the row and the picture's number."""
    row, column = torch.meshgrid(torch.arange(SIZE), torch.arange(SIZE), indexing="ij")
    one = torch.stack([column, row, torch.zeros(SIZE, SIZE)]).float()
    pictures = one.repeat(count, 1, 1, 1)
    pictures[:, 2] = torch.arange(count)[:, None, None]
    return pictures


def cut(count: int, seed: int = 0, **settings: object) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return random_crop_and_flip(coordinates(count), generator, **settings)  # type: ignore[arg-type]


def sides(found: Tensor) -> tuple[Tensor, Tensor]:
    """Width and height of each crop as parts of the picture's, the width negative if mirrored."""
    middle = SIZE // 2
    across = found[:, 0, middle, middle] - found[:, 0, middle, middle - 1]
    down = found[:, 1, middle, middle] - found[:, 1, middle - 1, middle]
    return across, down


def centres(found: Tensor) -> Tensor:
    """(count, 2) column and row that each crop is centred on, in pixels."""
    middle = SIZE // 2
    return found[:, :2, middle - 1 : middle + 1, middle - 1 : middle + 1].mean((2, 3))


def test_the_whole_picture_unmirrored_is_the_picture() -> None:
    assert torch.allclose(cut(5, crop=1.0, flip=False), coordinates(5), atol=1e-4)


def test_crops_are_squares_of_every_size_in_the_range() -> None:
    across, down = sides(cut(500, crop=0.4, flip=False))
    assert torch.allclose(across, down, atol=1e-4)
    assert 0.4 - 1e-4 <= across.min() < 0.42
    assert 0.98 < across.max() <= 1 + 1e-4
    assert across.mean().item() == pytest.approx(0.7, abs=0.03)  # drawn evenly


def test_crops_lie_everywhere_within_the_picture() -> None:
    found = cut(2000, crop=0.5, flip=False)
    half = sides(found)[0] * SIZE / 2
    centre = centres(found) + 0.5  # pixel i is centred at i + 0.5
    assert (centre - half[:, None] > -1e-3).all()
    assert (centre + half[:, None] < SIZE + 1e-3).all()
    room = (SIZE - 2 * half)[:, None]
    place = ((centre - half[:, None]) / room)[room[:, 0] > 1]  # 0 to 1, left to right
    assert place.min() < 0.02
    assert place.max() > 0.98
    assert place.mean(0).tolist() == pytest.approx([0.5, 0.5], abs=0.03)
    assert abs(torch.corrcoef(place.T)[0, 1]) < 0.1  # column and row are drawn apart


def test_every_second_picture_is_mirrored_left_to_right() -> None:
    across, down = sides(cut(1000, crop=0.7, flip=True))
    assert 0.45 < (across < 0).float().mean() < 0.55
    assert (down > 0).all()
    assert (sides(cut(1000, crop=0.7, flip=False))[0] > 0).all()
    mirrored = cut(20, crop=1.0, flip=True)
    backward = sides(mirrored)[0] < 0
    assert torch.allclose(mirrored[backward], coordinates(20)[backward].flip(-1), atol=1e-4)


def test_every_picture_is_cut_by_itself() -> None:
    found = cut(50, crop=0.5, flip=True)
    assert torch.allclose(
        found[:, 2], coordinates(50)[:, 2], atol=1e-4
    )  # none took another's place
    assert len({(round(float(x), 3), round(float(y), 3)) for x, y in centres(found)}) > 45
    # What a picture becomes does not depend on what the others show.
    pictures, generator = coordinates(50), torch.Generator().manual_seed(0)
    pictures[1:] = 0
    alone = random_crop_and_flip(pictures, generator, crop=0.5, flip=True)[0]
    assert torch.equal(alone, found[0])


def test_the_same_generator_cuts_the_same_and_moves_on() -> None:
    assert torch.equal(cut(8, seed=3, crop=0.5, flip=True), cut(8, seed=3, crop=0.5, flip=True))
    assert not torch.equal(cut(8, seed=3, crop=0.5, flip=True), cut(8, seed=4, crop=0.5, flip=True))
    generator = torch.Generator().manual_seed(3)
    first, second = (
        random_crop_and_flip(coordinates(8), generator, crop=0.5, flip=True) for _ in range(2)
    )
    assert not torch.equal(first, second)
    # Settings do not change what is drawn next.
    after = []
    for settings in ({"crop": 0.5, "flip": True}, {"crop": 1.0, "flip": False}):
        generator = torch.Generator().manual_seed(3)
        random_crop_and_flip(coordinates(8), generator, **settings)  # type: ignore[arg-type]
        after.append(torch.rand(1, generator=generator))
    assert torch.equal(*after)
