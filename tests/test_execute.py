"""A notebook's kernel comes up whatever others do; a cell that fails is not tried again."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[1]
PROGRAM = ROOT / "book/execute.py"
#: A kernel that is in trouble at its first starts, and counts them all.
KERNEL = """
import json, sys
from pathlib import Path
import zmq
from ipykernel.kernelapp import launch_new_instance

trouble, often, file, *more = sys.argv[1:]
starts = Path(__file__).with_name("starts")
with starts.open("a") as log:
    log.write("one\\n")
if len(starts.read_text().splitlines()) <= int(often):
    if trouble == "dies":
        sys.exit(3)
    told = json.loads(Path(file).read_text())
    address = told["ip"] + {"tcp": ":", "ipc": "-"}[told["transport"]] + str(told["shell_port"])
    other = zmq.Context().socket(zmq.ROUTER)
    other.bind(told["transport"] + "://" + address)
launch_new_instance(["-f", file, *more])
"""


def write(path: Path, *cells: str, kernel: str = "python3") -> Path:
    """A notebook of these cells."""
    v4 = nbformat.v4
    about = {"kernelspec": {"name": kernel, "display_name": kernel, "language": "python"}}
    notebook = v4.new_notebook(cells=[v4.new_code_cell(cell) for cell in cells], metadata=about)
    nbformat.write(notebook, path)
    return path


def command(notebook: Path, *words: str) -> list[str]:
    """What executes it, into a folder beside it."""
    return [sys.executable, str(PROGRAM), str(notebook), str(copy_of(notebook)), *words]


def copy_of(notebook: Path) -> Path:
    return notebook.parent / "copies" / notebook.name


def run(notebook: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(notebook, *words), capture_output=True, text=True, check=False)


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Installs a kernel that is ``often`` in ``trouble``; its starts are lines of a file."""
    folder = tmp_path / "jupyter/kernels/troubled"
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))

    def install(trouble: str, often: int) -> Path:
        folder.mkdir(parents=True)
        (folder / "kernel.py").write_text(KERNEL, encoding="utf-8")
        words = [sys.executable, str(folder / "kernel.py"), trouble, str(often)]
        spec = {"argv": [*words, "{connection_file}"], "display_name": "", "language": "python"}
        (folder / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")
        return folder / "starts"

    return install


@pytest.mark.parametrize("trouble", ["dies", "finds its address taken"])
def test_a_kernel_comes_up_although_its_first_start(trouble: str, kernel, tmp_path: Path) -> None:
    kernel(trouble, 1)
    notebook = write(tmp_path / "a.ipynb", "print(6 * 7)", kernel="troubled")
    done = run(notebook, "--startup", "20")
    assert done.returncode == 0, done.stderr
    (cell,) = nbformat.read(copy_of(notebook), as_version=4).cells
    assert cell.outputs[0].text == "42\n"


def test_a_kernel_that_never_comes_up_is_started_twice(kernel, tmp_path: Path) -> None:
    starts = kernel("dies", 9)
    notebook = write(tmp_path / "a.ipynb", "1", kernel="troubled")
    done = run(notebook)
    assert done.returncode == 1
    assert "Kernel died" in done.stdout
    assert len(starts.read_text().splitlines()) == 2
    assert not copy_of(notebook).exists()


UNDRAWN = "import matplotlib.pyplot as plt\nplt.title(r'$\\frac{$');"


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("1 / 0", "ZeroDivisionError"),
        ("import os; os._exit(1)", "Kernel died"),
        ("import time; time.sleep(60)", "timed out"),
        ("input()", "StdinNotImplementedError"),
        (UNDRAWN, "ParseSyntaxException"),
    ],
)
def test_what_fails_in_a_cell_is_said_and_not_repeated(
    cell: str, said: str, kernel, tmp_path: Path
) -> None:
    starts = kernel("none", 0)
    notebook = write(tmp_path / "a.ipynb", "1", cell, kernel="troubled")
    patience = "3" if "sleep" in cell else "60"
    done = run(notebook, "--timeout", patience)
    assert done.returncode == 1
    assert said in done.stdout
    assert "a.ipynb: it did not run to its end" in done.stderr
    assert len(starts.read_text().splitlines()) == 1
    assert not copy_of(notebook).exists()


#: Says where its kernel is, and ends when the other kernel is there too.
MEETING = """
import time
from pathlib import Path
from ipykernel.connect import get_connection_info
Path("{one}").touch()
while not Path("{other}").exists():
    time.sleep(0.1)
print(get_connection_info(unpack=True))
"""


def test_two_kernels_at_once_share_no_address_and_leave_nothing(tmp_path: Path) -> None:
    pairs = [("a", "b"), ("b", "a")]
    notebooks = [
        write(tmp_path / f"{one}.ipynb", MEETING.format(one=one, other=other))
        for one, other in pairs
    ]
    works = [subprocess.Popen(command(notebook)) for notebook in notebooks]
    assert [work.wait() for work in works] == [0, 0]
    (one,), (other,) = (nbformat.read(copy_of(each), as_version=4).cells for each in notebooks)
    first, second = (ast.literal_eval(cell.outputs[0].text) for cell in (one, other))
    if os.name == "posix":
        assert first["shell_port"] == second["shell_port"]  # told the same, and yet apart
        assert Path(first["ip"]).parent != Path(second["ip"]).parent
        assert not Path(first["ip"]).parent.exists()
    else:
        assert first["shell_port"] != second["shell_port"]


@pytest.mark.parametrize("content", [None, "no JSON", "{}"])
def test_what_is_no_notebook_leaves_nothing(content: str | None, tmp_path: Path) -> None:
    path = tmp_path / "a.ipynb"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    done = run(path)
    assert done.returncode == 1
    assert "a.ipynb: " in done.stderr
    assert not list(copy_of(path).parent.iterdir())


#: In place of the program: a cell that divides by 0 fails.
EXECUTE = """
import sys
from pathlib import Path
notebook, copy = map(Path, sys.argv[1:3])
if "1 / 0" in notebook.read_text():
    sys.exit(1)
copy.parent.mkdir(parents=True, exist_ok=True)
copy.touch()
print(f"{notebook}: executed")
"""


@pytest.mark.skipif(os.name == "nt", reason="the Makefile is not for Windows")
def test_make_executes_what_failed_or_changed_and_all_when_the_library_did(
    tmp_path: Path,
) -> None:
    for name in ("adu_core/a.py", "book/results/a.json", "pyproject.toml", "requirements.lock"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    shutil.copyfile(ROOT / "Makefile", tmp_path / "Makefile")
    (tmp_path / "book/execute.py").write_text(EXECUTE, encoding="utf-8")
    for name in (".venv", "notebooks"):
        (tmp_path / name).mkdir()
    (tmp_path / ".venv/.ready").touch()
    good, bad = (tmp_path / f"notebooks/{name}.ipynb" for name in ("good", "bad"))
    environment = {key: value for key, value in os.environ.items() if "MAKE" not in key}

    def make() -> tuple[bool, set[str]]:
        """Whether it ended well, and which notebooks were executed."""
        words = ["make", "notebooks", f"BIN={Path(sys.executable).parent}"]
        done = subprocess.run(
            words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        executed = re.findall(r"notebooks/(\w+)\.ipynb: executed", done.stdout)
        return done.returncode == 0, set(executed)

    write(good, "1")
    write(bad, "1 / 0")
    assert make() == (False, {"good"})
    write(bad, "1 / 1")
    assert make() == (True, {"bad"})
    assert make() == (True, set())
    time.sleep(1)  # the make of macOS counts whole seconds
    (tmp_path / "adu_core/a.py").touch()
    assert make() == (True, {"good", "bad"})
