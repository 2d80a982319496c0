"""One line names the pictures: its grammar, and every layout that a dataset comes in."""

import re
import shutil

import pytest
import torch
from trees import draw, tree, write_lists

from adu_core.cli import main
from adu_core.data import layouts
from adu_core.data.grammar import KINDS, Source, joined, parse
from adu_core.data.layouts import KNOWN, find
from adu_core.data.listing import Listing
from adu_core.data.lists import read_lists
from adu_core.data.messages import warn
from adu_core.data.picture import PictureError
from adu_core.data.shares import PIECES, TEST, TRAIN, VALIDATION
from adu_core.data.sources import load_splits, read_share, source_names
from adu_core.runs.spec import Spec

CLASSES = ("alarm_clock", "dog")
TWO = ("photo", "sketch")
PACS = ("art_painting", "cartoon", "photo", "sketch")


@pytest.fixture(autouse=True)
def _say_everything_again() -> None:
    warn.cache_clear()


def shared(source: str, shots: int = 1) -> list[set[tuple[int, ...]]]:
    """The pictures of each share, as colours: (class, domain, number); checked to be disjoint."""
    shares = [
        {tuple(picture[:, 0, 0].tolist()) for picture in read_share(source, share, 4).pictures}
        for share in (TRAIN, VALIDATION, TEST)
    ]
    assert not shares[0] & shares[1]
    assert not shares[0] & shares[2]
    assert not shares[1] & shares[2]
    assert (load_splits(source, size=4, shots=shots).shots.counts() == shots).all()
    return shares


def numbers(pictures: set[tuple[int, ...]]) -> set[int]:
    return {number for _, _, number in pictures}


# The grammar.


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("world", Source("world")),
        ("folder:a/b", Source("folder", "a/b")),
        (r"folder:C:\pictures", Source("folder", r"C:\pictures")),
        ("hub:flwrlabs/pacs?skip-bad", Source("hub", "flwrlabs/pacs", True)),
        ("pacs:/d?skip-small=8", Source("pacs", "/d", False, 8)),
        ("pacs:/d?skip-bad&skip-small=8", Source("pacs", "/d", True, 8)),
        ("world?mix=0", Source("world", mix=0.0)),
        ("world?mix=0.35", Source("world", mix=0.35)),
    ],
)
def test_a_line_is_taken_apart_and_put_together(text, expected):
    assert parse(text) == expected
    assert str(parse(text)) == text


def test_a_question_mark_in_the_name_of_a_folder_is_no_option(tmp_path):
    folder = tmp_path / "what?skip-bad"
    folder.mkdir()
    assert parse(f"folder:{folder}") == Source("folder", str(folder))
    assert parse(f"folder:{folder}?skip-bad") == Source("folder", str(folder), True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("moon", "no data 'moon': give 'world' or one of 'folder:ROOT'"),
        ("moon:x", "no data 'moon:x'"),
        ("world:x", "no data 'world:x'"),
        ("", "no data ''"),
        ("folder", "lacks its ROOT: give 'folder:ROOT'"),
        ("office-home", "give 'office-home:ROOT', or --data office-home --root ROOT"),
        ("hub:", "lacks its NAME: give 'hub:NAME'$"),
        ("world?skip-bad", "the drawn world has no bad pictures"),
        ("folder:x?skip-all", "no option 'skip-all'.*skip-bad, skip-small"),
        ("folder:x?mix=0.2", "mix is for the drawn world"),
        ("world?mix=0.6", "'world.mix=0.6': mix must be a number from 0 to 0.5"),
        ("world?mix=nan", "mix must be a number from 0 to 0.5"),
        ("world?mix=much", "mix must be a number from 0 to 0.5"),
        ("folder:x?skip-small=0", "no option 'skip-small=0'"),
        ("folder:x?skip-small=", "no option 'skip-small='"),
    ],
)
def test_a_line_that_says_nothing_is_answered_with_what_there_is(text, message):
    with pytest.raises(ValueError, match=message):
        source_names(text)


@pytest.mark.parametrize("name", ["pictures", "my pictures", "a,b", "pictures?skip-bad", "C:x"])
def test_a_folder_or_a_file_alone_is_told_its_kind(tmp_path, monkeypatch, capsys, name):
    (tmp_path / name).mkdir()
    (tmp_path / "rows.parquet").touch()
    monkeypatch.chdir(tmp_path)
    for place in (name, str(tmp_path / name)):
        assert main(["run", "--data", place]) == 2
        said = capsys.readouterr().err
        assert f"there is such a folder, say --data folder:{place}; or else give 'world'" in said
        assert "'imagenet-r:ROOT'" in said
        assert parse(f"folder:{place}").place == place
    with pytest.raises(ValueError, match=r"such a file, say --data hub:rows\.parquet"):
        parse("rows.parquet")


def test_the_root_and_what_is_left_out_are_joined_to_one_line():
    assert joined("pacs", "/d") == "pacs:/d"
    assert joined("pacs", "/d", skip_bad=True, shots=4) == "pacs:/d?skip-bad&skip-small=4"
    assert joined("pacs:/d?skip-bad", shots=2) == "pacs:/d?skip-bad&skip-small=2"
    for text in ("world", "hub", "pacs:/e", "moon"):
        with pytest.raises(ValueError, match="--root /d goes with a --data that needs"):
            joined(text, "/d")


def test_the_command_line_joins_them(tmp_path, capsys):
    for words, message in (
        (["--data", "office-home"], "or --data office-home --root ROOT"),
        (["--data", "office-home", "--root", str(tmp_path)], f"no office-home in {tmp_path}"),
        (["--root", str(tmp_path)], "goes with a --data that needs"),
        (["--data", "folder:x", "--download"], "--download goes with --data hub:NAME"),
    ):
        assert main(["run", *words]) == 2
        assert message in capsys.readouterr().err


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


def test_records_of_before_keep_their_hash_and_what_is_left_out_makes_another():
    from adu_core.rivals.methods import method
    from adu_core.task import Target

    def spec(data: str) -> Spec:
        return Spec(method("zero-shot", "mini"), Target(("sketch",)), data=data)

    assert set(spec("folder:x").as_dict()) == {
        "data", "clip", "method", "forget", "shots", "limit", "seed", "on", "measure",
    }  # fmt: skip
    hashes = {spec(f"folder:x{more}").hash for more in ("", "?skip-bad", "?skip-small=8")}
    assert len(hashes) == 3
    for data in ("folder:x?skip-bad&skip-small=8", "pacs:x", "hub:flwrlabs/pacs"):
        assert Spec.from_dict(spec(data).as_dict(), "here") == spec(data)


# Classes that are too small.


def test_small_classes_are_an_error_or_left_out_everywhere(tmp_path, capsys):
    root = tree(tmp_path, TWO, ("cat", "dog", "pig"), 10)
    for number in range(2, 10):
        (root / f"photo/pig/{number:02}.png").unlink()
    shutil.rmtree(root / "sketch/cat")
    with pytest.raises(PictureError, match="every class needs pictures in every domain"):
        source_names(f"folder:{root}")
    assert source_names(f"folder:{root}?skip-small=2") == (("dog",), TWO)
    said = capsys.readouterr().err
    assert "skip-small=2 leaves 2 of 3 classes out of every domain: cat; pig" in said
    splits = load_splits(f"folder:{root}?skip-small=6", size=4, shots=6)
    assert splits.shots.counts().tolist() == [[6, 6]]
    assert splits.test.class_names == ("dog",)
    with pytest.raises(PictureError, match="skip-small=7 no class is left"):
        source_names(f"folder:{root}?skip-small=7")


# Lists.


def listed(root, parts, first=0, **more):
    write_lists(root, dict.fromkeys(more.pop("domains", TWO), parts), CLASSES, first, **more)
    return root


def test_train_crossval_and_test_lists_are_used_as_they_are(tmp_path):
    root = tree(tmp_path, TWO, CLASSES, 10)
    listed(root, {"train": range(5), "crossval": range(5, 7), "test": range(7, 10)})
    assert source_names(f"lists:{root}") == (("alarm clock", "dog"), TWO)
    shares = shared(f"lists:{root}", 5)
    assert [numbers(share) for share in shares] == [set(range(5)), {5, 6}, {7, 8, 9}]
    assert {(label, domain) for label, domain, _ in shares[0]} == {(0, 0), (0, 1), (1, 0), (1, 1)}


def test_a_tenth_of_train_is_for_choosing_where_there_is_a_test_list(tmp_path):
    root = tree(tmp_path, TWO, CLASSES, 24)
    listed(root, {"train": range(20), "test": range(20, 24)})
    train, validation, test = shared(f"lists:{root}")
    assert [len(share) for share in (train, validation, test)] == [4 * 18, 4 * 2, 4 * 4]
    assert numbers(test) == set(range(20, 24))


def test_a_train_list_alone_is_shared_out_as_a_folder(tmp_path):
    root = tree(tmp_path, TWO, CLASSES, 10)
    listed(root, {"train": range(10)})
    assert shared(f"lists:{root}") == shared(f"folder:{root}")


def test_lists_may_count_from_one_and_pictures_lie_in_images(tmp_path):
    tree(tmp_path / "images", TWO, CLASSES, 10)
    listed(tmp_path, {"train": range(9), "crossval": range(9, 10)}, first=1, end="_kfold")
    train, validation, test = shared(f"lists:{tmp_path}")
    assert numbers(validation) == {9}
    assert [len(x) for x in (train, validation, test)] == [24, 4, 12]


def spoil(root, name: str, old: str, new: str) -> None:
    path = root / "splits" / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("/dog/02.png 1", "/dog/02.png 2", r"out of range: photo_train\.txt line 8 has 2; there "
         "are 2 classes, so they run from 0 to 1"),
        ("/dog/02.png 1", "/dog/02.png 0", r"line 8 has 0, 'alarm clock', for photo/dog/02\.png"),
        ("/dog/02.png 1", "/dog/99.png 1", r"1 pictures are listed but not there: photo_train\.txt "
         r"line 8 names photo/dog/99\.png"),
        ("/dog/02.png 1", "/dog/01.png 1", r"more than once: photo/dog/01\.png \(2 times\)"),
        ("/dog/02.png 1", "/dog/06.png 1", r"photo have 1 pictures in common: photo/dog/06\.png"),
        ("photo/dog/02.png", "sketch/dog/02.png", r"another domain.*names sketch/dog/02\.png"),
        ("/dog/02.png 1", "/dog/02.png", r"not 'path label': line 8: 'photo/dog/02\.png'"),
        ("photo/dog/02.png 1", "02.png 1", "not 'path label'"),
    ],
)  # fmt: skip
def test_lists_that_contradict_themselves_or_the_disk_are_named(tmp_path, old, new, message):
    root = tree(tmp_path, TWO, CLASSES, 10)
    listed(root, {"train": range(5), "crossval": range(5, 7), "test": range(7, 10)})
    spoil(root, "photo_train.txt", old, new)
    with pytest.raises(PictureError, match=message):
        source_names(f"lists:{root}")


def test_at_most_ten_of_many_wrong_lines_are_listed(tmp_path):
    root = tree(tmp_path, TWO, CLASSES, 20)
    listed(root, {"train": range(20)})
    shutil.rmtree(root / "photo" / "dog")
    with pytest.raises(PictureError, match="20 pictures are listed but not there") as caught:
        source_names(f"lists:{root}")
    assert len(re.findall(r"\.txt line", str(caught.value))) == 10
    assert "…" in str(caught.value)


def test_a_listed_picture_that_is_not_there_can_be_left_out(tmp_path, capsys):
    root = tree(tmp_path, TWO, CLASSES, 10)
    listed(root, {"train": range(10)})
    (root / "photo/dog/03.png").unlink()
    train, validation, test = shared(f"lists:{root}?skip-bad")
    assert len(train | validation | test) == 39
    assert "skip-bad leaves out 1 pictures that are listed but not there" in capsys.readouterr().err


def test_other_wrong_lists_are_named_too(tmp_path):
    root = tree(tmp_path, TWO, CLASSES, 10)
    with pytest.raises(PictureError, match=r"no lists in \S+splits; expected <root>/splits/"):
        read_lists(root)
    listed(root, {"test": range(10)})
    with pytest.raises(PictureError, match=r"no list of training pictures, photo_train\.txt"):
        read_lists(root)
    listed(root, {"train": range(5), "val": range(5, 10), "crossval": range(5, 10)})
    with pytest.raises(PictureError, match="list the same part: remove one"):
        read_lists(root)
    shutil.rmtree(root / "splits")
    listed(root, {"train": range(10)}, domains=["photo"])
    with pytest.raises(PictureError, match="has a single domain, photo"):
        read_lists(root)
    write_lists(root, {"sketch": {"train": range(10)}}, CLASSES[:1])
    with pytest.raises(PictureError, match=r"every class needs pictures.*sketch has no dog"):
        read_lists(root)
    (root / "splits" / "sketch_train.txt").write_text("\n")
    with pytest.raises(PictureError, match=r"sketch_train\.txt is empty"):
        read_lists(root)
    listed(root, {"train": range(10)})
    with pytest.raises(PictureError, match=r"neither in \S+ nor in \S+images: unpack"):
        read_lists(shutil.copytree(root / "splits", root / "other" / "splits").parent)


def test_every_set_of_parts_gives_three_shares_of_its_own():
    for parts, pieces in PIECES.items():
        assert set(pieces) == {TRAIN, VALIDATION, TEST}
        assert "train" in parts
        used = {(part, share) for part, share, _ in pieces.values()}
        assert len(used) == 3
        assert {part for part, _ in used} == parts


# Datasets that have a name.


@pytest.mark.parametrize("under", ["", "pacs", "PACS", "pacs/images"])
def test_pacs_as_plain_folders(tmp_path, under):
    root = tree(tmp_path / under, PACS, CLASSES, 5)
    (root / "splits").mkdir(exist_ok=True)
    tree(root, ["__MACOSX", "other"], CLASSES, 1)
    names = ("art painting", "cartoon", "photo", "sketch")
    assert source_names(f"pacs:{tmp_path}") == (("alarm clock", "dog"), names)


@pytest.mark.parametrize("under", ["", "pacs"])
@pytest.mark.parametrize("whole", [True, False])
def test_pacs_with_its_lists_whose_test_is_everything(tmp_path, under, whole, capsys):
    root = tmp_path / under
    tree(root / "images", PACS, CLASSES, 20)
    parts = {"train": range(18), "crossval": range(18, 20)} | ({"test": range(20)} if whole else {})
    listed(root, parts, first=1, end="_kfold", domains=PACS)
    train, validation, test = shared(f"pacs:{tmp_path}")
    assert numbers(validation) == {18, 19}
    assert [len(x) for x in (train, validation, test)] == [8 * 12, 8 * 2, 8 * 6]
    assert "has 2 classes where pacs has 7: is it all there?" in capsys.readouterr().err


@pytest.mark.parametrize("under", ["", "OfficeHomeDataset_10072016"])
@pytest.mark.parametrize("real", ["Real World", "Real_World"])
def test_office_home_as_it_is_unpacked(tmp_path, under, real):
    tree(tmp_path / under, ["Art", "Clipart", "Product", real], ["Alarm_Clock", "Bed"], 5)
    names = (("alarm clock", "bed"), ("art", "clipart", "product", "real world"))
    assert source_names(f"office-home:{tmp_path}") == names
    shared(f"office-home:{tmp_path}")


def test_office_home_as_dassl_has_it(tmp_path):
    for order, domain in enumerate(("art", "clipart", "product", "real_world")):
        for number in range(20):
            for label, name in enumerate(CLASSES):
                part = "train" if number < 15 else "val"
                path = tmp_path / "office_home_dg" / domain / part / name / f"{number}.png"
                draw(path, (label, order, number))
    train, validation, test = shared(f"office-home:{tmp_path}")
    assert numbers(validation) == set(range(15, 20))
    assert [len(x) for x in (train, validation, test)] == [80, 40, 40]


SIX = ("clipart", "infograph", "painting", "quickdraw", "real", "sketch")


def test_domainnet_with_and_without_its_lists(tmp_path):
    tree(tmp_path / "domainnet", SIX, CLASSES, 12)
    assert source_names(f"domainnet:{tmp_path}") == (("alarm clock", "dog"), SIX)
    folders = shared(f"domainnet:{tmp_path}")
    listed(tmp_path / "domainnet", {"train": range(10), "test": range(10, 12)}, domains=SIX)
    lists = shared(f"domainnet:{tmp_path}")
    assert numbers(lists[2]) == {10, 11}
    assert lists != folders


def test_mini_domainnet_lies_among_the_pictures_of_domainnet(tmp_path):
    four = KNOWN["mini-domainnet"].domains
    tree(tmp_path, SIX, (*CLASSES, "zebra"), 6)
    with pytest.raises(PictureError, match=r"no mini-domainnet in .* needs lists splits_mini/"):
        source_names(f"mini-domainnet:{tmp_path}")
    listed(tmp_path, {"train": range(4), "test": range(4, 6)}, domains=four, splits="splits_mini")
    assert source_names(f"mini-domainnet:{tmp_path}") == (("alarm clock", "dog"), four)
    shared(f"mini-domainnet:{tmp_path}")


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_a_missing_domain_is_named(tmp_path, name):
    known = KNOWN[name]
    with pytest.raises(PictureError, match=f"no {name} in {tmp_path}, nor in .*expected|needs"):
        find(name, tmp_path)
    tree(tmp_path, known.domains[1:], CLASSES, 4)
    if known.plain:
        with pytest.raises(PictureError, match=f"no folder for {known.domains[0]}: add the rest"):
            find(name, tmp_path)
    listed(tmp_path, {"train": range(4)}, domains=known.domains[1:], splits=known.splits)
    with pytest.raises(PictureError, match=f"no lists for {known.domains[0]}: add the rest"):
        find(name, tmp_path)
    with pytest.raises(PictureError, match="nowhere is no folder: pass the folder that holds"):
        find(name, tmp_path / "nowhere")


def test_a_class_missing_in_one_domain_is_named_in_every_layout(tmp_path):
    tree(tmp_path, PACS, CLASSES, 4)
    shutil.rmtree(tmp_path / "photo" / "dog")
    with pytest.raises(PictureError, match=r"photo has no folder for dog"):
        find("pacs", tmp_path)
    assert isinstance(find("pacs", tmp_path, gaps=True), Listing)


def test_a_whole_dataset_is_read_without_a_word(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(layouts.KNOWN, "pacs", layouts.Known(TWO, 2, ()))
    tree(tmp_path, TWO, CLASSES, 5)
    source_names(f"pacs:{tmp_path}")
    assert capsys.readouterr().err == ""
    assert set(KNOWN) | {"folder", "lists", "hub"} == {
        kind for kind in KINDS if not kind.startswith("imagenet")
    }


# ImageNet.

NUMBERS = ("n01440764", "n01443537", "n04008634")


def imagenet(
    root, second="imagenet-sketch/images", real=("imagenet/images/train", "imagenet/images/val")
):
    for number, place in enumerate((*real, second)):
        for label, name in enumerate(NUMBERS):
            for i in range(10):
                draw(root / place / name / f"{i}.png", (label, number, i))
    return root


def name_numbers(root, *names):
    lines = [f"{number} {name}" for number, name in zip(NUMBERS, names, strict=True)]
    (root / "imagenet" / "classnames.txt").write_text("\n".join(lines) + "\n")


def test_imagenet_trains_on_train_and_tests_on_val(tmp_path):
    imagenet(tmp_path)
    name_numbers(tmp_path, "tench", "goldfish", "missile")
    source = f"imagenet:{tmp_path}"
    assert source_names(source) == (("goldfish", "missile", "tench"), ("real", "sketch"))
    train, validation, test = (read_share(source, share, 4) for share in (TRAIN, VALIDATION, TEST))
    assert [x.counts().tolist() for x in (train, validation, test)] == [
        [[9, 6]] * 3, [[1, 1]] * 3, [[10, 3]] * 3,
    ]  # fmt: skip
    places = {x: set(y.pictures[y.domains == 0][:, 1, 0, 0].tolist())
              for x, y in (("train", train), ("val", validation), ("test", test))}  # fmt: skip
    assert places == {"train": {0}, "val": {0}, "test": {1}}


def test_imagenet_of_one_tree_is_shared_out_and_r_has_fewer_classes(tmp_path):
    imagenet(tmp_path, "imagenet-rendition/imagenet-r", ("imagenet/images/val",))
    name_numbers(tmp_path, "tench", "goldfish", "missile")
    shutil.rmtree(tmp_path / "imagenet-rendition/imagenet-r" / NUMBERS[0])
    source = f"imagenet-r:{tmp_path}"
    assert source_names(source) == (("goldfish", "missile"), ("real", "rendition"))
    assert source_names(f"imagenet:{tmp_path}") == source_names(source)
    assert read_share(source, TEST, 4).counts().tolist() == [[3, 3]] * 2


def test_imagenet_says_what_it_lacks(tmp_path, capsys):
    with pytest.raises(PictureError, match=r"lacks ImageNet's photos .*and the domain sketch \("):
        source_names(f"imagenet:{tmp_path}")
    imagenet(tmp_path)
    with pytest.raises(PictureError, match=r"3 classes are numbers.*n01440764.*classnames\.txt"):
        source_names(f"imagenet:{tmp_path}")
    name_numbers(tmp_path, "sunglasses", "goldfish", "sunglasses")
    assert source_names(f"imagenet:{tmp_path}")[0] == ("goldfish", "sunglasses")
    assert "several folders are called sunglasses" in capsys.readouterr().err
    (tmp_path / "imagenet" / "classnames.txt").write_text("tench\n")
    with pytest.raises(PictureError, match="lines that are not 'n01440764 tench': tench"):
        source_names(f"imagenet:{tmp_path}")
    name_numbers(tmp_path, "tench", "goldfish", "missile")
    draw(tmp_path / "imagenet-r/n01440764/1.png")
    with pytest.raises(PictureError, match=r"say which, imagenet-sketch:.* or imagenet-r:"):
        source_names(f"imagenet:{tmp_path}")
    with pytest.raises(PictureError, match="lacks the domain rendition"):
        source_names(
            f"imagenet-r:{shutil.copytree(tmp_path / 'imagenet', tmp_path / 'x/imagenet').parent}"
        )
    shutil.rmtree(tmp_path / "imagenet/images/val" / NUMBERS[0])
    shutil.rmtree(tmp_path / "imagenet/images/train" / NUMBERS[0])
    with pytest.raises(PictureError, match="real has no tench"):
        source_names(f"imagenet-sketch:{tmp_path}")


def test_folders_that_are_called_by_their_class_need_no_list(tmp_path):
    for domain in ("real", "sketch"):
        tree(tmp_path, [domain], ["Great_White", "tench"], 4)
    assert source_names(f"imagenet:{tmp_path}")[0] == ("great white", "tench")


@pytest.mark.parametrize("name", ["pacs", "folder"])
def test_real_pacs_is_read(repository, name):
    root = repository.parent / "shared" / "pacs"
    if not root.is_dir():
        pytest.skip("real pictures are not at ../shared/pacs")
    classes, domains = source_names(f"{name}:{root}")
    assert len(classes) == 7
    assert domains == KNOWN["pacs"].domains
    data = load_splits(f"{name}:{root}", size=16, shots=1, limit=1)
    assert (data.test.counts() == 1).all()
    assert (
        data.test.fingerprint()
        == load_splits(f"folder:{root}", size=16, shots=1, limit=1).test.fingerprint()
    )
