"""Where a result comes from: never another repository's commit, and this run's own memory."""

import importlib.util
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import torch

import adu_core.machine.provenance as provenance

CPU = torch.device("cpu")


def loaded(path: Path) -> ModuleType:
    """The module, as if the package lay where ``path`` is."""
    described = importlib.util.spec_from_file_location("elsewhere", path)
    assert described is not None
    assert described.loader is not None
    module = importlib.util.module_from_spec(described)
    described.loader.exec_module(module)
    return module


def git(folder: Path, *words: str) -> str:
    named = ["-c", "user.name=n", "-c", "user.email=e@x", "-c", "commit.gpgsign=false"]
    done = subprocess.run(
        ["git", *named, *words], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def repository_of_another(tmp_path: Path) -> tuple[Path, Path]:
    """Somebody's repository, with an environment in it that has the package installed."""
    if shutil.which("git") is None:
        pytest.skip("there is no git")
    root = tmp_path / "thesis"
    package = root / "venv" / "adu_core"
    package.mkdir(parents=True)
    copy = package / "provenance.py"
    shutil.copy(provenance.__file__, copy)
    (root / "thesis.txt").write_text("words")
    git(root, "init", "--quiet")
    git(root, "add", "thesis.txt")
    git(root, "commit", "--quiet", "-m", "first")
    return root, copy


def ignored(root: Path) -> None:
    (root / ".gitignore").write_text("venv/\n")
    git(root, "add", ".gitignore")
    git(root, "commit", "--quiet", "-m", "second")


@pytest.mark.parametrize("prepare", [lambda root: None, ignored], ids=["untracked", "ignored"])
def test_the_commit_of_another_repository_is_not_ours(
    repository_of_another: tuple[Path, Path], prepare: Callable[[Path], None]
) -> None:
    root, copy = repository_of_another
    prepare(root)
    assert loaded(copy).git_commit() is None


def test_tracked_source_has_its_commit_with_a_plus_where_it_was_changed(
    repository_of_another: tuple[Path, Path],
) -> None:
    root, copy = repository_of_another
    git(root, "add", "--force", str(copy))
    git(root, "commit", "--quiet", "-m", "ours")
    commit = git(root, "rev-parse", "--short=12", "HEAD")
    assert loaded(copy).git_commit() == commit
    with copy.open("a") as file:
        file.write("\n# changed\n")
    assert loaded(copy).git_commit() == f"{commit}+"


def test_without_a_repository_or_without_git_there_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "provenance.py"
    shutil.copy(provenance.__file__, copy)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert loaded(copy).git_commit() is None
    monkeypatch.setenv("PATH", str(tmp_path))
    assert provenance.git_commit() is None


PEAKS = """
import json, sys, torch
from pathlib import Path
from adu_core.machine.provenance import peak_memory_mb, reset_peak_memory

def peak(reset):
    reset()
    start = peak_memory_mb(torch.device("cpu"))
    block = torch.ones(100_000_000)  # 400 MB
    high = peak_memory_mb(torch.device("cpu"))
    del block
    reset()
    return start, high, peak_memory_mb(torch.device("cpu"))

def by_hand():
    Path("/proc/self/clear_refs").write_text("5")

try:
    by_hand()
except OSError:
    print("null")
else:
    print(json.dumps([peak(by_hand), peak(lambda: reset_peak_memory(torch.device("cpu")))]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the peak cannot be reset")
def test_the_peak_is_of_what_came_after_the_reset() -> None:
    """In a process of its own: a long-lived one may have 400 MB to reuse."""
    command = [sys.executable, "-c", PEAKS]
    found = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    if not found:
        pytest.skip("this container does not let the peak be reset")
    (_, high, low), ours = found
    if low > high - 350:
        pytest.skip("in this container a reset of the peak does nothing")
    start, high, low = ours
    assert high > start + 350
    assert low < start + 100


def test_a_machine_that_does_not_count_memory_has_a_record_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setitem(sys.modules, "resource", None)
    assert provenance.peak_memory_mb(CPU) is None
    assert provenance.provenance(CPU, 0.0)["peak_memory_mb"] is None
