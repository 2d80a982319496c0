"""Datasets that have a name, in every layout that people have them in."""

import shutil

import pytest
from trees import draw, share_colours, tree, write_lists

from adu_core.data import layouts
from adu_core.data.grammar import KINDS
from adu_core.data.layouts import KNOWN
from adu_core.data.picture import PictureError
from adu_core.data.sources import TEST, TRAIN, VALIDATION, read_share, source_names

CLASSES, TWO = ("alarm_clock", "dog"), ("photo", "sketch")
PACS = ("art_painting", "cartoon", "photo", "sketch")


def numbers(pictures: set[tuple[int, ...]]) -> set[int]:
    return {number for _, _, number in pictures}


def listed(root, parts, domains, **more):
    write_lists(root, dict.fromkeys(domains, parts), CLASSES, **more)


@pytest.mark.parametrize(
    ("name", "under", "domains"),
    [
        *(("pacs", under, PACS) for under in ("", "pacs", "PACS", "pacs/images")),
        ("office-home", "", ("Art", "Clipart", "Product", "Real World")),
        ("office-home", "OfficeHomeDataset_10072016", ("Art", "Clipart", "Product", "Real_World")),
    ],
)
def test_plain_folders_as_they_are_unpacked(tmp_path, name, under, domains):
    root = tree(tmp_path / under, domains, ("Alarm_Clock", "dog"), 5)
    (root / "splits").mkdir()
    tree(root, ["__MACOSX", "other"], CLASSES, 1)
    assert source_names(f"{name}:{tmp_path}") == (("alarm clock", "dog"), KNOWN[name].domains)
    share_colours(f"{name}:{tmp_path}")


@pytest.mark.parametrize("under", ["", "pacs"])
@pytest.mark.parametrize("whole", [True, False])
def test_pacs_with_its_lists_whose_test_is_everything(tmp_path, under, whole, capsys):
    root = tmp_path / under
    tree(root / "images", PACS, CLASSES, 20)
    parts = {"train": range(18), "crossval": range(18, 20)} | ({"test": range(20)} if whole else {})
    listed(root, parts, first=1, end="_kfold", domains=PACS)
    train, validation, test = share_colours(f"pacs:{tmp_path}")
    assert numbers(validation) == {18, 19}
    assert [len(x) for x in (train, validation, test)] == [8 * 12, 8 * 2, 8 * 6]
    assert "has 2 classes where pacs has 7: is it all there?" in capsys.readouterr().err


def test_office_home_as_dassl_has_it(tmp_path):
    for order, domain in enumerate(("art", "clipart", "product", "real_world")):
        for number in range(20):
            for label, name in enumerate(CLASSES):
                part = "train" if number < 15 else "val"
                path = tmp_path / "office_home_dg" / domain / part / name / f"{number}.png"
                draw(path, (label, order, number))
    train, validation, test = share_colours(f"office-home:{tmp_path}")
    assert numbers(validation) == set(range(15, 20))
    assert [len(x) for x in (train, validation, test)] == [80, 40, 40]


SIX = ("clipart", "infograph", "painting", "quickdraw", "real", "sketch")


def test_domainnet_with_and_without_its_lists(tmp_path):
    tree(tmp_path / "domainnet", SIX, CLASSES, 12)
    assert source_names(f"domainnet:{tmp_path}") == (("alarm clock", "dog"), SIX)
    folders = share_colours(f"domainnet:{tmp_path}")
    listed(tmp_path / "domainnet", {"train": range(10), "test": range(10, 12)}, domains=SIX)
    lists = share_colours(f"domainnet:{tmp_path}")
    assert numbers(lists[2]) == {10, 11}
    assert lists != folders


def test_mini_domainnet_lies_among_the_pictures_of_domainnet(tmp_path):
    four = KNOWN["mini-domainnet"].domains
    tree(tmp_path, SIX, (*CLASSES, "zebra"), 6)
    with pytest.raises(PictureError, match=r"no mini-domainnet in .* needs lists splits_mini/"):
        source_names(f"mini-domainnet:{tmp_path}")
    listed(tmp_path, {"train": range(4), "test": range(4, 6)}, domains=four, splits="splits_mini")
    assert source_names(f"mini-domainnet:{tmp_path}") == (("alarm clock", "dog"), four)
    share_colours(f"mini-domainnet:{tmp_path}")


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_a_missing_domain_is_named(tmp_path, name):
    known = KNOWN[name]
    with pytest.raises(PictureError, match=f"no {name} in {tmp_path}, nor in .*expected|needs"):
        source_names(f"{name}:{tmp_path}")
    tree(tmp_path, known.domains[1:], CLASSES, 4)
    if known.plain:
        with pytest.raises(PictureError, match=f"no folder for {known.domains[0]}: add the rest"):
            source_names(f"{name}:{tmp_path}")
    listed(tmp_path, {"train": range(4)}, domains=known.domains[1:], splits=known.splits)
    with pytest.raises(PictureError, match=f"no lists for {known.domains[0]}: add the rest"):
        source_names(f"{name}:{tmp_path}")
    with pytest.raises(PictureError, match="nowhere is no folder: pass the folder that holds"):
        source_names(f"{name}:{tmp_path}/nowhere")


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
    with pytest.raises(PictureError, match="real/tench holds 0"):
        source_names(f"imagenet-sketch:{tmp_path}")


def test_folders_that_are_called_by_their_class_need_no_list(tmp_path):
    for domain in ("real", "sketch"):
        tree(tmp_path, [domain], ["Great_White", "tench"], 4)
    assert source_names(f"imagenet:{tmp_path}")[0] == ("great white", "tench")


@pytest.mark.parametrize(
    ("encoding", "end", "part"),
    [("utf-8", "\n", " "), ("utf-8-sig", "\r\n", "\t"), ("utf-16", "\r", ",")],
)
def test_names_of_imagenets_numbers_in_any_text(tmp_path, encoding, end, part):
    imagenet(tmp_path)
    names = ("tench", "gold fish, red", "missile")
    lines = [f"{number}{part}{name}" for number, name in zip(NUMBERS, names, strict=True)]
    (tmp_path / "imagenet" / "classnames.txt").write_bytes(end.join([*lines, ""]).encode(encoding))
    assert source_names(f"imagenet:{tmp_path}")[0] == ("gold fish, red", "missile", "tench")
