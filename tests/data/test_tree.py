"""Folders as systems, archives and people leave them: the right pictures, or advice that works."""

import os
import re
from pathlib import Path
from unicodedata import normalize

import pytest
from PIL import Image
from trees import draw

from adu_core import read_folder
from adu_core.data.messages import warn
from adu_core.data.picture import PictureError
from adu_core.data.sources import TEST, TRAIN, VALIDATION, load_splits, read_share, source_names

#: Each picture's colour says what it is: red the class, green the domain, blue its number.
PLAIN = [(domain, label, n) for domain in ("photo", "sketch") for label in ("cat", "dog")
         for n in range(4)]  # fmt: skip


@pytest.fixture(autouse=True)
def _say_everything_again() -> None:
    warn.cache_clear()


def laid_out(root: Path, pattern: str, **more: str) -> Path:
    """``PLAIN``, each picture where the pattern says."""
    for domain, label, number in PLAIN:
        where = pattern.format(domain=domain, label=label, n=number, **more)
        draw(root / where, (label == "dog", domain == "sketch", number))
    return root


def assert_plain(root: Path) -> None:
    """All the pictures are there, each with its own labels."""
    data = read_folder(root, size=2)
    assert data.class_names == ("cat", "dog")
    assert data.domain_names == ("photo", "sketch")
    assert len(data) == len(PLAIN)
    assert data.pictures[:, 0, 0, 0].tolist() == data.labels.tolist()
    assert data.pictures[:, 1, 0, 0].tolist() == data.domains.tolist()


@pytest.mark.parametrize(
    "pattern",
    [
        "{domain}/images/{label}/{n}.png",  # Office-31
        "{domain}/{domain}/{label}/{n}.png",  # an archive in a folder of its name
        "{domain}/{domain}/images/{label}/{n}.png",
        "{domain}/JPEGImages/{label}/{n}.png",
        "{domain}/train/{label}/{n}.png",
        "{domain}/office_crop/{label}/{n}.png",  # any name, if it is each domain's only folder
        "{domain}/{label}/images/{n}.png",
        "{domain}/{label}/{label}/{n}.png",
        "images/{domain}/{label}/{n}.png",
        "PACS/{domain}/{label}/{n}.png",
        "PACS/PACS/{domain}/{label}/{n}.png",
        "a/b/{domain}/images/{label}/images/{n}.png",
    ],
)
def test_folders_that_say_nothing_are_passed_through(tmp_path, capsys, pattern):
    assert_plain(laid_out(tmp_path, pattern))
    assert "read through folders that hold one folder" in capsys.readouterr().err


def test_only_some_domains_may_have_one_more_folder(tmp_path):
    laid_out(tmp_path, "{domain}/{label}/{n}.png")
    (tmp_path / "sketch").rename(tmp_path / "images")
    (tmp_path / "sketch").mkdir()
    (tmp_path / "images").rename(tmp_path / "sketch" / "images")
    assert_plain(tmp_path)


def test_parts_that_a_domain_keeps_apart_are_the_shares(tmp_path):
    numbers = {"train": range(4), "val": range(4, 6), "test": range(6, 9)}
    for part, chosen in numbers.items():
        for domain in ("photo", "sketch"):
            for number in chosen:
                draw(tmp_path / domain / part / "dog" / f"{number}.png", (0, 0, number))
                draw(tmp_path / domain / part / "train" / f"{number}.png", (1, 0, number))
    source = f"folder:{tmp_path}"
    assert source_names(source) == (("dog", "train"), ("photo", "sketch"))
    for share, chosen in zip((TRAIN, VALIDATION, TEST), numbers.values(), strict=True):
        assert set(read_share(source, share, 2).pictures[:, 2, 0, 0].tolist()) == set(chosen)
    assert len(read_folder(tmp_path, size=2)) == 2 * 2 * 9


SYSTEM = ("lost+found", "$RECYCLE.BIN", "System Volume Information", ".Trash-1000", "@eaDir",
          "#recycle", "__MACOSX", ".ipynb_checkpoints", ".AppleDouble", "RECYCLER")  # fmt: skip


@pytest.mark.parametrize("name", [*SYSTEM, "empty"])
@pytest.mark.parametrize("skip", ["", "?skip-small=2"])
def test_what_systems_make_and_empty_folders_are_no_domains_or_classes(
    tmp_path, capsys, name, skip
):
    laid_out(tmp_path, "{domain}/{label}/{n}.png")
    for folder in (tmp_path, tmp_path / "photo", tmp_path / "photo/dog"):
        (folder / name / "S-1-5-18").mkdir(parents=True)
        if name != "empty":
            draw(folder / name / "S-1-5-18" / "1.png")
            draw(folder / name / "1.png")
    for file in ("Thumbs.db", ".DS_Store", "desktop.ini", "._1.png"):
        for folder in ("", "photo", "photo/dog"):
            (tmp_path / folder / file).write_text("of the system")
    assert source_names(f"folder:{tmp_path}{skip}") == (("cat", "dog"), ("photo", "sketch"))
    assert ("hold no pictures and are left out" in capsys.readouterr().err) == (name == "empty")
    if not skip:
        assert_plain(tmp_path)


def test_links_are_followed_and_loops_are_not(tmp_path):
    laid_out(tmp_path / "real", "{domain}/{label}/{n}.png")
    root = tmp_path / "root"
    root.mkdir()
    try:
        for domain in ("photo", "sketch"):
            (root / domain).symlink_to(tmp_path / "real" / domain)
        (tmp_path / "real" / "photo" / "up").symlink_to(tmp_path / "real")
        (tmp_path / "real" / "photo" / "dog" / "self").symlink_to(".")
        (root / "loop").symlink_to(root)
    except OSError:
        pytest.skip("no links here")
    assert_plain(root)


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
)  # fmt: skip
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
    laid_out(tmp_path, "{domain}/{label}/{n}.png")
    try:
        (tmp_path / "photo" / name).mkdir()
    except OSError:
        pytest.skip("the file system has no such names")
    with pytest.raises(PictureError, match="no prompt can say: rename it") as caught:
        read_folder(tmp_path, size=2)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("pattern", "root", "advice"),
    [
        ("{domain}/{label}/{n}.png", "photo", "pass"),
        ("{domain}/{label}/{n}.png", "photo/dog", "pass"),
        ("{top}/{domain}/{label}/{n}.png", "", "pass one of"),
        ("{domain}/images/{label}/{n}.png", "photo", "add a second folder"),
        ("x/{label}/{n}{domain}.png", "x", "move them into a folder for each domain and class"),
        ("x/{label}{domain}{n}.png", "x", "move them into a folder for each domain and class"),
        ("{top}/{domain}/images/{label}/{n}.png", "", "pass one of"),
        ("{domain}/{label}/{label}{n}/{n}.png", "", "move each class's pictures into one folder"),
    ],
)
def test_the_advice_works_when_it_is_followed(tmp_path, pattern, root, advice):
    for top in ("one", "two") if "{top}" in pattern else ("",):
        laid_out(tmp_path, pattern, top=top)
    with pytest.raises(PictureError, match=advice) as caught:
        read_folder(tmp_path / root, size=2)
    said = str(caught.value)
    if named := re.search(r"pass (?:one of )?(\S+?)[ ,;]", said):
        assert_plain(Path(named[1]))
    else:
        assert "pass" not in said


def test_classes_and_domains_the_wrong_way_round_are_noticed(tmp_path, capsys):
    source_names(f"folder:{laid_out(tmp_path / 'right', '{domain}/{label}/{n}.png')}")
    assert "wrong way round" not in capsys.readouterr().err
    source_names(f"folder:{laid_out(tmp_path / 'wrong', '{label}/{domain}/{n}.png')}")
    assert "are classes and domains the wrong way round?" in capsys.readouterr().err


def test_pictures_that_are_in_no_class_of_a_domain_are_an_error(tmp_path):
    laid_out(tmp_path, "{domain}/{label}/{n}.png")
    draw(tmp_path / "extra" / "1.png")
    for source in (f"folder:{tmp_path}", f"folder:{tmp_path}?skip-small=2"):
        with pytest.raises(PictureError, match=r"extra/1\.png, are not in a folder for each class"):
            source_names(source)


def test_nothing_is_left_out_without_a_word(tmp_path, capsys):
    laid_out(tmp_path, "{domain}/{label}/{n}.png")
    draw(tmp_path / "photo" / "loose.png")
    draw(tmp_path / "photo" / "dog" / "old" / "1.png")
    for name in ("1.txt", "2.txt", "1.heic", "1.HEIC", "1.npy", "noend"):
        (tmp_path / "photo" / "dog" / name).touch()
    (tmp_path / "phone" / "dog").mkdir(parents=True)
    (tmp_path / "phone" / "dog" / "1.heic").touch()
    assert_plain(tmp_path)
    said = capsys.readouterr().err
    assert (
        "7 files left out, no pictures by their suffix: .heic 3, .txt 2, .npy 1, no suffix 1 "
        in said
    )
    assert "(Pillow cannot read .heic, .npy: convert them to .png)" in said
    assert f"1 pictures beside the classes' folders are not read, such as {tmp_path}" in said
    assert "1 folders inside a class's folder are not read" in said
    assert f"hold no pictures and are left out, such as {tmp_path / 'phone'}" in said


def test_where_there_is_no_picture_it_is_said_what_there_is(tmp_path):
    (tmp_path / "photo" / "dog").mkdir(parents=True)
    (tmp_path / "photo" / "dog" / "1.heic").touch()
    with pytest.raises(PictureError, match=r"no pictures in .*\.jpg .*; 1 files .*heic: convert"):
        source_names(f"folder:{tmp_path}")


@pytest.mark.parametrize(
    "suffix", ["jfif", "jpe", "avif", "ppm", "pgm", "pbm", "jp2", "tga", "apng", "JPG"]
)
def test_whatever_pillow_opens_is_a_picture(tmp_path, suffix):
    Image.init()
    if f".{suffix.lower()}" not in Image.EXTENSION:
        pytest.skip("Pillow here cannot")
    for domain in ("photo", "sketch"):
        for label, level in (("cat", 0), ("dog", 255)):
            path = tmp_path / domain / label / f"1.{suffix}"
            path.parent.mkdir(parents=True)
            mode = {"pgm": "L", "pbm": "1"}.get(suffix, "RGB")
            Image.new(mode, (8, 8), (level,) * 3 if mode == "RGB" else level).save(path)
    data = read_folder(tmp_path, size=2)
    assert (data.pictures.flatten(1).float().mean(1) - 255 * data.labels).abs().max() < 2


def test_each_folder_is_listed_once_and_no_picture_is_asked_for(tmp_path, monkeypatch):
    laid_out(tmp_path, "{domain}/{label}/{n}.png")
    seen = []
    scandir, stat = os.scandir, Path.stat
    monkeypatch.setattr(os, "scandir", lambda path: (seen.append(str(path)), scandir(path))[1])
    monkeypatch.setattr(
        Path, "stat", lambda path, **more: (seen.append(path.suffix), stat(path, **more))[1]
    )
    source_names(f"folder:{tmp_path}")
    assert ".png" not in seen
    assert all(seen.count(str(tmp_path / "photo" / label)) == 1 for label in ("cat", "dog"))
