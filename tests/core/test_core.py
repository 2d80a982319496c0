"""The core is small: it stands on torch and open_clip, and on no room that is built on it."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import adu_core

PACKAGE = Path(adu_core.__file__).parent
CORE = sorted(path for path in PACKAGE.glob("*.py") if not path.stem.startswith("__"))
ROOMS = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()}
#: What it may need beside Python's own library.
LIBRARIES = {"adu_core", "numpy", "open_clip", "pydantic", "torch", "tqdm"}


def imported(path: Path) -> set[str]:
    """The modules that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("path", CORE, ids=lambda path: path.stem)
def test_the_core_imports_no_room_and_nothing_heavy(path: Path) -> None:
    for name in imported(path):
        first, _, rest = name.partition(".")
        assert first in LIBRARIES | sys.stdlib_module_names, name
        assert first != "adu_core" or rest.partition(".")[0] not in ROOMS, name


def test_the_reading_order_names_every_file() -> None:
    order = [word.strip("`,.;: ") for word in (adu_core.__doc__ or "").split()]
    assert {path.stem for path in CORE} <= set(order)


def test_importing_the_losses_loads_little() -> None:
    code = (
        "import sys, adu_core.losses; "
        "print(*(name for name in sys.modules if name.startswith('adu_core')))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(told.stdout.split()) == {"adu_core", "adu_core.losses", "adu_core.precision"}


def test_it_is_read_in_an_hour() -> None:
    assert sum(len(path.read_text(encoding="utf-8").splitlines()) for path in CORE) <= 1750
