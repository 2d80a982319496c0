"""Folders of pictures as people have them, and what is said about those that cannot be used."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from adu_core import read_folder
from adu_core.clips.preprocess import Preprocess
from adu_core.data import picture as picture_module
from adu_core.data.picture import PictureError, read_picture
from adu_core.data.shares import places
from adu_core.data.sources import (
    CUTS,
    TEST,
    TRAIN,
    VALIDATION,
    load_splits,
    read_share,
    source_names,
)

PACS = Path(__file__).parents[3] / "shared" / "pacs"
RED, WHITE = (255, 0, 0), (255, 255, 255)


def draw(path: Path, colour: object = RED, mode: str = "RGB", size: tuple[int, int] = (8, 8)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, colour).save(path)


def tree(root: Path, *files: str) -> Path:
    """A folder with these files, each a red picture or, with another suffix, some text."""
    for name in files:
        if Path(name).suffix in {".png", ".jpg"}:
            draw(root / name)
        else:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text("not a picture")
    return root


def colour(picture: torch.Tensor) -> tuple[int, ...]:
    """The colour in the middle of a (3, H, W) picture."""
    return tuple(picture[:, picture.shape[1] // 2, picture.shape[2] // 2].tolist())


# One picture.


@pytest.mark.parametrize(
    ("mode", "value", "suffix", "expected"),
    [
        ("RGB", RED, "png", RED),
        ("RGB", RED, "bmp", RED),
        ("RGB", RED, "webp", RED),
        ("L", 100, "jpg", (100, 100, 100)),
        ("LA", (0, 0), "png", WHITE),
        ("1", 1, "png", WHITE),
        ("I;16", 30000, "png", (116, 116, 116)),
        ("I;16", 65535, "tif", WHITE),
        ("RGBA", (*RED, 0), "png", WHITE),
        ("RGBA", (*RED, 255), "webp", RED),
        ("CMYK", (0, 255, 255, 0), "tiff", RED),
        ("CMYK", (0, 255, 255, 0), "jpg", RED),
    ],
)
def test_every_kind_of_colour_becomes_rgb(tmp_path, mode, value, suffix, expected):
    draw(tmp_path / f"a.{suffix}", value, mode)
    picture = read_picture(tmp_path / f"a.{suffix}", 4)
    assert picture.shape == (3, 4, 4)
    assert picture.dtype == torch.uint8
    lossy = 3 if suffix in {"jpg", "webp"} else 0
    assert all(abs(a - b) <= lossy for a, b in zip(colour(picture), expected, strict=True))


def test_half_transparent_red_over_white_is_pink(tmp_path):
    draw(tmp_path / "a.png", (*RED, 128), "RGBA")
    assert colour(read_picture(tmp_path / "a.png", 4)) == (255, 127, 127)


@pytest.mark.parametrize(("transparency", "expected"), [(None, RED), (1, WHITE), (0, RED)])
def test_a_palette_keeps_its_colours_and_its_transparency(tmp_path, transparency, expected):
    picture = Image.new("P", (8, 8), 1)
    picture.putpalette([0, 0, 255, *RED])
    known = {} if transparency is None else {"transparency": transparency}
    picture.save(tmp_path / "a.png", **known)
    assert colour(read_picture(tmp_path / "a.png", 4)) == expected


def test_the_first_frame_of_an_animation_is_read(tmp_path):
    frames = [Image.new("RGB", (8, 8), name) for name in ("red", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert colour(read_picture(tmp_path / "a.gif", 4)) == RED


@pytest.mark.parametrize(
    ("orientation", "corner"), [(1, (0, 0)), (3, (1, 1)), (6, (0, 1)), (8, (1, 0))]
)
def test_a_picture_is_turned_as_its_camera_says(tmp_path, orientation, corner):
    pixels = np.zeros((8, 8, 3), np.uint8)
    pixels[:4, :4] = RED
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(pixels).save(tmp_path / "a.png", exif=exif)
    red = read_picture(tmp_path / "a.png", 2)[0]
    assert divmod(int(red.argmax()), 2) == corner


def test_the_middle_square_is_taken_and_nothing_is_stretched(tmp_path):
    pixels = np.zeros((40, 120, 3), np.uint8)
    pixels[:, 35:85] = 255  # a white square, and a bit, between two black ones
    Image.fromarray(pixels).save(tmp_path / "wide.png")
    Image.fromarray(pixels.transpose(1, 0, 2)).save(tmp_path / "high.png")
    assert (read_picture(tmp_path / "wide.png", 20) == 255).all()
    assert (read_picture(tmp_path / "high.png", 20) == 255).all()


def test_scaling_down_averages_instead_of_skipping_pixels(tmp_path):
    board = np.indices((64, 64)).sum(0) % 2 * 255
    Image.fromarray(board.astype(np.uint8)).save(tmp_path / "a.png")
    assert ((read_picture(tmp_path / "a.png", 8).int() - 127).abs() <= 3).all()


def test_a_large_jpeg_is_read_as_if_it_had_been_decoded_whole(tmp_path):
    ramp = np.linspace(0, 255, 640).astype(np.uint8)[None].repeat(640, 0)
    Image.fromarray(ramp).save(tmp_path / "a.jpg", quality=95)
    Image.fromarray(ramp).save(tmp_path / "a.png")
    jpeg, png = (read_picture(tmp_path / name, 32).int() for name in ("a.jpg", "a.png"))
    assert ((jpeg - png).abs() <= 2).all()


def test_a_file_that_is_missing_or_no_picture_is_named(tmp_path):
    with pytest.raises(PictureError, match=r"a\.png: there is no such file"):
        read_picture(tmp_path / "a.png", 8)
    tree(tmp_path, "a.txt").joinpath("a.txt").rename(tmp_path / "a.png")
    with pytest.raises(PictureError, match=r"cannot read the picture .*a\.png"):
        read_picture(tmp_path / "a.png", 8)
    with pytest.raises(ValueError, match="1 pixel or more, not 0"):
        read_picture(tmp_path / "a.png", 0)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I;16", "F"])
def test_a_single_pixel_of_any_kind_is_a_picture(tmp_path, mode):
    suffix = "tif" if mode in {"CMYK", "YCbCr", "F"} else "png"
    draw(tmp_path / f"a.{suffix}", None if mode == "P" else 0, mode, (1, 1))
    for preprocess in (7, Preprocess(7, "longest"), Preprocess(7, "squash", "bilinear")):
        picture = read_picture(tmp_path / f"a.{suffix}", preprocess)
        assert picture.shape == (3, 7, 7)
        assert (picture == picture[:, :1, :1]).all()


def png_of(width: int, height: int) -> bytes:
    """The beginning of a PNG that says it is so large; there is nothing in it."""
    about = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + about
    head = struct.pack(">I", len(about)) + chunk + struct.pack(">I", zlib.crc32(chunk))
    return b"\x89PNG\r\n\x1a\n" + head + struct.pack(">I", 9) + b"IDAT"


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("sides", "message"),
    [
        ((17_000, 16_000), "has 17000 × 16000 pixels, more than 268,435,456: scale it down"),
        ((60_000, 60_000), "has 60000 × 60000 pixels"),
        ((2**31 - 1, 2**31 - 1), "has 2147483647 × 2147483647 pixels"),
    ],
)
def test_a_picture_made_to_fill_the_memory_is_refused_by_name(tmp_path, sides, message):
    (tmp_path / "bomb.png").write_bytes(png_of(*sides))
    with pytest.raises(PictureError, match=rf"cannot read the picture .*bomb\.png: .*{message}"):
        read_picture(tmp_path / "bomb.png", 8)
    tree(tmp_path / "all", *GOOD)
    (tmp_path / "bomb.png").rename(tmp_path / "all/photo/dog/bomb.png")
    with pytest.raises(PictureError, match=rf"bomb\.png: .*{message}.*damaged files, 1 of 5"):
        read_folder(tmp_path / "all", size=4)


def test_a_large_picture_that_is_none_of_those_is_read(tmp_path, monkeypatch):
    draw(tmp_path / "a.png", size=(50, 40))
    monkeypatch.setattr(picture_module, "MOST_PIXELS", 2000)
    assert colour(read_picture(tmp_path / "a.png", 4)) == RED
    monkeypatch.setattr(picture_module, "MOST_PIXELS", 1999)
    with pytest.raises(PictureError, match="50 × 40 pixels"):
        read_picture(tmp_path / "a.png", 4)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    suffix=st.sampled_from(["jpg", "png", "gif", "webp", "bmp", "tif"]),
    cut=st.floats(0, 1),
    noise=st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), max_size=4),
)
@pytest.mark.filterwarnings("ignore:.*:UserWarning:PIL")
def test_damaged_bytes_give_a_picture_or_our_error(tmp_path, suffix, cut, noise):
    whole = tmp_path / f"whole.{suffix}"
    if not whole.exists():
        pixels = np.random.default_rng(0).integers(0, 255, (24, 24, 3), np.uint8)
        Image.fromarray(pixels).save(whole)
    damaged = bytearray(whole.read_bytes())
    for place, value in noise:
        damaged[int(place * len(damaged))] = value
    path = tmp_path / f"damaged.{suffix}"
    path.write_bytes(damaged[: int(cut * len(damaged))])
    try:
        shape = read_picture(path, 8).shape
    except PictureError:
        return
    assert shape == (3, 8, 8)


# A folder of pictures.


def test_a_folder_is_read_sorted_with_readable_names(tmp_path):
    draw(tmp_path / "Real World" / "Alarm_Clock" / "b.PNG", "blue")
    draw(tmp_path / "Real World" / "Alarm_Clock" / "a.png", "red")
    draw(tmp_path / "Real World" / "dog" / "1.jpeg", "white")
    draw(tmp_path / "art_painting" / "alarm-clock" / "1.webp", "black")
    draw(tmp_path / "art_painting" / "dog" / "1.gif", "black")
    data = read_folder(tmp_path, size=4)
    assert data.domain_names == ("art painting", "real world")
    assert data.class_names == ("alarm clock", "dog")
    assert data.domains.tolist() == [0, 0, 1, 1, 1]
    assert data.labels.tolist() == [0, 1, 0, 0, 1]
    assert data.pictures.shape == (5, 3, 4, 4)
    assert [colour(picture) for picture in data.pictures[2:4]] == [(255, 0, 0), (0, 0, 255)]
    assert read_folder(str(tmp_path), size=4, progress=True).fingerprint() == data.fingerprint()


GOOD = ("photo/cat/1.png", "photo/dog/1.png", "sketch/cat/1.png", "sketch/dog/1.png")


def test_what_is_no_picture_is_ignored(tmp_path):
    clean = read_folder(tree(tmp_path / "clean", *GOOD), size=4)
    beside = ("photo/dog/Thumbs.db", "photo/dog/notes.txt", "photo/dog/old/2.png", "list.csv")
    beside += (".hidden/dog/1.png", "photo/dog/.DS_Store", "photo/dog/._1.png", "splits/all.txt")
    beside += ("photo/.cache/1.png", "__MACOSX/photo/1.png", "photo/readme.txt")
    littered = read_folder(tree(tmp_path / "littered", *GOOD, *beside), size=4)
    assert littered.fingerprint() == clean.fingerprint()


@settings(max_examples=15, deadline=None)
@given(
    counts=st.lists(st.lists(st.integers(1, 5), min_size=2, max_size=2), min_size=1, max_size=3),
    most=st.integers(1, 6),
    seed=st.integers(0, 99),
)
def test_at_most_so_many_of_each_are_drawn_and_always_the_same(
    tmp_path_factory, counts, most, seed
):
    root = tmp_path_factory.mktemp("pictures")
    for label, row in enumerate(counts):
        for domain, count in enumerate(row):
            for number in range(count):
                draw(root / f"d{domain}" / f"c{label}" / f"{number}.png", (number, label, domain))
    data = read_folder(root, size=2, per_class_and_domain=most, seed=seed)
    assert data.counts().tolist() == [[min(most, count) for count in row] for row in counts]
    seen = {colour(picture) for picture in data.pictures}
    assert len(seen) == len(data)
    assert all(colour(data.pictures[i])[1] == data.labels[i] for i in range(len(data)))
    assert all(colour(data.pictures[i])[2] == data.domains[i] for i in range(len(data)))
    again = read_folder(root, size=2, per_class_and_domain=most, seed=seed)
    assert again.fingerprint() == data.fingerprint()


def test_a_class_is_drawn_the_same_whatever_lies_beside_it(tmp_path):
    for number in range(30):
        for name in ("photo/dog", "sketch/dog"):
            draw(tmp_path / name / f"{number}.png", (number, 0, 0))
    before = read_folder(tmp_path, size=2, per_class_and_domain=5)
    other = read_folder(tmp_path, size=2, per_class_and_domain=5, seed=1)
    tree(tmp_path, "photo/cat/1.png", "sketch/cat/1.png")
    after = read_folder(tmp_path, size=2, per_class_and_domain=5)
    assert after.pictures[after.labels == 1].equal(before.pictures)
    assert not other.pictures.equal(before.pictures)


@pytest.mark.parametrize("limits", [(None, None), (3, 5), (5, 1)])
def test_shares_have_no_picture_in_common_whatever_the_limits_and_seeds(tmp_path, limits):
    for number in range(20):
        for name in ("photo/dog", "sketch/dog"):
            draw(tmp_path / name / f"{number}.png", (number, 0, 0))
    halves = [
        read_folder(tmp_path, size=2, share=share, per_class_and_domain=limit, seed=seed)
        for share, limit, seed in zip(((0, 0.5), (0.5, 1)), limits, (0, 7), strict=True)
    ]
    for domain in range(2):
        first, second = (
            {colour(picture) for picture in half.pictures[half.domains == domain]}
            for half in halves
        )
        assert not first & second
        assert [len(first), len(second)] == [limit or 10 for limit in limits]


def test_a_class_too_small_to_share_out_is_named(tmp_path):
    tree(tmp_path, *GOOD)
    with pytest.raises(
        PictureError, match=r"too few .*from 0\.6 to 0\.7.*cat holds 1, .*dog holds"
    ):
        read_folder(tmp_path, size=2, share=(0.6, 0.7))
    with pytest.raises(ValueError, match="share must run from"):
        read_folder(tmp_path, size=2, share=(0.6, 0.6))
    with pytest.raises(ValueError, match="cuts must hold 0, 1 and both ends of the share"):
        read_folder(tmp_path, size=2, share=(0.5, 1), cuts=(0.0, 0.6, 1.0))


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
    assert [places(share, (), count) for share in shares] == plain


@pytest.mark.parametrize("count", [3, 6])
def test_a_small_class_is_shared_out_among_the_others(tmp_path, count):
    for domain in ("photo", "sketch"):
        for label, number in (("cat", count), ("dog", 20)):
            for i in range(number):
                draw(tmp_path / domain / label / f"{i:02}.png", (i + 1, 0, 0))
    source = f"folder:{tmp_path}"
    assert source_names(source) == (("cat", "dog"), ("photo", "sketch"))
    splits = load_splits(source, size=2, shots=1)
    for data in (splits.shots, splits.validation, splits.test):
        assert (data.counts() >= 1).all()
    for domain in range(2):
        seen = [
            colour(picture)[0]
            for share in (TRAIN, VALIDATION, TEST)
            for data in [read_share(source, share, 2)]
            for picture in data.pictures[(data.labels == 0) & (data.domains == domain)]
        ]
        assert sorted(seen) == list(range(1, count + 1))


def test_two_pictures_are_too_few_and_it_is_said_before_any_is_read(tmp_path):
    for name in ("photo", "sketch"):
        for number in range(20):
            draw(tmp_path / name / "dog" / f"{number}.png")
    for name in ("photo/cat/1.png", "photo/cat/2.png", *(f"sketch/cat/{i}.png" for i in range(9))):
        draw(tmp_path / name)
    (tmp_path / "photo/cat/1.png").write_text("no picture")
    for work in (source_names, lambda source: load_splits(source, size=2)):
        with pytest.raises(PictureError, match=r"photo/cat holds 2, 3 are enough: add") as caught:
            work(f"folder:{tmp_path}")
        assert "dog" not in str(caught.value)
        assert "sketch" not in str(caught.value)


@pytest.mark.parametrize(
    ("files", "root", "message"),
    [
        (GOOD, "nowhere", "nowhere does not exist: pass a folder"),
        (GOOD, "photo/dog/1.png", r"1\.png is a file: pass a folder"),
        ((), ".", r"no pictures in .* \(looked for .*\.jpg"),
        (("photo/dog/1.txt",), ".", "no pictures in"),
        ([f"{top}/{name}" for top in "ab" for name in GOOD], ".", r"pass one of \S+a, \S+b;"),
        (GOOD, "photo", r"photo seems to hold the pictures of one domain: pass \S+ instead"),
        (GOOD, "photo/dog", r"dog seems to hold the pictures of one class: pass \S+ instead"),
        (["train/dog/1.png", "val/dog/1.png"], ".", "parts of a dataset, not domains: train, val"),
        (GOOD[:2], ".", "holds a single domain, 'photo': .* add a second"),
        (
            (*GOOD, "Sketch-/dog/1.png"),
            ".",
            "Sketch- and .*sketch are both called 'sketch'|sketch and .*Sketch- are both",
        ),
        (
            (*GOOD, "photo/Dog_/1.png"),
            ".",
            "dog and .*Dog_ are both .*'dog' .*: merge them|Dog_ and",
        ),
    ],
)
def test_an_unusable_layout_is_named_with_its_remedy(tmp_path, files, root, message):
    tree(tmp_path, *files)
    with pytest.raises(PictureError, match=message) as caught:
        read_folder(tmp_path / root, size=4)
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize(
    ("files", "root"),
    [
        (GOOD, "photo"),
        (GOOD, "photo/dog"),
    ],
)
def test_the_folder_that_the_error_names_can_be_read(tmp_path, files, root):
    tree(tmp_path, *files)
    with pytest.raises(PictureError) as caught:
        read_folder(tmp_path / root, size=4)
    named = str(caught.value).split("pass ")[1].split(" instead")[0]
    assert len(read_folder(named, size=4)) == len(GOOD)


def test_every_class_without_pictures_is_listed_at_once(tmp_path):
    tree(tmp_path, *GOOD, "clipart/cat/1.png", "clipart/pig/1.png")
    (tmp_path / "sketch" / "pig").mkdir()
    with pytest.raises(PictureError) as caught:
        read_folder(tmp_path, size=4)
    assert str(caught.value) == (
        "every class needs pictures in every domain, but "
        f"{tmp_path / 'clipart'} has no folder for dog; "
        f"{tmp_path / 'photo'} has no folder for pig; "
        f"{tmp_path / 'sketch'} has no pictures in its folder for pig: "
        "add pictures there, remove these classes from every domain, or say --skip-small to leave "
        "them out"
    )


def test_every_damaged_picture_is_named_at_once(tmp_path):
    tree(tmp_path, *GOOD)
    draw(tmp_path / "photo/dog/1.jpg", size=(64, 64))
    for name in ("photo/dog/1.jpg", "sketch/cat/1.png"):
        path = tmp_path / name
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(PictureError, match="remove the damaged files, 2 of 5") as caught:
        read_folder(tmp_path, size=4)
    assert str(tmp_path / "photo/dog/1.jpg") in str(caught.value)
    assert str(tmp_path / "sketch/cat/1.png") in str(caught.value)


@pytest.mark.parametrize("setting", ["size", "per_class_and_domain"])
def test_a_setting_below_one_is_refused(tmp_path, setting):
    with pytest.raises(ValueError, match=r"1 .*or more, not 0"):
        read_folder(tree(tmp_path, *GOOD), **{"size": 4, setting: 0})


@pytest.mark.skipif(not PACS.is_dir(), reason="real pictures are not at ../shared/pacs")
def test_real_photos_paintings_cartoons_and_sketches_are_read():
    data = read_folder(PACS, size=48, per_class_and_domain=5)
    assert data.domain_names == ("art painting", "cartoon", "photo", "sketch")
    assert len(data.class_names) == 7
    assert (data.counts() == 5).all()
    sketches = data.pictures[data.domains == data.domain_names.index("sketch")].float()
    assert sketches.std(1).mean() < 5  # hardly any colour
    assert sketches.mean() > 200  # on white paper
