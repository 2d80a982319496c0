import pytest

from adu_core import PAPER, profile
from adu_core.runs.profiles import CHAPTERS


@pytest.fixture(autouse=True)
def _clean(monkeypatch):
    for name in ("ADU_PROFILE", "ADU_DATA", "ADU_FORGET"):
        monkeypatch.delenv(name, raising=False)


def test_without_a_word_it_is_the_small_one():
    chosen = profile()
    assert (chosen.name, chosen.clip, chosen.data, chosen.settings) == (
        "mini",
        "mini",
        "world",
        CHAPTERS,
    )
    assert chosen.load_clip().name == "mini"


def test_clip_means_a_real_clip_on_a_folder(monkeypatch):
    monkeypatch.setenv("ADU_PROFILE", "clip")
    monkeypatch.setenv("ADU_DATA", "pictures")
    monkeypatch.setenv("ADU_FORGET", "art_painting")
    chosen = profile()
    assert (chosen.data, chosen.forget) == ("folder:pictures", "art painting")
    assert chosen.settings == PAPER
    assert (chosen.clip, chosen.pretrained) == ("ViT-B-16-quickgelu", "openai")


def test_a_page_shows_the_profile():
    text = profile()._repr_markdown_()
    assert "`mini`" in text
    assert f"{CHAPTERS.epochs} epochs" in text


@pytest.mark.parametrize(
    ("name", "said"), [("maxi", "set it to mini or clip"), ("clip", "ADU_DATA must name a folder")]
)
def test_a_profile_that_cannot_be_says_what_to_set(monkeypatch, name, said):
    monkeypatch.setenv("ADU_PROFILE", name)
    with pytest.raises(ValueError, match=said):
        profile()
