"""Lists as other systems and programs write them: read rightly, or refused with the line."""

import json
from pathlib import Path
from unicodedata import normalize

import pytest
from trees import draw, write_lists

from adu_core.data.lists import read_lists
from adu_core.data.messages import warn
from adu_core.data.picture import PictureError
from adu_core.data.sources import source_names
from adu_core.machine.files import read_json
from adu_core.runs.grid import read_grids

CLASSES = ("cat", "my dog")


@pytest.fixture
def root(tmp_path) -> Path:
    """Two domains with plain lists, names with blanks among them."""
    warn.cache_clear()
    for domain in ("photo", "sketch"):
        for name in CLASSES:
            for number in range(10):
                draw(tmp_path / domain / name / f"{number:02}.png")
    parts = {"train": range(6), "val": range(6, 8), "test": range(8, 10)}
    return write_lists(tmp_path, {"photo": parts, "sketch": parts}, CLASSES)


def rewrite(root: Path, change) -> None:
    """Every list's lines, changed."""
    for path in (root / "splits").iterdir():
        path.write_bytes(change(path.read_text().splitlines()))


def text(lines: list[str]) -> bytes:
    return "\n".join(lines).encode()


def each(change):
    """What changes one line, for all lines: (path, label) → line."""
    return lambda lines: text([change(*line.rsplit(" ", 1)) for line in lines])


@pytest.mark.parametrize(
    "change",
    [
        lambda lines: "\r\n".join(lines).encode(),
        lambda lines: "\r".join(lines).encode(),
        lambda lines: "\n".join(lines).encode("utf-8-sig"),
        lambda lines: "\r\n".join(lines).encode("utf-16"),
        lambda lines: b"\xfe\xff" + "\r\n".join(lines).encode("utf-16-be"),
        lambda lines: "\n".join(lines).encode("utf-32"),
        lambda lines: text(["# the pictures", "", *(f"  {line} \t" for line in lines), "", "  "]),
        lambda lines: text(["path,label", *(",".join(line.rsplit(" ", 1)) for line in lines)]),
        each(lambda path, label: f"{path}\t{label}"),
        each(lambda path, label: f"{path} , {label}"),
        each(lambda path, label: f'"{path}","{label}"'),
        each(lambda path, label: f"'{path}';{label}"),
        each(lambda path, label: f"{path}    {label}"),
        each(lambda path, label: f"./{path} {int(label) + 1}"),
        each(lambda path, label: "{} {}".format(path.replace("/", "\\"), label)),
        each(lambda path, label: "{} {}".format(".\\" + path.replace("/", "\\"), label)),
    ],
)  # fmt: skip
def test_the_same_list_written_otherwise_is_the_same(root, change):
    before = read_lists(root)
    rewrite(root, change)
    assert read_lists(root) == before
    assert before.class_names == CLASSES
    assert sum(len(x) for *_, pool in before.pools() for x in pool.values()) == 40


def test_paths_may_begin_at_the_root_of_the_disk(root):
    before = read_lists(root)
    rewrite(root, each(lambda path, label: f"{root / path} {label}"))
    assert read_lists(root) == before


@pytest.mark.parametrize(("disk", "said"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_accents_are_found_however_they_are_written(root, disk, said):
    for domain in ("photo", "sketch"):
        (root / domain / "cat").rename(root / domain / normalize(disk, "café"))
        for path in (root / domain / normalize(disk, "café")).iterdir():
            path.rename(path.with_name(normalize(disk, f"é{path.name}")))
    rewrite(root, each(lambda path, label: normalize(
        said, f"{path.replace('cat/', 'café/é')} {label}")))  # fmt: skip
    listing = read_lists(root)
    assert listing.class_names == (normalize("NFC", "café"), "my dog")
    assert all(x.is_file() for *_, pool in listing.pools() for y in pool.values() for x in y)


def test_names_of_lists_may_be_in_capitals_and_forks_are_no_lists(root):
    before = read_lists(root)
    (root / "splits" / "photo_train.txt").rename(root / "splits" / "photo_Train.TXT")
    (root / "splits" / "._photo_train.txt").write_bytes(b"\0\5\x16\7\0")
    assert read_lists(root) == before


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("photo/cat/00.png", r"line 1: 'photo/cat/00\.png' \(it has no label at its end\)"),
        ("0 photo/cat/00.png", r"line 1: .*label 'photo/cat/00\.png' is no whole number from 0"),
        ("photo/cat/00.png -1", r"line 1: .*its label '-1' is no whole number from 0"),
        ("photo/cat/00.png 0.0", "its label '0.0' is no whole number"),
        ("photo/cat/00.png cat", "its label 'cat' is no whole number"),
        ("photo/cat/00.png ٣", "its label '٣' is no whole number"),
        ("00.png 0", "its picture lies in no class's folder"),
        ("C:\\pacs\\photo\\cat\\99.png 0", r"line 1 names C:/pacs/photo/cat/99\.png"),
        ("/home/else/photo/cat/00.png 0", r"line 1 names /home/else/photo/cat/00\.png"),
        ("photo/cat/06.png 0", r"train and validation lists of photo have 1 pictures in common"),
    ],
)  # fmt: skip
def test_a_line_that_cannot_be_meant_is_named_with_what_it_lacks(root, line, message):
    path = root / "splits" / "photo_train.txt"
    path.write_text("\n".join([line, *path.read_text("utf-8").splitlines()[1:]]), "utf-8")
    with pytest.raises(PictureError, match=message) as caught:
        source_names(f"lists:{root}")
    assert "\n" not in str(caught.value)
    assert "photo" in str(caught.value)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ("a/b/1.png 0\na/café/1.png 1".encode("latin-1"), "as UTF-8: line 2 has the byte 0xe9"),
        (b"photo/cat/00.png 0\r\xff\xfe", "line 2 has the byte 0xff; save the list as UTF-8"),
        ("photo/cat/00.png 0".encode("utf-16-le"), "UTF-16 without its mark"),
        (b"\xff\xfep", "cannot be read as UTF-16"),
        (b"\xef\xbb\xbf\n", "is empty"),
    ],
)  # fmt: skip
def test_bytes_that_are_no_text_are_named(root, raw, message):
    (root / "splits" / "photo_train.txt").write_bytes(raw)
    with pytest.raises(PictureError, match=rf"photo_train\.txt .*{message}"):
        source_names(f"lists:{root}")


def test_a_picture_in_the_lists_of_two_domains_is_refused(root):
    for domain in ("photo", "sketch"):
        for part in ("train", "val", "test"):
            path = root / "splits" / f"{domain}_{part}.txt"
            path.write_text(path.read_text().replace("photo/", "all/").replace("sketch/", "all/"))
    (root / "photo").rename(root / "all")
    with pytest.raises(PictureError, match="pictures of another domain are listed"):
        read_lists(root)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("part", [" ", "\t", ","])
def test_names_of_imagenets_numbers_in_any_text(tmp_path, encoding, end, part):
    for place in ("imagenet/images", "imagenet-sketch/images"):
        for number in ("n01440764", "n01443537"):
            for i in range(3):
                draw(tmp_path / place / number / f"{i}.png")
    names = end.join([f"n01440764{part}tench", f"n01443537{part}gold fish, red", ""])
    (tmp_path / "imagenet" / "classnames.txt").write_bytes(names.encode(encoding))
    assert source_names(f"imagenet:{tmp_path}")[0] == ("gold fish, red", "tench")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_json_and_yaml_are_read_as_windows_writes_them(tmp_path, encoding):
    (tmp_path / "a.json").write_bytes(json.dumps({"café": 1}).encode(encoding))
    assert read_json(tmp_path / "a.json") == {"café": 1}
    (tmp_path / "a.yml").write_bytes("methods: [gate]\r\nshots: [2]\r\n".encode(encoding))
    assert read_grids(tmp_path / "a.yml")[0].shots == [2]
    for name in ("a.json", "a.yml"):
        (tmp_path / name).write_bytes("café: é".encode("latin-1"))
        with pytest.raises(ValueError, match=name.replace(".", r"\.")):
            (read_json if name == "a.json" else read_grids)(tmp_path / name)
