"""Which CLIP and pictures a notebook uses, by the environment."""

from pathlib import Path

import pytest

from adu_core import MINI, PAPER, profile
from adu_core.data.world import HELD_OUT


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ADU_CLIP", "ADU_DATA", "ADU_FORGET", "ADU_SHOTS"):
        monkeypatch.delenv(name, raising=False)


def test_without_a_word_it_is_the_drawn_world() -> None:
    chosen = profile()
    assert (chosen.clip, chosen.data, chosen.forget) == (("mini", None), "world", "sketch")
    assert chosen.settings == MINI
    assert chosen.drawn
    assert chosen.records_apply
    assert chosen.load_clip() is chosen.load_clip()
    shown = chosen._repr_markdown_()
    assert "`mini`" in shown
    assert "forgetting sketch" in shown
    splits = chosen.load_splits(held_out=True)
    assert splits.held_out is not None
    assert splits.held_out.class_names == HELD_OUT


def test_a_folder_of_pictures_and_a_clip_of_ones_own(
    monkeypatch: pytest.MonkeyPatch, picture_folder: Path, tiny_path: str
) -> None:
    monkeypatch.setenv("ADU_DATA", str(picture_folder))
    monkeypatch.setenv("ADU_CLIP", tiny_path)
    monkeypatch.setenv("ADU_SHOTS", "4")
    chosen = profile()
    assert chosen.data == f"folder:{picture_folder}"
    assert (chosen.clip, chosen.forget, chosen.limit) == ((tiny_path, None), "sketch", 10)
    assert not chosen.drawn
    assert not chosen.records_apply
    assert chosen.load_splits().test.domain_names == ("clipart", "real", "sketch")
    monkeypatch.setenv("ADU_FORGET", "Real")
    assert profile().forget == "real"
    (picture_folder / "sketch").rename(picture_folder / "an_ink")
    try:
        monkeypatch.delenv("ADU_FORGET")
        assert profile().forget == "real"  # the last of the names
        monkeypatch.setenv("ADU_FORGET", "an_ink")
        assert profile().forget == "an ink"
    finally:
        (picture_folder / "an_ink").rename(picture_folder / "sketch")


def test_a_clip_of_open_clip_has_the_papers_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADU_CLIP", "ViT-B-16-quickgelu:openai")
    chosen = profile()
    assert chosen.clip == ("ViT-B-16-quickgelu", "openai")
    assert chosen.settings == PAPER
    assert chosen.method("gate", threshold=0.7).as_dict()["settings"]["threshold"] == 0.7


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("ADU_CLIP", "ViT-B-16", "ADU_CLIP: .*names no weights"),
        ("ADU_DATA", "there/is/none", "ADU_DATA: .*there/is/none"),
        ("ADU_DATA", "hub:", "ADU_DATA: .*lacks its NAME"),
        ("ADU_SHOTS", "-1", "ADU_SHOTS must be a whole number, 1 or more, not '-1'"),
        ("ADU_FORGET", "photo", "ADU_FORGET: no domain 'photo' there, but real"),
    ],
)
def test_what_cannot_be_names_its_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match=said):
        profile()
