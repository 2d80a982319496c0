"""Folders as systems, archives and people leave them: the right pictures, or advice that works."""

import os
import re
from pathlib import Path
from unicodedata import normalize

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from trees import draw, tree

from adu_core import load_splits, read_folder
from adu_core.data.picture import PictureError
from adu_core.data.sources import TEST, TRAIN, VALIDATION, read_share, source_names

PACS = Path(__file__).parents[3] / "shared" / "pacs"
TWO = ("photo", "sketch")
#: Each picture's colour says what it is: red the class, green the domain, blue its number.
PLAIN = [(domain, label, n) for domain in TWO for label in ("cat", "dog") for n in range(4)]


def laid_out(root: Path, pattern: str = "{domain}/{label}/{n}.png", **more: str) -> Path:
    """``PLAIN``, each picture where the pattern says."""
    for domain, label, number in PLAIN:
        where = pattern.format(domain=domain, label=label, n=number, **more)
        draw(root / where, (label == "dog", domain == "sketch", number))
    return root


def assert_plain(root: Path) -> None:
    """All the pictures are there, each with its own labels."""
    data = read_folder(root, size=2)
    assert (data.class_names, data.domain_names) == (("cat", "dog"), TWO)
    assert len(data) == len(PLAIN)
    assert data.pictures[:, 0, 0, 0].tolist() == data.labels.tolist()
    assert data.pictures[:, 1, 0, 0].tolist() == data.domains.tolist()


# What is read.


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
    assert data.pictures[2:4, :, 1, 1].tolist() == [[255, 0, 0], [0, 0, 255]]
    assert read_folder(str(tmp_path), size=4, progress=True).fingerprint() == data.fingerprint()


@pytest.mark.parametrize(
    "pattern",
    [
        "{domain}/images/{label}/{n}.png",  # Office-31
        "{domain}/{domain}/{label}/{n}.png",  # an archive in a folder of its name
        "{domain}/{domain}/images/{label}/{n}.png",
        "{domain}/train/{label}/{n}.png",
        "{domain}/office_crop/{label}/{n}.png",
        "{domain}/{label}/images/{n}.png",
        "{domain}/{label}/{label}/{n}.png",
        "images/{domain}/{label}/{n}.png",
        "PACS/PACS/{domain}/{label}/{n}.png",
        "a/b/{domain}/images/{label}/images/{n}.png",
    ],
)
def test_folders_that_hold_one_folder_are_read_through(tmp_path, capsys, pattern):
    assert_plain(laid_out(tmp_path, pattern))
    assert "folders that hold one folder are read through" in capsys.readouterr().err


def test_only_some_domains_may_have_one_more_folder(tmp_path):
    laid_out(tmp_path)
    (tmp_path / "sketch").rename(tmp_path / "images")
    (tmp_path / "sketch").mkdir()
    (tmp_path / "images").rename(tmp_path / "sketch" / "images")
    assert_plain(tmp_path)


def test_parts_that_a_domain_keeps_apart_are_the_shares(tmp_path):
    numbers = {"train": range(4), "val": range(4, 6), "test": range(6, 9)}
    for part, chosen in numbers.items():
        for domain in TWO:
            for number in chosen:
                draw(tmp_path / domain / part / "dog" / f"{number}.png", (0, 0, number))
                draw(tmp_path / domain / part / "train" / f"{number}.png", (1, 0, number))
    source = f"folder:{tmp_path}"
    assert source_names(source) == (("dog", "train"), TWO)
    for share, chosen in zip((TRAIN, VALIDATION, TEST), numbers.values(), strict=True):
        assert set(read_share(source, share, 2).pictures[:, 2, 0, 0].tolist()) == set(chosen)
    assert len(read_folder(tmp_path, size=2)) == 2 * 2 * 9
    for domain in TWO:
        (tmp_path / domain / "test").rename(tmp_path / domain / "training")
    with pytest.raises(PictureError, match=r"photo/training is a second folder of the same part"):
        source_names(source)


SYSTEM = ("lost+found", "$RECYCLE.BIN", "System Volume Information", ".Trash-1000", "@eaDir",
          "#recycle", "__MACOSX", ".ipynb_checkpoints", ".AppleDouble", "RECYCLER")  # fmt: skip


@pytest.mark.parametrize("name", [*SYSTEM, "empty"])
def test_what_systems_make_and_empty_folders_are_no_domains_or_classes(tmp_path, capsys, name):
    laid_out(tmp_path)
    for folder in (tmp_path, tmp_path / "photo", tmp_path / "photo/dog"):
        (folder / name / "S-1-5-18").mkdir(parents=True)
        if name != "empty":
            draw(folder / name / "S-1-5-18" / "1.png")
            draw(folder / name / "1.png")
        for file in ("Thumbs.db", ".DS_Store", "desktop.ini", "._1.png"):
            (folder / file).write_text("of the system")
    for skip in ("", "?skip-small=2"):
        assert source_names(f"folder:{tmp_path}{skip}") == (("cat", "dog"), TWO)
    assert ("hold no pictures and are left out" in capsys.readouterr().err) == (name == "empty")
    assert_plain(tmp_path)


def test_links_are_followed_and_loops_are_not(tmp_path):
    laid_out(tmp_path / "real")
    root = tmp_path / "root"
    root.mkdir()
    try:
        for domain in TWO:
            (root / domain).symlink_to(tmp_path / "real" / domain)
        (tmp_path / "real" / "photo" / "up").symlink_to(tmp_path / "real")
        (tmp_path / "real" / "photo" / "dog" / "self").symlink_to(".")
        (root / "loop").symlink_to(root)
    except OSError:
        pytest.skip("no links here")
    assert_plain(root)


@pytest.mark.parametrize(
    "suffix", ["jfif", "jpe", "avif", "ppm", "pgm", "pbm", "jp2", "tga", "apng", "JPG"]
)
def test_whatever_pillow_opens_is_a_picture(tmp_path, suffix):
    Image.init()
    if f".{suffix.lower()}" not in Image.EXTENSION:
        pytest.skip("Pillow here cannot")
    for domain in TWO:
        for label, level in (("cat", 0), ("dog", 255)):
            path = tmp_path / domain / label / f"1.{suffix}"
            path.parent.mkdir(parents=True)
            mode = {"pgm": "L", "pbm": "1"}.get(suffix, "RGB")
            Image.new(mode, (8, 8), (level,) * 3 if mode == "RGB" else level).save(path)
    data = read_folder(tmp_path, size=2)
    assert (data.pictures.flatten(1).float().mean(1) - 255 * data.labels).abs().max() < 2


def test_each_folder_is_listed_once_and_no_picture_is_asked_for(tmp_path, monkeypatch):
    laid_out(tmp_path)
    seen, scandir, stat = [], os.scandir, Path.stat
    monkeypatch.setattr(os, "scandir", lambda path: (seen.append(str(path)), scandir(path))[1])
    monkeypatch.setattr(
        Path, "stat", lambda path, **more: (seen.append(path.suffix), stat(path, **more))[1]
    )
    source_names(f"folder:{tmp_path}")
    assert ".png" not in seen
    assert all(seen.count(str(tmp_path / "photo" / label)) == 1 for label in ("cat", "dog"))
    seen.clear()
    load_splits(f"folder:{tmp_path}", size=2, shots=1)
    assert seen.count(str(tmp_path / "photo" / "cat")) == 1


@pytest.mark.skipif(not PACS.is_dir(), reason="real pictures are not at ../shared/pacs")
@pytest.mark.parametrize("kind", ["pacs", "folder"])
def test_real_photos_paintings_cartoons_and_sketches_are_read(kind):
    classes, domains = source_names(f"{kind}:{PACS}")
    assert (len(classes), domains) == (7, ("art painting", "cartoon", "photo", "sketch"))
    data = load_splits(f"{kind}:{PACS}", size=48, shots=1, limit=5).test
    assert (data.counts() == 5).all()
    sketches = data.pictures[data.domains == domains.index("sketch")].float()
    assert sketches.std(1).mean() < 5  # hardly any colour
    assert sketches.mean() > 200  # on white paper


# Names.


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (normalize("NFC", "café"), normalize("NFD", "café")),
        ("Dog", "dog"),
        ("alarm_clock", "Alarm Clock"),
        ("dog ", "dog"),
        ("alarm-clock", " alarm  clock"),
    ],
)
def test_the_same_name_written_otherwise_is_one_class(tmp_path, one, other):
    for domain, name in (("photo", one), ("sketch", other)):
        draw(tmp_path / domain / name / "1.png")
        draw(tmp_path / domain / "cat" / "1.png")
    data = read_folder(tmp_path, size=2)
    assert len(data.class_names) == 2
    assert data.counts().tolist() == [[1, 1], [1, 1]]


@pytest.mark.parametrize(
    "name",
    ["a+b", "a,b", "a:b", "a=b", "a?b", "a|b", "100%", "a&b", "{a}", "#1", "ünï", "狗", "x" * 200],
)
def test_letters_of_a_grammar_of_ours_may_be_in_any_name(tmp_path, name):
    root = tmp_path / f"C:{name} of ours"
    for domain in ("photo", name):
        for label in ("cat", f"{name}{name}"[:200]):
            for number in range(3):
                draw(root / domain / label / f"{name}{number}.png", (label != "cat", 0, number))
    classes, domains = source_names(f"folder:{root}")
    assert set(domains) == {"photo", name}
    splits = load_splits(f"folder:{root}?skip-bad", size=2, shots=1)
    assert splits.test.class_names == classes
    assert splits.test.pictures[:, 0, 0, 0].tolist() == [
        int(classes[label] != "cat") for label in splits.test.labels
    ]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
@pytest.mark.parametrize("name", ["_", "a\x07b", os.fsdecode(b"\xe9t\xe9")])
def test_a_name_that_no_prompt_can_say_is_refused(tmp_path, name):
    laid_out(tmp_path)
    try:
        draw(tmp_path / "photo" / name / "1.png")
    except OSError:
        pytest.skip("the file system has no such names")
    with pytest.raises(PictureError, match=r"no prompt can say the name .*: rename it") as caught:
        read_folder(tmp_path, size=2)
    assert "\n" not in str(caught.value)


# What is left out, and what cannot be used.


def test_nothing_is_left_out_without_a_word(tmp_path, capsys):
    laid_out(tmp_path)
    draw(tmp_path / "photo" / "loose.png")
    draw(tmp_path / "photo" / "dog" / "old" / "1.png")
    for name in ("1.txt", "2.txt", "1.heic", "1.HEIC", "1.npy", "noend"):
        (tmp_path / "photo" / "dog" / name).touch()
    (tmp_path / "phone" / "dog").mkdir(parents=True)
    (tmp_path / "phone" / "dog" / "1.heic").touch()
    assert_plain(tmp_path)
    said = capsys.readouterr().err
    for text in (
        "7 files left out, no pictures by their suffix: .heic 3, .txt 2, .npy 1, no suffix 1 ",
        "(Pillow cannot read .heic, .npy: convert them to .png)",
        f"1 pictures beside the classes' folders are not read, such as {tmp_path}",
        "1 folders inside a class's folder are not read",
        f"hold no pictures and are left out, such as {tmp_path / 'phone'}",
    ):
        assert text in said


def test_classes_and_domains_the_wrong_way_round_are_seen(tmp_path, capsys):
    source_names(f"folder:{laid_out(tmp_path / 'right')}")
    assert "wrong way round" not in capsys.readouterr().err
    source_names(f"folder:{laid_out(tmp_path / 'wrong', '{label}/{domain}/{n}.png')}")
    assert "are classes and domains the wrong way round?" in capsys.readouterr().err


GOOD = ("photo/cat/1.png", "photo/dog/1.png", "sketch/cat/1.png", "sketch/dog/1.png")


@pytest.mark.parametrize(
    ("files", "root", "message"),
    [
        (GOOD, "nowhere", "nowhere does not exist: pass a folder"),
        (GOOD, "photo/dog/1.png", r"1\.png is a file: pass a folder"),
        ((), ".", r"no pictures in .* \(looked for .*\.jpg"),
        (["photo/dog/1.heic"], ".", r"no pictures in .*; 1 files .*heic: convert them"),
        ([f"{top}/{name}" for top in "ab" for name in GOOD], ".", r"pass one of \S+a, \S+b;"),
        (GOOD, "photo", r"photo seems to hold the pictures of one domain: pass \S+ instead"),
        (GOOD, "photo/dog", r"dog seems to hold the pictures of one class: pass \S+ instead"),
        (["train/dog/1.png", "val/dog/1.png"], ".", "parts of a dataset, not domains: train, val"),
        (["a/train/1.png", "a/val/1.png", "b/train/1.png"], ".", "not classes: train, val"),
        (["photo/dog/1.png"], ".", "has a single domain, photo: .* add a second"),
        ((*GOOD, "Sketch-/dog/1.png"), ".", "'Sketch-' and 'sketch' are both called 'sketch'"),
        ((*GOOD, "photo/Dog_/1.png"), ".", "both called 'dog' in a prompt: merge them or rename"),
        ((*GOOD, "extra/1.png"), ".", r"extra/1\.png, are not in a folder for each class: move"),
        (
            [f"{domain}/{label}/{label}{i}/1.png" for domain, label, i in PLAIN],
            ".",
            "lie too deep: move each class's pictures into one folder",
        ),
    ],
)
@pytest.mark.parametrize("skip", ["", "?skip-small=1"])
def test_an_unusable_layout_is_named_with_its_remedy(tmp_path, files, root, message, skip):
    for name in files:
        draw(tmp_path / name) if name.endswith(".png") else None
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    with pytest.raises(PictureError, match=message) as caught:
        source_names(f"folder:{tmp_path / root}{skip}")
    assert str(tmp_path) in str(caught.value)
    if named := re.search(r"pass (?:one of )?(\S+?)(?: instead|,)", str(caught.value)):
        assert len(read_folder(named[1], size=4)) == len(GOOD)


def test_every_class_without_pictures_is_named_at_once(tmp_path):
    for name in (*GOOD, "clipart/cat/1.png", "clipart/pig/1.png"):
        draw(tmp_path / name)
    (tmp_path / "sketch" / "pig").mkdir()
    with pytest.raises(PictureError) as caught:
        read_folder(tmp_path, size=4)
    assert str(caught.value) == (
        f"{tmp_path}: too few pictures to share out: clipart/dog holds 0; photo/pig holds 0, "
        "sketch/pig holds 0. Every class needs pictures in every domain: add pictures there, "
        "remove these classes from every domain, or say --skip-small"
    )


def test_a_number_below_one_is_refused(tmp_path):
    with pytest.raises(ValueError, match="1 or more, not 0"):
        read_folder(laid_out(tmp_path), size=4, per_class_and_domain=0)


# Which of them.


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
    assert len(data.pictures.unique(dim=0)) == len(data)
    assert data.pictures[:, 1, 0, 0].tolist() == data.labels.tolist()
    assert data.pictures[:, 2, 0, 0].tolist() == data.domains.tolist()
    again = read_folder(root, size=2, per_class_and_domain=most, seed=seed)
    assert again.fingerprint() == data.fingerprint()


def test_a_class_is_drawn_the_same_whatever_lies_beside_it(tmp_path):
    tree(tmp_path, TWO, ("dog",), 30)
    before, other = (
        read_folder(tmp_path, size=2, per_class_and_domain=5, seed=seed) for seed in (0, 1)
    )
    for domain in TWO:
        draw(tmp_path / domain / "cat" / "1.png")
    after = read_folder(tmp_path, size=2, per_class_and_domain=5)
    assert after.pictures[after.labels == 1].equal(before.pictures)
    assert not other.pictures.equal(before.pictures)
