"""The shutter: pixel statistics tell the domain, and what is stopped never enters CLIP."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from adu_core import FrozenCLIP, Splits, world
from adu_core.audit.disguises import recoloured
from adu_core.audit.recovery import places
from adu_core.rivals.pixels import (
    CONTRASTS,
    TONES,
    changed_colours,
    differences,
    pixel_statistics,
    quantiles,
    scales,
    slopes,
)
from adu_core.rivals.shutter import ShutPictures, Shutter
from adu_core.task import Target, Task

FORGET = Target(("sketch",))
CLASSES = ("car", "house", "tree", "fish")


@pytest.fixture(scope="module")
def shutter(mini: FrozenCLIP) -> ShutPictures:
    shots = world("train", 4, seed=50, classes=CLASSES)
    return Shutter().fit(Task(mini, shots, FORGET), 50)


# What pixels say.


def test_statistics_of_pictures_known_by_hand() -> None:
    plain = torch.full((1, 3, 24, 24), 0.5)
    found = pixel_statistics(plain)[0]
    assert len(found) == 18 + 13 * 2, "24 and 12 places a side"
    assert found[:8].tolist() == [0.5, 0.5, 0.5, 0, 0, 0, 0, 0], "colours, no spread, no saturation"
    assert found[8:13].tolist() == [0.5] * len(TONES)
    of_scale = found[18:31]
    assert of_scale[:12].tolist() == [0] * 12, "nothing is steep"
    assert of_scale[12] == 1, "and every place is flat"


def test_a_ramp_is_as_steep_as_it_is() -> None:
    ramp = torch.arange(8.0).expand(1, 8, 8) / 100
    torch.testing.assert_close(slopes(ramp), torch.full((1, 49), 0.01))
    inside = differences(ramp).view(8, 8)[1:-1, 1:-1]
    torch.testing.assert_close(inside, torch.zeros(6, 6), atol=1e-6, rtol=0)
    values = torch.tensor([[3.0, 1.0, 0.0, 2.0, 4.0]])
    assert quantiles(values, (0.0, 0.5, 0.75, 1.0)).tolist() == [[0, 2, 3, 4]]


def test_scales_halve_down_to_the_coarsest() -> None:
    assert [scale.shape[-1] for scale in scales(torch.zeros(1, 60, 60))] == [60, 30, 15]
    assert [scale.shape[-1] for scale in scales(torch.zeros(1, 224, 224))] == [224, 112, 56, 28, 14]
    assert [scale.shape[-1] for scale in scales(torch.zeros(1, 10, 10))] == [10]
    assert pixel_statistics(torch.rand(2, 3, 10, 10)).shape == (2, 18 + 8 + len(CONTRASTS))


def test_a_picture_has_the_same_statistics_in_any_company() -> None:
    pictures = torch.rand(5, 3, 20, 20, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(pixel_statistics(pictures)[2:3], pixel_statistics(pictures[2:3]))
    assert torch.isfinite(pixel_statistics(torch.zeros(1, 3, 20, 20))).all()


def test_other_colours_stay_in_range_and_are_the_seeds() -> None:
    pixels = torch.rand(40, 3, 12, 12, generator=torch.Generator().manual_seed(0))
    others = torch.rand(3, 3, 12, 12, generator=torch.Generator().manual_seed(1)) * 0.2

    def changed(seed: int) -> Tensor:
        return changed_colours(pixels, others, torch.Generator().manual_seed(seed))

    found = changed(5)
    assert found.shape == pixels.shape
    assert 0 <= found.min() <= found.max() <= 1
    assert torch.equal(found, changed(5))
    assert not torch.equal(found, changed(6))
    moved = (found - pixels).abs().amax(dim=(1, 2, 3)) > 1e-6
    assert 20 < moved.sum() < 40, "most are changed, not all"
    assert (found.mean(dim=(1, 2, 3)) < 0.2).any(), "some have the others' colours"


# The shutter itself.


def test_normalised_pictures_are_seen_as_the_files_are(
    shutter: ShutPictures, mini: FrozenCLIP, few: Splits
) -> None:
    pictures = few.test.pictures
    torch.testing.assert_close(mini.pixels(mini.normalise(pictures)), mini.pixels(pictures))
    torch.testing.assert_close(
        shutter.probability(mini.normalise(pictures)), shutter.probability(pictures), atol=1e-3,
        rtol=0,
    )  # fmt: skip


def test_no_block_has_anything_of_a_stopped_picture(shutter: ShutPictures) -> None:
    """Where a door lets the first blocks see, nothing is seen here."""
    pictures = world("test", 3, classes=CLASSES, domains=("sketch",)).pictures
    stopped = shutter.stops(shutter.evidence(pictures))
    assert stopped.sum() > 6
    for place, seen in places(shutter, pictures[stopped]).items():
        torch.testing.assert_close(seen, seen[:1].expand_as(seen), msg=place, atol=1e-4, rtol=0)


def test_copies_in_other_colours_help_against_a_disguise(mini: FrozenCLIP) -> None:
    """Sketches in the colours of photos are recognised all the same, once copies have taught it."""
    shots = world("train", 8, seed=50, classes=CLASSES)
    sketches = world("validation", 12, classes=CLASSES, domains=("sketch",)).pictures
    photos = world("validation", 12, classes=CLASSES, domains=("real",)).pictures
    disguised = recoloured(sketches, photos)
    stopped = []
    for coloured in (0, 8):
        model = Shutter(copies=2, coloured=coloured).fit(Task(mini, shots, FORGET), 50)
        stopped.append(model.stops(model.evidence(disguised)).float().mean().item())
    assert stopped[1] >= stopped[0]
    assert stopped[1] > 0.6
