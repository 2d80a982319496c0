"""The method that the page on adding one shows: its file, its line and its test, as they stand."""

import re
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import mean
from types import ModuleType

import pytest

from adu_core import METHODS, Target, Task, evaluate, load_clip, method
from adu_core.data.sources import load_pictures, load_shots
from adu_core.rivals.methods import parse

PAGE = Path(__file__).parents[1] / "book/howto/add-a-method.md"
SECTION = PAGE.read_text(encoding="utf-8")
LINE = re.search(r"^```text\n(.*?)^```$", SECTION, re.MULTILINE | re.DOTALL)[1]
FILE, TEST = re.findall(r"^```python\n(.*?)^```$", SECTION, re.MULTILINE | re.DOTALL)


@pytest.fixture(autouse=True)
def _added(monkeypatch):
    """The page's file is there, and its line in the table of methods."""
    module = ModuleType("adu_core.rivals.ncm")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(compile(FILE, str(PAGE), "exec"), module.__dict__)
    name, where = re.fullmatch(r'"(\S+)": "(\S+)",\n', LINE).groups()
    monkeypatch.setitem(METHODS, name, where)


def test_a_whole_method_has_forty_lines_at_the_most():
    assert len(FILE.splitlines()) <= 40


def test_the_pages_test_passes(tiny_clip, few, tmp_path):
    page: dict[str, Callable] = {}
    exec(compile(TEST, str(PAGE), "exec"), page)
    tests = {name: run for name, run in page.items() if name.startswith("test_")}
    assert len(tests) == 1
    for run in tests.values():
        run(tiny_clip, few, tmp_path)


def test_its_settings_are_read_from_it():
    assert method("ncm", margin=0.02).margin == 0.02
    assert parse(method("ncm"), "margin", "0.01") == 0.01
    with pytest.raises(ValueError, match="margin must be a number"):
        method("ncm", margin="wide")


def test_before_it_learns_it_is_the_zero_shot_model(tiny_clip, few):
    task = Task(tiny_clip, few.shots, Target(("sketch",)))
    pictures = few.test.pictures
    assert method("ncm").start(task).features(pictures).equal(tiny_clip.features(pictures))


def test_it_does_what_the_page_says():
    said = re.search(r"it comes to Mem ([\d.]+), For ([\d.]+) and H ([\d.]+)", SECTION)
    clip = load_clip("mini")
    shots = load_shots("world", size=clip.picture_size)
    pictures = load_pictures("world", "test", size=clip.picture_size, limit=8)
    found = []
    for name in pictures.domain_names:
        target = Target((name,))
        model = method("ncm").fit(Task(clip, shots, target))
        found.append(evaluate(model, pictures, target, entangled=False)[0]["metrics"])
    for key, value in zip(("mem", "for", "h"), said.groups(), strict=True):
        # Of five seeds one, and a third of the pictures.
        assert abs(mean(result[key] for result in found) - float(value)) < 2
