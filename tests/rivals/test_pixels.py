"""What pixels say of a style: statistics known by hand, at every scale, in any company."""

from __future__ import annotations

import torch

from adu_core.rivals.pixels import (
    CONTRASTS,
    TONES,
    differences,
    pixel_statistics,
    quantiles,
    scales,
    slopes,
)


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
