import pytest

from adu_core import captions, world
from adu_core.clip import TEMPLATE


def test_a_minority_of_captions_names_the_style() -> None:
    pictures = world("train", 30, classes=("car", "umbrella"), size=8)
    lines = captions(pictures, seed=0)
    assert lines == captions(pictures, seed=0) != captions(pictures, seed=1)
    for line, label in zip(lines, pictures.labels.tolist(), strict=True):
        assert pictures.class_names[label] in line
    drawn = [line for line, d in zip(lines, pictures.domains.tolist(), strict=True) if d == 3]
    others = [line for line, d in zip(lines, pictures.domains.tolist(), strict=True) if d != 3]
    assert 0 < sum("sketch" in line for line in drawn) < 0.4 * len(drawn)
    assert not any("sketch" in line for line in others)
    # The zero-shot prompt is met in training, in every domain.
    assert TEMPLATE.format("car") in drawn + others


def test_the_share_goes_from_none_to_all() -> None:
    pictures = world("train", 20, classes=("car",), domains=("sketch",), size=8)
    assert not any("sketch" in line for line in captions(pictures, style_share=0))
    assert all("sketch" in line for line in captions(pictures, style_share=1))
    with pytest.raises(ValueError, match="style_share must be"):
        captions(pictures, style_share=1.5)
