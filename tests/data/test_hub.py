"""Datasets of the hub's library: local ones in its formats, and those that are not here."""

import gc
import io
import sys
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from adu_core.cli import main
from adu_core.data.picture import PictureError
from adu_core.data.sources import TEST, TRAIN, VALIDATION, load_splits, read_share, source_names

datasets = pytest.importorskip("datasets", reason="the extra hub is not installed")
CLASSES, DOMAINS = ("Alarm_Clock", "dog"), ("Real World", "sketch")
NAMES = (("alarm clock", "dog"), ("real world", "sketch"))
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture(autouse=True)
def _own_place(tmp_path, monkeypatch):
    """What ``datasets`` makes of a local file is not kept where a user's is."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "hf")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setenv("ADU_CACHE", str(tmp_path / "cache"))


def png(colour: object) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 8), colour).save(file, "PNG")
    return file.getvalue()


def rows(count: int = 10, first: int = 0):
    """Ten of each class and domain; colours say class, domain and number."""
    return [
        {
            "image": {"bytes": png((label, domain, i)), "path": None},
            "domain": domain,
            "label": label,
        }
        for i in range(first, first + count)
        for domain in range(2)
        for label in range(2)
    ]


def named(entries):
    """The same with texts for domain and class."""
    return [{**x, "domain": DOMAINS[x["domain"]], "label": CLASSES[x["label"]]} for x in entries]


def made(entries, *, texts: bool = False):
    """A dataset, with class labels or with texts."""
    kinds = {
        name: datasets.Value("string") if texts else datasets.ClassLabel(names=list(names))
        for name, names in (("domain", DOMAINS), ("label", CLASSES))
    }
    return datasets.Dataset.from_list(
        named(entries) if texts else entries,
        features=datasets.Features({"image": datasets.Image(), **kinds}),
    )


def colours(data) -> set[tuple[int, ...]]:
    return {tuple(picture[:, 0, 0].tolist()) for picture in data.pictures}


def check(place: object) -> None:
    source = f"hub:{place}"
    assert source_names(source) == NAMES
    shares = [read_share(source, share, 8) for share in (TRAIN, VALIDATION, TEST)]
    assert [share.counts().tolist() for share in shares] == [[[n, n]] * 2 for n in (6, 1, 3)]
    assert len(set().union(*map(colours, shares))) == 40
    for share in shares:
        assert share.pictures[:, 0, 0, 0].tolist() == share.labels.tolist()
        assert share.pictures[:, 1, 0, 0].tolist() == share.domains.tolist()


@pytest.mark.parametrize("texts", [False, True])
@pytest.mark.parametrize("kind", ["disk", "parquet", "arrow", "folder of parquet"])
def test_a_local_dataset_is_read_in_its_own_format(tmp_path, kind, texts):
    data = made(rows(), texts=texts)
    if kind == "parquet":
        place = tmp_path / "some.parquet"
        data.to_parquet(str(place))
    elif kind == "folder of parquet":
        place = tmp_path / "parquet"
        place.mkdir()
        data.to_parquet(str(place / "train.parquet"))
    else:
        place = tmp_path / "disk"
        data.save_to_disk(str(place))
        if kind == "arrow":
            place = next(place.glob("*.arrow"))
    check(place)


@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")
def test_an_imagefolder_with_its_metadata_is_read(tmp_path):
    lines = ["file_name,domain,label"]
    (tmp_path / "pictures").mkdir()
    for number, row in enumerate(named(rows())):
        (tmp_path / "pictures" / f"{number}.png").write_bytes(row["image"]["bytes"])
        lines.append(f"{number}.png,{row['domain']},{row['label']}")
    (tmp_path / "pictures" / "metadata.csv").write_text("\n".join(lines))
    check(tmp_path / "pictures")
    gc.collect()  # datasets leaves the file of metadata open: let it be closed here


def test_splits_are_used_as_they_are(tmp_path):
    parts = {"train": (0, 10), "test": (10, 4)}
    data = {name: made(rows(count, first)) for name, (first, count) in parts.items()}
    datasets.DatasetDict(data).save_to_disk(str(tmp_path / "disk"))
    source = f"hub:{tmp_path / 'disk'}"
    shares = [read_share(source, share, 8) for share in (TRAIN, VALIDATION, TEST)]
    assert [share.counts().tolist() for share in shares] == [[[n, n]] * 2 for n in (9, 1, 4)]
    assert {number for _, _, number in colours(shares[2])} == set(range(10, 14))
    datasets.DatasetDict({"a": data["train"], "b": data["test"]}).save_to_disk(str(tmp_path / "x"))
    with pytest.raises(PictureError, match="has the splits a, b: they must be called train"):
        source_names(f"hub:{tmp_path / 'x'}")


def test_rows_are_decoded_once_and_anew_when_the_dataset_changes(tmp_path, decoded):
    made(rows()).save_to_disk(str(tmp_path / "disk"))
    source = f"hub:{tmp_path / 'disk'}"
    for _ in range(2):
        first = load_splits(source, size=8, shots=2)
        assert len(decoded) == 8 + 4 + 12
    changed = [{**row, "image": {"bytes": png((row["label"], row["domain"], 99)), "path": None}}
               for row in rows()]  # fmt: skip
    made(changed).save_to_disk(str(tmp_path / "disk"))
    second = load_splits(source, size=8, shots=2)
    assert len(decoded) == 2 * 24
    assert first.test.fingerprint() != second.test.fingerprint()


def test_bad_rows_are_named_or_left_out(tmp_path, capsys):
    entries = rows()
    entries[5]["image"] = {"bytes": b"no picture", "path": None}
    entries[6]["image"] = None
    made(entries).save_to_disk(str(tmp_path / "disk"))
    source = f"hub:{tmp_path / 'disk'}"
    with pytest.raises(
        PictureError, match=r"cannot read the picture hub:\S+, row [56]: .*skip-bad"
    ):
        [read_share(source, share, 8) for share in (TRAIN, VALIDATION, TEST)]
    shares = [read_share(f"{source}?skip-bad", share, 8) for share in (TRAIN, VALIDATION, TEST)]
    assert sum(map(len, shares)) == 38
    assert "skip-bad leaves out" in capsys.readouterr().err


def test_columns_that_are_not_there_are_asked_for(tmp_path):
    data = made(rows(3))
    for changed, message in (
        (
            data.remove_columns("domain"),
            "lacks a domain as class labels or texts, called domain or",
        ),
        (data.remove_columns("image"), "lacks a column of pictures.*It has domain"),
        (
            data.cast_column("label", datasets.Value("int64")),
            r"lacks a class as class labels.*for label with datasets\.ClassLabel\(names=",
        ),
        (data.rename_column("label", "thing"), r"lacks a class .*thing \(int64\)"),
    ):
        place = tmp_path / str(len(list(tmp_path.iterdir())))
        changed.save_to_disk(str(place))
        with pytest.raises(PictureError, match=message):
            source_names(f"hub:{place}")


@pytest.mark.parametrize("kind", ["bytes", "pair", "path", "categories"])
def test_a_table_that_another_program_wrote_is_read(tmp_path, kind):
    entries = named(rows())
    for number, row in enumerate(entries):
        raw = row["image"]["bytes"]
        if kind == "path":
            (tmp_path / "pictures").mkdir(exist_ok=True)
            (tmp_path / "pictures" / f"{number}.png").write_bytes(raw)
            row["image"] = {"bytes": None, "path": f"pictures/{number}.png"}
        elif kind == "bytes":
            row["image"] = raw
    table = pd.DataFrame(entries)
    if kind == "categories":
        table["label"] = table["label"].astype("category")
    table.to_parquet(tmp_path / "some.parquet")
    check(tmp_path / "some.parquet")


@pytest.mark.parametrize("value", [None, -1])
def test_rows_without_a_class_are_named_or_left_out(tmp_path, capsys, value):
    entries = rows()
    entries[7]["label"] = value
    made(entries).save_to_disk(str(tmp_path / "disk"))
    source = f"hub:{tmp_path / 'disk'}"
    message = f"'label' out of range: row 7 has {value}; it runs from 0 .*or say --skip-bad"
    with pytest.raises(PictureError, match=message):
        source_names(source)
    shares = [read_share(f"{source}?skip-bad", share, 8) for share in (TRAIN, VALIDATION, TEST)]
    assert sum(map(len, shares)) == 39
    assert all(x.pictures[:, 0, 0, 0].tolist() == x.labels.tolist() for x in shares)
    assert "--skip-bad leaves out 1 rows" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("/nowhere", "/nowhere does not exist: pass a local dataset, or a name on the hub"),
        ("some.parquet", "some.parquet does not exist"),
        ("a/b/c", "'a/b/c' is no name of the hub: it is like 'flwrlabs/pacs'"),
        ("nobody/nothing", r"nobody/nothing .* is not on this machine .*cannot be reached "
         r"to say its licence.*adu run --data hub:nobody/nothing --download"),
    ],
)  # fmt: skip
def test_what_is_not_here_is_said(monkeypatch, place, message):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises((PictureError, FileNotFoundError), match=message):
        source_names(f"hub:{place}")


def test_the_refusal_says_licence_and_size_where_the_hub_answers(monkeypatch):
    class Api:
        def dataset_info(self, name, timeout, files_metadata):
            file = type("File", (), {"size": 190_000_000})
            return type(
                "Info", (), {"siblings": [file, file], "card_data": {"license": "cc-by-4.0"}}
            )

    monkeypatch.setattr("huggingface_hub.HfApi", Api)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    with pytest.raises(FileNotFoundError, match=r"its licence is cc-by-4\.0, its size 0\.38 GB"):
        source_names("hub:nobody/nothing")
    assert datasets.config.HF_HUB_OFFLINE is True  # as it was


def test_nothing_is_fetched_unless_asked_and_then_once(monkeypatch, capsys, tmp_path):
    asked = []

    def load(name, **more):
        asked.append((name, datasets.config.HF_HUB_OFFLINE))
        raise ConnectionError("no network")

    def unreachable():
        raise ConnectionError("no network")

    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.HfApi", unreachable)
    monkeypatch.setattr(datasets, "load_dataset", load)
    assert main(["run", "--data", "hub:flwrlabs/pacs"]) == 2
    assert asked == [("flwrlabs/pacs", True)]
    assert "is not on this machine" in capsys.readouterr().err
    asked.clear()
    assert main(["run", "--data", "hub:flwrlabs/pacs", "--download"]) == 2
    assert asked == [("flwrlabs/pacs", False)]
    assert "no network" in capsys.readouterr().err


def test_a_dataset_that_was_downloaded_is_found_without_a_network(tmp_path):
    """The folder is as ``datasets`` leaves it after a download."""
    data = made(rows())
    place = tmp_path / "hf" / "nobody___tiny" / "default" / "0.0.0" / "0123456789abcdef"
    place.mkdir(parents=True)
    data.save_to_disk(str(tmp_path / "disk"))
    next((tmp_path / "disk").glob("*.arrow")).rename(place / "tiny-train.arrow")
    splits = datasets.SplitDict()
    splits.add(datasets.SplitInfo("train", num_examples=len(data), dataset_name="tiny"))
    info = datasets.DatasetInfo(
        features=data.features, builder_name="parquet", dataset_name="tiny", config_name="default",
        version="0.0.0", splits=splits,
    )  # fmt: skip
    info.write_to_directory(str(place))
    check("nobody/tiny")


def test_without_the_library_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(ImportError, match=r"pip install 'adu-core\[hub\]'"):
        source_names(f"hub:{Path(__file__).parent}")
