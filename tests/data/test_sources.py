"""From a line to the pictures of a run: shares that are disjoint, whatever is left out."""

import shutil

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from trees import draw, tree

from adu_core import load_splits
from adu_core.data.picture import PictureError
from adu_core.data.shares import (
    CUTS,
    PRETRAIN,
    SHOTS,
    TEST,
    TRAIN,
    VALIDATION,
    choose,
    places,
)
from adu_core.data.sources import find_pictures, read_share, source_names

TWO = ("photo", "sketch")


def test_a_limit_takes_the_first_pictures_of_the_drawn_world():
    few = load_splits("world", size=24, shots=1, limit=2, held_out=True)
    counts = [int(part.counts().max()) for part in (few.validation, few.test, few.held_out)]
    assert counts == [2, 2, 2]
    many = load_splits("world", size=24, shots=1, limit=99, held_out=True)
    counts = [int(part.counts().min()) for part in (many.validation, many.test, many.held_out)]
    assert counts == [12, 25, 25]
    for less, more in ((few.test, many.test), (few.held_out, many.held_out)):
        cell = (more.labels == 1) & (more.domains == 2)
        same = (less.labels == 1) & (less.domains == 2)
        assert torch.equal(less.pictures[same], more.pictures[cell][:2])


def test_what_somebody_paints_over_is_as_drawn_the_next_time():
    first = load_splits("world", size=24, shots=1, limit=2)
    was = first.test.pictures.clone()
    first.test.pictures.zero_()
    assert torch.equal(load_splits("world", size=24, shots=1, limit=2).test.pictures, was)


@given(st.integers(1, 200))
def test_every_share_of_three_pictures_or_more_holds_one(count):
    shares = (TRAIN, VALIDATION, TEST)
    found = [places(share, CUTS, count) for share in shares]
    assert found[0][0] == 0
    assert found[2][1] == count
    assert found[0][1] == found[1][0]  # nothing in two shares, nothing in none
    assert found[1][1] == found[2][0]
    assert all(first < last for first, last in found) == (count >= 3)
    plain = [tuple(round(part * count) for part in share) for share in shares]
    assert (found == plain) == (count not in (3, 6))  # larger classes as they ever were


@pytest.mark.parametrize("count", [3, 6])
def test_a_small_class_is_shared_out_among_the_others(tmp_path, count):
    tree(tmp_path, TWO, ("cat",), count)
    for domain in TWO:
        for i in range(20):
            draw(tmp_path / domain / "dog" / f"{i:02}.png")
    source = f"folder:{tmp_path}"
    splits = load_splits(source, size=2, shots=1)
    for data in (splits.shots, splits.validation, splits.test):
        assert (data.counts() >= 1).all()
    seen = [
        tuple(picture[:, 0, 0].tolist())
        for share in (TRAIN, VALIDATION, TEST)
        for data in [read_share(source, share, 2)]
        for picture in data.pictures[data.labels == 0]
    ]
    assert sorted(seen) == [(0, domain, i) for domain in range(2) for i in range(count)]


def test_small_classes_are_an_error_or_left_out_everywhere(tmp_path, capsys):
    root = tree(tmp_path, TWO, ("cat", "dog", "pig"), 10)
    for number in range(2, 10):
        (root / f"photo/pig/{number:02}.png").unlink()
    (root / "photo/pig/00.png").write_text("no picture")  # it is said before any is read
    shutil.rmtree(root / "sketch/cat")
    for read in (source_names, lambda source: load_splits(source, size=2)):
        with pytest.raises(
            PictureError,
            match=r"too few .*: sketch/cat holds 0; photo/pig holds 2\. Every class needs 3 in "
            "every domain: add pictures there, remove these classes .*or say --skip-small",
        ) as caught:
            read(f"folder:{root}")
        assert "dog" not in str(caught.value)
    assert source_names(f"folder:{root}?skip-small=2") == (("dog",), TWO)
    said = capsys.readouterr().err
    assert "skip-small=2 leaves 2 of 3 classes out of every domain: cat; pig" in said
    splits = load_splits(f"folder:{root}?skip-small=6", size=4, shots=6)
    assert splits.shots.counts().tolist() == [[6, 6]]
    assert splits.test.class_names == ("dog",)
    with pytest.raises(PictureError, match="skip-small=7 no class is left"):
        source_names(f"folder:{root}?skip-small=7")


@pytest.mark.parametrize(("count", "shots"), [(40, 8), (20, 4), (5, 1)])
def test_no_shot_is_among_the_pictures_for_pretraining(tmp_path, count, shots):
    """Four shares have no picture in common, for every seed, as long as there are shots enough."""
    tree(tmp_path, TWO, ("cat", "dog"), count)
    listing = find_pictures(f"folder:{tmp_path}")
    others = [set(choose(listing, share, None, 0).items) for share in (PRETRAIN, VALIDATION, TEST)]
    for seed in range(5):
        found = set(choose(listing, SHOTS, shots, seed).items)
        assert len(found) == 4 * shots
        assert not any(found & share for share in others)
        few = choose(listing, TEST, 1, seed).items
        assert len(few) == 4
        assert set(few) <= others[-1]
    everything = len(set.union(*others, set(choose(listing, SHOTS, None, 0).items)))
    assert everything == 4 * count
    most = round(0.6 * count)  # more shots than are set apart: some are for pretraining as well
    more = set(choose(listing, SHOTS, most, 0).items)
    assert len(more) == 4 * most
    assert more == set(choose(listing, TRAIN, None, 0).items)
