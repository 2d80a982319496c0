"""Lists as Dassl and others write them: read as they are meant, or refused with the line."""

import json
import re
import shutil
from pathlib import Path
from unicodedata import normalize

import pytest
from trees import share_colours, tree, write_lists

from adu_core.data.lists import read_lists
from adu_core.data.picture import PictureError
from adu_core.data.sources import source_names
from adu_core.machine.files import read_json
from adu_core.runs.grid import read_grids

TWO, CLASSES = ("photo", "sketch"), ("cat", "my dog")
PARTS = {"train": range(5), "crossval": range(5, 7), "test": range(7, 10)}


@pytest.fixture
def root(tmp_path) -> Path:
    """Two domains with plain lists, names with blanks among them."""
    return listed(tree(tmp_path, TWO, CLASSES, 10), PARTS)


def listed(root, parts, domains=TWO, classes=CLASSES, **more) -> Path:
    """Lists of these parts for every domain."""
    return write_lists(root, dict.fromkeys(domains, parts), classes, **more)


# Shares.


@pytest.mark.parametrize(
    ("parts", "counts", "tested"),
    [
        (PARTS, (5, 2, 3), range(7, 10)),
        ({"train": range(20), "test": range(20, 24)}, (18, 2, 4), range(20, 24)),
        ({"train": range(9), "val": range(9, 10)}, (6, 1, 3), None),
        ({"train": range(9), "val": range(9, 10), "test": range(10)}, (6, 1, 3), None),
    ],
)
def test_lists_become_shares(tmp_path, parts, counts, tested):
    listed(tree(tmp_path, TWO, CLASSES, 24), parts)
    assert source_names(f"lists:{tmp_path}") == (CLASSES, TWO)
    shares = share_colours(f"lists:{tmp_path}")
    assert [len(share) for share in shares] == [4 * count for count in counts]
    assert tested is None or {number for *_, number in shares[2]} == set(tested)


def test_a_train_list_alone_is_shared_out_as_a_folder(tmp_path):
    listed(tree(tmp_path, TWO, CLASSES, 10), {"train": range(10)})
    assert share_colours(f"lists:{tmp_path}") == share_colours(f"folder:{tmp_path}")


def test_lists_may_count_from_one_and_pictures_lie_in_images(tmp_path):
    tree(tmp_path / "images", TWO, CLASSES, 10)
    listed(tmp_path, {"train": range(9), "crossval": range(9, 10)}, first=1, end="_kfold")
    assert {number for *_, number in share_colours(f"lists:{tmp_path}")[1]} == {9}


# How they are written.


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
    before = read_lists(root).domains
    rewrite(root, change)
    assert read_lists(root).domains == before


@pytest.mark.parametrize(("disk", "list_"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_accents_are_found_however_they_are_written(root, disk, list_):
    for domain in TWO:
        (root / domain / "cat").rename(root / domain / normalize(disk, "café"))
        for path in (root / domain / normalize(disk, "café")).iterdir():
            path.rename(path.with_name(normalize(disk, f"é{path.name}")))
    rewrite(root, each(lambda path, label: normalize(
        list_, f"{path.replace('cat/', 'café/é')} {label}")))  # fmt: skip
    assert source_names(f"lists:{root}") == ((normalize("NFC", "café"), "my dog"), TWO)
    assert share_colours(f"lists:{root}")[0]


def test_names_of_lists_may_be_in_capitals_and_forks_are_no_lists(root):
    before = read_lists(root).domains
    (root / "splits" / "photo_train.txt").rename(root / "splits" / "photo_Train.TXT")
    (root / "splits" / "._photo_train.txt").write_bytes(b"\0\5\x16\7\0")
    assert read_lists(root).domains == before


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_json_and_yaml_are_read_as_windows_writes_them(tmp_path, encoding):
    (tmp_path / "a.json").write_bytes(json.dumps({"café": 1}).encode(encoding))
    assert read_json(tmp_path / "a.json") == {"café": 1}
    (tmp_path / "a.yml").write_bytes("methods: [gate]\r\nshots: [2]\r\n".encode(encoding))
    assert list(read_grids(tmp_path / "a.yml")[0].shots) == [2]
    for name in ("a.json", "a.yml"):
        (tmp_path / name).write_bytes("café: é".encode("latin-1"))
        with pytest.raises(ValueError, match=name.replace(".", r"\.")):
            (read_json if name == "a.json" else read_grids)(tmp_path / name)


# What is wrong with them.


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
        ("photo/cat/00.png 2", r"out of range: there are 2 classes, so they run "
         r"from 0 to 1: photo_train\.txt line 1 names \S+ with the label 2: correct the lists"),
        ("photo/cat/00.png 1", r"do not agree: \S+ line 1 names \S+/00\.png with the label 1"),
        ("photo/cat/99.png 0", r"1 pictures are listed but not in \S+: photo_train\.txt "
         r"line 1 names photo/cat/99\.png"),
        ("photo/cat/01.png 0", r"more than once: \S+ line 2 names photo/cat/01\.png"),
        ("photo/cat/06.png 0", r"train and validation lists of photo have 1 pictures in common"),
        ("sketch/cat/00.png 0", r"another domain.*names sketch/cat/00\.png"),
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
        for part in PARTS:
            path = root / "splits" / f"{domain}_{part}.txt"
            path.write_text(path.read_text().replace("photo/", "all/").replace("sketch/", "all/"))
    (root / "photo").rename(root / "all")
    with pytest.raises(PictureError, match="pictures of another domain are listed"):
        read_lists(root)


def test_pictures_that_are_not_there_are_named_or_left_out(root, capsys):
    shutil.rmtree(root / "photo" / "cat")
    with pytest.raises(PictureError, match="10 pictures are listed but not in"):
        source_names(f"lists:{root}")
    shutil.rmtree(root / "photo" / "my dog")
    with pytest.raises(PictureError, match=r"20 pictures are listed but not in.*…") as caught:
        source_names(f"lists:{root}")
    assert len(re.findall(r"\.txt line", str(caught.value))) == 10
    tree(root, TWO, CLASSES, 10)
    (root / "photo/cat/03.png").unlink()
    assert len(set().union(*share_colours(f"lists:{root}?skip-bad"))) == 39
    assert "--skip-bad: 1 pictures are listed but not in" in capsys.readouterr().err


def test_other_wrong_lists_are_named_too(tmp_path):
    def refused(message: str, where: Path = tmp_path) -> None:
        with pytest.raises(PictureError, match=message):
            source_names(f"lists:{where}")

    tree(tmp_path, TWO, CLASSES, 10)
    refused(r"no lists in \S+splits; expected <root>/splits/")
    listed(tmp_path, {"test": range(10)})
    refused(r"no list of training pictures, photo_train\.txt")
    listed(tmp_path, {"train": range(5), "val": range(5, 10), "crossval": range(5, 10)})
    refused("list the same part: remove one")
    shutil.rmtree(tmp_path / "splits")
    listed(tmp_path, {"train": range(10)}, ["photo"])
    refused("has a single domain, photo")
    listed(tmp_path, {"train": range(10)}, ["sketch"], CLASSES[:1])
    refused(r"too few pictures to share out: sketch/my dog holds 0")
    (tmp_path / "splits" / "sketch_train.txt").write_text("\n")
    refused(r"sketch_train\.txt is empty")
    listed(tmp_path, {"train": range(10)})
    other = shutil.copytree(tmp_path / "splits", tmp_path / "other" / "splits").parent
    refused(r"neither in \S+ nor in \S+images: unpack", other)
