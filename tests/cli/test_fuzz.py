"""What comes from outside, made wrong by chance: each input is taken, or refused in one line.

Every test starts from something whole, damages it at random, and asks for it again. What may come
back is the thing itself, where the damage does no harm, or an error that a caller is told of:
``ValueError`` or ``OSError``, with one line that names the file. Never another exception, never a
half-written file, never longer than a moment.
"""

import json
import re
import string
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from quick import quick

from adu_core import FrozenCLIP, Splits, Target, Task, load_model, save_model
from adu_core.audit.audit import SCORES
from adu_core.audit.audits import read_audits
from adu_core.cli import main
from adu_core.clips.load import load_clip
from adu_core.data.folder import find_folder
from adu_core.data.lists import read_lists
from adu_core.data.picture import read_picture
from adu_core.machine.files import plain, read_json, write_json
from adu_core.rivals.methods import METHODS, method, parse
from adu_core.rivals.saved import read_about
from adu_core.runs.grid import read_grids
from adu_core.runs.record import read_record, record_paths
from adu_core.runs.records import read_table
from adu_core.runs.spec import Spec

ROOT = Path(__file__).parents[2]
#: So many examples of each test; together more than a thousand.
many = settings(
    max_examples=150,
    derandomize=True,  # the same inputs in every run: a failure here is a failure there
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

#: Values of every kind that JSON and YAML have, the likely and the nasty.
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.sampled_from([0, 1, -1, 10**9, 2**31, 2**63]),
    st.floats(allow_nan=True, allow_infinity=True),
    st.text(max_size=12),
    st.sampled_from(
        ["", " ", "\n", "\0", "../..", "nan", "true", "sketch", "car", "🙂", "x" * 5000]
    ),
    st.lists(st.one_of(st.integers(), st.text(max_size=3), st.none()), max_size=3),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)


def spots(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place inside of a JSON value."""
    found = [at]
    if isinstance(value, dict):
        for key, part in value.items():
            found += spots(part, (*at, key))
    elif isinstance(value, list):
        for number, part in enumerate(value[:3]):
            found += spots(part, (*at, number))
    return found


def damaged(data: st.DataObject, whole: Any) -> Any:
    """A copy with one to three places replaced, removed or doubled."""
    value = deepcopy(whole)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.sampled_from(spots(value)))
        if not at:
            continue
        inside = value
        for key in at[:-1]:
            inside = inside[key]
        what = data.draw(st.sampled_from(["replace", "remove", "add"]))
        if what == "replace":
            inside[at[-1]] = data.draw(VALUES)
        elif what == "remove":
            del inside[at[-1]]
        elif isinstance(inside, dict):
            inside[data.draw(st.text(max_size=4))] = data.draw(VALUES)
        else:
            inside.append(data.draw(VALUES))
    return value


def scratched(data: st.DataObject, whole: bytes) -> bytes:
    """The same bytes, cut off, overwritten in places, or with some put in."""
    raw = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, max(0, len(raw) - 1)))
        what = data.draw(st.sampled_from(["cut", "overwrite", "insert", "zero"]))
        if what == "cut":
            del raw[place:]
        elif what == "overwrite":
            patch = data.draw(st.binary(min_size=1, max_size=8))
            raw[place : place + len(patch)] = patch
        elif what == "insert":
            raw[place:place] = data.draw(st.binary(min_size=1, max_size=8))
        else:
            raw[place : place + 16] = bytes(len(raw[place : place + 16]))
    return bytes(raw)


def taken_or_refused(read: Callable[[], Any], *names: str) -> None:
    """Run it; an error must be one of those that are promised, and name one of ``names``."""
    try:
        read()
    except (ValueError, OSError) as error:
        said = str(error)
        assert said.strip(), "an error says something"
        assert any(name in said for name in names), f"{said!r} names none of {names}"


# Files.


@pytest.fixture(scope="module")
def adapter(tiny_clip: FrozenCLIP, few: Splits, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("adapter")
    task = Task(tiny_clip, few.shots, Target(("sketch",)))
    save_model(quick("full").start(task), folder)
    return folder


@many
@given(data=st.data())
def test_an_adapters_json(
    data: st.DataObject, adapter: Path, tiny_clip: FrozenCLIP, tmp_path: Path
) -> None:
    write_json(tmp_path / "adapter.json", damaged(data, read_json(adapter / "adapter.json")))
    (tmp_path / "adapter.safetensors").write_bytes((adapter / "adapter.safetensors").read_bytes())
    taken_or_refused(lambda: read_about(tmp_path), str(tmp_path))
    taken_or_refused(lambda: load_model(tmp_path, tiny_clip), str(tmp_path), "CLIP")


@many
@given(data=st.data())
def test_an_adapters_tensors(
    data: st.DataObject, adapter: Path, tiny_clip: FrozenCLIP, tmp_path: Path
) -> None:
    (tmp_path / "adapter.json").write_bytes((adapter / "adapter.json").read_bytes())
    raw = scratched(data, (adapter / "adapter.safetensors").read_bytes())
    (tmp_path / "adapter.safetensors").write_bytes(raw)
    taken_or_refused(lambda: load_model(tmp_path, tiny_clip), str(tmp_path))


@many
@given(data=st.data())
def test_a_clips_file(data: st.DataObject, tiny_path: str, tmp_path: Path) -> None:
    path = tmp_path / "clip.safetensors"
    path.write_bytes(scratched(data, Path(tiny_path).read_bytes()[:200_000]))
    record = read_json(tiny_path.replace(".safetensors", ".json"))
    write_json(tmp_path / "clip.json", damaged(data, record))
    taken_or_refused(lambda: load_clip(str(path)), str(tmp_path))


@pytest.fixture(scope="module")
def record() -> dict[str, Any]:
    path = next(p for p in record_paths(ROOT / "book/results/causes") if "-full-" in p.name)
    return plain(read_record(path))


@many
@given(data=st.data())
def test_a_record(data: st.DataObject, record: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    write_json(path, damaged(data, record))
    taken_or_refused(lambda: read_table([path]), str(path))


@many
@given(data=st.data())
def test_an_audit(data: st.DataObject, tmp_path: Path) -> None:
    path = tmp_path / "audit.json"
    whole = {
        "schema": 1,
        "method": {"name": "gate", "settings": {"copies": 8}},
        "forget": {"domains": ["sketch"], "classes": []},
        "scores": {**dict.fromkeys(SCORES, 50.0), "cosine": None},
    }
    write_json(path, damaged(data, whole))
    taken_or_refused(lambda: read_audits(path), str(path))


@many
@given(data=st.data())
def test_a_spec(data: st.DataObject, record: dict[str, Any]) -> None:
    taken_or_refused(lambda: Spec.from_dict(damaged(data, record["config"]), "here"), "here")


@many
@given(data=st.data(), name=st.sampled_from(list(METHODS)))
def test_a_methods_settings(data: st.DataObject, name: str) -> None:
    """Typed wrongly, out of range or unknown: refused by name when the method is made."""
    made = method(name)
    known = list(made.as_dict()["settings"])
    setting = data.draw(st.sampled_from([*known, "nosuch"]))
    value = data.draw(VALUES)
    value = tuple(value) if isinstance(value, list) else value
    taken_or_refused(lambda: method(name, "mini", **{setting: value}), setting, name)
    text = data.draw(st.text(alphabet=string.printable, max_size=12))
    taken_or_refused(lambda: parse(made, setting, text), setting)


GRID = {
    "methods": ["full", "gate"],
    "set": {"gamma": [0, 3], "epochs": 2},
    "forget": ["each"],
    "seeds": 2,
    "shots": [1, 2],
    "labels": ["true", "wrong:0.1"],
    "data": ["world", "world?mix=0.25"],
    "clip": "mini",
    "on": "test",
}


@many
@given(data=st.data())
def test_a_grid(data: st.DataObject, tmp_path: Path) -> None:
    path = tmp_path / "grid.yml"
    text = json.dumps(damaged(data, GRID)).encode()
    path.write_bytes(scratched(data, text) if data.draw(st.booleans()) else text)
    known = ("car", "fish"), ("real", "sketch")

    def read() -> None:
        for grid in read_grids(path):
            try:
                grid.specs(lambda _: known)
            except (ValueError, OSError):
                continue  # names what it refuses; it has no file to name

    taken_or_refused(read, str(path))


# Pictures, folders, lists.


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> dict[str, bytes]:
    """One small picture in each format."""
    folder, found = tmp_path_factory.mktemp("formats"), {}
    picture = Image.effect_noise((24, 20), 40).convert("RGB")
    for suffix in ("png", "jpg", "gif", "bmp", "webp", "tif"):
        picture.save(folder / f"one.{suffix}")
        found[suffix] = (folder / f"one.{suffix}").read_bytes()
    return found


@many
@given(data=st.data(), suffix=st.sampled_from(["png", "jpg", "gif", "bmp", "webp", "tif"]))
def test_a_picture(
    data: st.DataObject, suffix: str, pictures: dict[str, bytes], tmp_path: Path
) -> None:
    path = tmp_path / f"one.{suffix}"
    path.write_bytes(scratched(data, pictures[suffix]))

    def read() -> None:
        assert read_picture(path, 16).shape == (3, 16, 16)

    taken_or_refused(read, str(path))


NAMES = st.text(
    alphabet=st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters="/\\"),
    min_size=1,
    max_size=8,
).filter(lambda name: name.strip(". ") != "" and len(name.encode()) < 60)


@many
@given(
    tree=st.dictionaries(NAMES, st.dictionaries(NAMES, st.integers(0, 2), max_size=3), max_size=3)
)
def test_a_folder(tree: dict[str, dict[str, int]], tmp_path_factory) -> None:
    root = tmp_path_factory.mktemp("tree")
    for domain, classes in tree.items():
        (root / domain).mkdir(exist_ok=True)
        for name, count in classes.items():
            (root / domain / name).mkdir(exist_ok=True)
            for number in range(count):
                (root / domain / name / f"{number}.png").touch()
    taken_or_refused(lambda: find_folder(root), str(root))


@many
@given(data=st.data())
def test_lists(data: st.DataObject, tmp_path_factory) -> None:
    root = tmp_path_factory.mktemp("lists")
    folder = root / "splits"
    folder.mkdir()
    lines = [f"{d}/{c}/{n}.png {c == 'dog':d}" for d in ("art", "photo") for c in ("cat", "dog")
             for n in range(2)]  # fmt: skip
    for domain in ("art", "photo"):
        own = "\n".join(line for line in lines if line.startswith(domain)) + "\n"
        for part in ("train", "test"):
            (folder / f"{domain}_{part}.txt").write_bytes(scratched(data, own.encode()))
    for line in lines:
        path = root / line.split()[0]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    taken_or_refused(lambda: read_lists(root), str(root))


# The command line.

WORDS = [
    ["run", "--forget", "sketch", "--method", "gate", "--shots", "2", "--set", "copies=1"],
    ["sweep", "OUT", "--methods", "gate", "--set", "copies=1", "--dry-run"],
    ["bench", "--methods", "gate", "--trials", "0"],
    ["report", "OUT", "--by", "method"],
    ["reproduce", "pacs", "--root", "OUT", "--dry-run"],
    ["audit", "OUT", "--require", "for>=1"],
    ["predict", "--adapter", "OUT", "x.png"],
    ["pretrain", "--out", "OUT/c.safetensors", "--smoke"],
    ["world", "--out", "OUT/w.png"],
]
BAD = [
    "", "-1", "0", "nan", "1e400", "--", "--nosuch", "x=", "=", "epochs=many", "gate,", "nosuch",
    "folder:/nowhere", "hub:", "lists:", "world:x", "cuda:99", "tpu", "\0", "🙂", "a" * 3000,
    "../../etc/passwd", "mini:openai", "9" * 40, "for>=", "%s", "{}", "$(x)", "sketch+sketch",
]  # fmt: skip


@settings(many, max_examples=250)
@given(data=st.data())
def test_words_on_the_command_line(data: st.DataObject, tmp_path_factory, capsys) -> None:
    """A value replaced by a bad one ends with 2 and one line, and nothing is written."""
    out = tmp_path_factory.mktemp("out")
    words = [word.replace("OUT", str(out)) for word in data.draw(st.sampled_from(WORDS))]
    place = data.draw(st.integers(1, len(words)))
    flags = ["--forget", "--shots", "--clip", "--data", "--set", "--seed"]
    flag = data.draw(st.sampled_from(flags))
    bad = data.draw(st.sampled_from(BAD))
    # A bad value at the end of flags that take one: what is not refused at once would be run.
    words = [*words[:place], flag, bad] if data.draw(st.booleans()) else [*words[:place], bad]
    words += ["--device", "nosuch"]  # whatever is still right is refused for this
    try:
        status = main(words)
    except SystemExit as stop:
        status = int(stop.code or 0)
    said = capsys.readouterr().err.strip()
    assert status == 2, (words, said)
    assert said, words
    assert said.count("\n") <= 1, said  # one line, and a progress bar's at most
    assert "Traceback" not in said
    assert not [path for path in out.rglob("*") if path.is_file()], words


def test_no_pickle_is_ever_loaded() -> None:
    """There is no call in the package that could, and no other use of the module."""
    for path in (ROOT / "adu_core").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        code = re.sub(r'""".*?"""|#.*', "", text, flags=re.S)
        assert not re.search(r"\bpickle\b", code), path
        for call in re.findall(r"torch\.load\([^)]*\)", text, re.S):
            assert "weights_only=True" in call, path


def test_a_grid_cannot_ask_for_more_runs_than_anybody_could_run(tmp_path: Path) -> None:
    path = tmp_path / "grid.yml"
    path.write_text("{methods: gate, seeds: 1000000000000}", "utf-8")
    with pytest.raises(ValueError, match="seeds"):
        read_grids(path)
