"""Which branches of adu_core do the unit tests take?

Runs the unit tests (or those named) with coverage.py and adds up its branches by folder. Code that
runs in processes of its own, as workers of a sweep do, is not seen and counts as not taken.

Run: python benchmarks/branches.py --save FILE.json
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from common import keep

from adu_core.machine.files import read_json

ROOT = Path(__file__).parents[1]


def by_folder(report: dict[str, Any]) -> dict[str, dict[str, int]]:
    """Of coverage.py's report in JSON, how many branches there are and were taken."""
    rooms: dict[str, dict[str, int]] = {}
    for path, measured in report["files"].items():
        parts = Path(path).parts
        room = rooms.setdefault(parts[1] if len(parts) > 2 else "core", {"branches": 0, "taken": 0})
        room["branches"] += measured["summary"]["num_branches"]
        room["taken"] += measured["summary"]["covered_branches"]
    rooms["all"] = {key: sum(room[key] for room in rooms.values()) for key in ("branches", "taken")}
    return rooms


def main() -> None:
    """Test, add up, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--tests", nargs="+", default=["tests"], metavar="FILE")
    parser.add_argument("--processes", default="auto", help="tests at a time")
    parser.add_argument("--save", type=Path, metavar="FILE.json")
    arguments = parser.parse_args()
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as name:
        report = Path(name) / "coverage.json"
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
        command += ["--numprocesses", arguments.processes, "--maxprocesses", "4"]
        command += ["--ignore=tests/browser", "--cov=adu_core", "--cov-branch"]
        command += [f"--cov-report=json:{report}", *arguments.tests]
        where = os.environ | {"COVERAGE_FILE": str(Path(name) / "data")}
        subprocess.run(command, cwd=ROOT, check=True, env=where)
        rooms = by_folder(read_json(report))
    for room, counted in rooms.items():
        share = 100 * counted["taken"] / max(1, counted["branches"])
        print(f"{room:<12}{counted['branches']:>6} branches, {share:.1f} % taken")
    keep(arguments.save, {"rooms": rooms}, started)


if __name__ == "__main__":
    main()
