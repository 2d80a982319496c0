"""Settings of all tests, and the small real things that many of them share."""

import os
import sys
from pathlib import Path

# nbformat would spend seconds on jsonschema's grammar of web addresses: no test needs it.
sys.modules["rfc3987_syntax"] = None
# ruff: noqa: E402

import pytest
import torch
from filelock import FileLock
from hypothesis import settings
from quick import quick
from trees import write_pictures

from adu_core import FrozenCLIP, Model, Splits, Target, Task, load_clip, world
from adu_core.cli import main

#: Test files whose results no processor's arithmetic can change; the tests of all others, and of
#: new ones, are marked ``numerics``, and `make machines` runs them on every processor.
EXACT = {
    "address", "alike", "bench", "benchmarks", "cache", "captioning", "cases", "computed",
    "core", "dark", "dataset", "execute", "figures", "files", "folder", "frame", "fronts",
    "fuzz", "grammar", "grid", "hub", "interactive", "layouts", "lists", "names", "notebooks",
    "pages", "picture", "profiles", "provenance", "records", "replace", "settings", "sources",
    "spec", "target", "workflows",
}  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.stem.removeprefix("test_") not in EXACT:
            item.add_marker("numerics")


# A slow or busy machine is no error; a failing example can be repeated on any machine.
settings.register_profile("patient", deadline=None, print_blob=True)
settings.load_profile("patient")


@pytest.fixture(scope="session", autouse=True)
def _threads() -> None:
    """Test processes run side by side: one thread each, unless OMP_NUM_THREADS says otherwise."""
    torch.set_num_threads(int(os.environ.setdefault("OMP_NUM_THREADS", "1")))


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Decoded pictures of tests are not kept where a user's are."""
    os.environ["ADU_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def tiny_path(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A CLIP hardly trained, by the command that trains the real one; once for all processes."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    path = shared / "clip" / "tiny.safetensors"
    with FileLock(shared / "clip.lock"):
        if not path.exists():
            assert main(["pretrain", "--smoke", "--out", str(path)]) == 0
    return str(path)


@pytest.fixture(scope="session")
def tiny_clip(tiny_path: str) -> FrozenCLIP:
    return load_clip(tiny_path)


@pytest.fixture(scope="session")
def mini() -> FrozenCLIP:
    """The shipped CLIP."""
    return load_clip("mini")


@pytest.fixture(scope="session")
def few() -> Splits:
    """Four classes of the world, two pictures of each in each domain."""
    classes = ("car", "house", "tree", "fish")
    parts = (world(part, 2, classes=classes) for part in ("train", "validation", "test"))
    return Splits(*parts)


@pytest.fixture(scope="session")
def gate(few: Splits) -> Model:
    """A gate of the shipped CLIP that refuses sketches."""
    made = quick("gate").fit(Task(load_clip(), few.shots, Target(("sketch",))), 0)
    assert isinstance(made, Model)
    return made


@pytest.fixture(scope="session")
def picture_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Picture files: three domains, two classes, ten pictures of each."""
    domains = ("real", "clipart", "sketch")
    data = world("train", 10, classes=("car", "house"), domains=domains, size=60)
    return write_pictures(tmp_path_factory.mktemp("pictures"), data)


@pytest.fixture(scope="session")
def repository() -> Path:
    return Path(__file__).resolve().parent.parent
