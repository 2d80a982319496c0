"""Change the code, a line at a time: does a test notice?

mutmut makes every small change it knows (another operator, number, argument) to losses, objective,
metrics and gate, one by one, and runs the tests of that code. A change that no test notices is
shown with the reason why no test could, from ``survivors.json`` beside this file; if one has no
reason there, the exit status is 1.

Run: python benchmarks/mutants.py --save FILE.json (35 minutes on two cores; --only for a part,
which leaves the other parts of the record as they are)
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

from common import keep
from mutmut.stats import status_by_exit_code

from adu_core.machine.files import read_json

ROOT = Path(__file__).parents[1]
REASONS = Path(__file__).with_name("survivors.json")


class Part(NamedTuple):
    """Some files of adu_core, and the files of tests that must notice a change in them."""

    code: tuple[str, ...]
    tests: tuple[str, ...]


PARTS = {
    "losses": Part(("losses.py",), ("core/test_losses", "runs/test_entanglement")),
    "objective": Part(("adu.py",), ("core/test_adu", "core/test_loop")),
    "metrics": Part(
        ("measure.py", "runs/fronts.py"),
        ("core/test_measure", "runs/test_fronts", "core/test_target"),
    ),
    "evaluation": Part(("runs/evaluate.py",), ("runs/test_entanglement", "core/test_target")),
    "gate": Part(
        ("rivals/gate.py", "rivals/gated.py", "rivals/evidence.py"),
        ("rivals/test_gate", "rivals/test_gated", "rivals/test_door", "rivals/test_pixels"),
    ),
    "domain classifier": Part(
        ("rivals/domain_classifier.py",), ("rivals/test_domain_classifier", "rivals/test_gate")
    ),
}


def copied(part: Part, folder: Path) -> None:
    """A copy of the tracked files, with what mutmut should do in its pyproject.toml."""
    shutil.rmtree(folder, ignore_errors=True)
    names = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    settings = {
        "source_paths": ["adu_core"],
        "only_mutate": [f"adu_core/{name}" for name in part.code],
        "pytest_add_cli_args_test_selection": [f"tests/{name}.py" for name in part.tests],
        "also_copy": ["tests", "book", "notebooks", "benchmarks", "README.md", "Makefile"],
    }
    with (folder / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write("\n[tool.mutmut]\n")
        file.writelines(f"{key} = {json.dumps(value)}\n" for key, value in settings.items())


def mutmut(folder: Path, *words: str) -> str:
    """A command of mutmut there, and what it says."""
    command = [sys.executable, "-m", "mutmut", *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


def change(shown: str) -> list[str]:
    """The lines of a diff that differ, without what stands around them."""
    lines = [line for line in shown.splitlines() if re.match(r"[-+](?![-+]{2} )", line)]
    return [f"{line[0]} {line[1:].strip()}" for line in lines]


def measure(part: Part, folder: Path, processes: int) -> dict[str, Any]:
    """Make every change; how many were noticed, and those that were not."""
    copied(part, folder)
    mutmut(folder, "run", "--max-children", str(processes))
    reasons = {(each["function"], *each["change"]): each["why"] for each in read_json(REASONS)}
    found: dict[str, Any] = {"made": 0, "noticed": 0, "survived": []}
    for path in sorted((folder / "mutants").rglob("*.meta")):
        for name, status in read_json(path)["exit_code_by_key"].items():
            found["made"] += 1
            result = status_by_exit_code[status]
            if result in {"killed", "timeout", "segfault"}:
                found["noticed"] += 1
            elif result in {"survived", "no tests"}:
                lines = change(mutmut(folder, "show", name))
                function = re.sub(r"__mutmut_\d+$", "", name).removeprefix("adu_core.")
                function = function.replace(".x_", ".").replace("xǁ", "").replace("ǁ", ".")
                why = reasons.get((function, *lines))
                found["survived"].append({"function": function, "change": lines, "why": why})
            else:
                raise RuntimeError(f"{name}: {result}, which tells nothing: run it again")
    return found


def main() -> None:
    """Do all, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--only", default=",".join(PARTS), help="some parts, joined by commas")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--save", type=Path, metavar="FILE.json")
    arguments = parser.parse_args()
    started, found = time.perf_counter(), {}
    for name in arguments.only.split(","):
        folder = ROOT / "build/mutants" / name.replace(" ", "_")
        found[name] = measure(PARTS[name], folder, arguments.processes)
        made, noticed = found[name]["made"], found[name]["noticed"]
        print(f"{name:<18}{made:>5} changes, {noticed} noticed", flush=True)
        for each in found[name]["survived"]:
            print(f"  {each['function']}: {each['why'] or 'NO REASON KNOWN'}")
            if not each["why"]:
                print("".join(f"    {line}\n" for line in each["change"]), end="")
    before = {}
    if arguments.save and arguments.save.exists():
        before = read_json(arguments.save)["parts"]
    keep(arguments.save, {"parts": before | found}, started)
    if any(not each["why"] for part in found.values() for each in part["survived"]):
        raise SystemExit("some changes were noticed by no test: write one, or say why none can")


if __name__ == "__main__":
    main()
