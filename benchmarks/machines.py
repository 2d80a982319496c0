"""Do tests and notebooks hold on other processors, and how far do the methods' accuracies move?

A processor with other instructions rounds differently, and so do two threads. Both are played here:
ATEN_CPU_CAPABILITY chooses torch's kernels. On some processors "avx2" leaves the matrix products as
they are, so there MKL is asked for the ones that any processor can do.

Run: python benchmarks/machines.py --save book/results/promises/machines.json
"""

from __future__ import annotations

import argparse
import itertools
import os
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from common import keep

from adu_core.machine.files import read_json
from adu_core.rivals.methods import METHODS
from adu_core.runs.records import read_table

ROOT = Path(__file__).parents[1]
BUILD = ROOT / "build/machines"
#: The arithmetic of other processors, as environment variables.
CAPABILITIES = {
    "default": {"ATEN_CPU_CAPABILITY": "default"},
    "avx2": {"ATEN_CPU_CAPABILITY": "avx2", "MKL_CBWR": "COMPATIBLE"},
    "avx512": {"ATEN_CPU_CAPABILITY": "avx512"},
}
#: What the methods forget: an easy domain, and one that is hard to tell from the others.
CASES = ("sketch", "painting")
PARTS = ("units", "notebooks", "accuracy")
PYTEST = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]


def main() -> int:
    """Run each part on each machine that this processor can play; print, keep."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--capabilities", nargs="+", choices=CAPABILITIES, default=CAPABILITIES)
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="parts to run")
    parser.add_argument("--save", type=Path, metavar="FILE.json", help="kept parts are replaced")
    arguments = parser.parse_args()
    started = time.perf_counter()
    found: dict[str, Any] = {}
    if arguments.save and arguments.save.exists():
        found = read_json(arguments.save)["machines"]
    for capability, threads in itertools.product(arguments.capabilities, arguments.threads):
        if not supported(capability):
            print(f"{capability}: this processor does not know it")
            continue
        name = f"{capability}, {threads} thread{'s' if threads > 1 else ''}"
        machine = found.setdefault(name, {})
        where = os.environ | CAPABILITIES[capability]
        where |= dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
        where |= {"OMP_WAIT_POLICY": "PASSIVE"}  # threads that wait leave the core to another test
        processes = os.cpu_count() or 1
        for part in arguments.only:
            machine[part] = RUN[part](BUILD / name.replace(", ", "-"), where, processes)
            print(f"{name}: {part}: {described(machine[part])}", flush=True)
            keep(arguments.save, {"machines": found}, started)
    red = [
        name for name, machine in found.items() if any(failed(part) for part in machine.values())
    ]
    print("; ".join(f"red: {name}" for name in red) or "green on every machine")
    return len(red)


def supported(capability: str) -> bool:
    """Whether torch takes the capability here; it silently takes another where it cannot."""
    command = [sys.executable, "-c", "import torch; print(torch.backends.cpu.get_cpu_capability())"]
    where = os.environ | CAPABILITIES[capability]
    found = subprocess.run(command, env=where, capture_output=True, text=True, check=True).stdout
    return found.strip().lower() == capability


def units(folder: Path, where: dict[str, str], processes: int) -> dict[str, int]:
    """The unit tests whose results rest on the processor's arithmetic."""
    return test(["-m", "numerics", "tests", "--ignore=tests/browser"], folder, where, processes)


def notebooks(folder: Path, where: dict[str, str], processes: int) -> dict[str, int]:
    """Every notebook, executed as a copy."""
    copies = folder / "site/notebooks"
    shutil.rmtree(copies, ignore_errors=True)
    shutil.copytree(ROOT / "book/results", folder / "site/book/results", dirs_exist_ok=True)
    sources = sorted((ROOT / "notebooks").glob("*.ipynb"))

    def execute(source: Path) -> int:
        words = [sys.executable, str(ROOT / "book/execute.py"), str(source)]
        words += [str(copies / source.name), "--timeout", "1200"]
        with (folder / f"{source.stem}.log").open("w", encoding="utf-8") as log:
            return subprocess.run(words, env=where, stdout=log, stderr=log, check=False).returncode

    with ThreadPoolExecutor(processes) as pool:
        statuses = list(pool.map(execute, sources))
    return {"tests": len(statuses), "failed": sum(map(bool, statuses))}


def test(
    words: Sequence[str], folder: Path, where: dict[str, str], processes: int
) -> dict[str, int]:
    """How many tests there were and how many failed, after pytest's own report of the failures."""
    report = folder / "report.xml"
    report.parent.mkdir(parents=True, exist_ok=True)
    report.unlink(missing_ok=True)
    command = [*PYTEST, f"--numprocesses={processes}", f"--junitxml={report}", *words]
    log = folder / "log.txt"
    with log.open("w", encoding="utf-8") as output:
        subprocess.run(command, cwd=ROOT, env=where, stdout=output, stderr=output, check=False)
    if not report.exists():
        raise RuntimeError(f"pytest made no report: see {log}")
    counts = next(ET.parse(report).getroot().iter("testsuite")).attrib
    return {
        "tests": int(counts["tests"]) - int(counts["skipped"]),
        "failed": int(counts["failures"]) + int(counts["errors"]),
    }


def accuracy(folder: Path, where: dict[str, str], processes: int) -> dict[str, Any]:
    """The accuracy of each domain, by method and forgotten domain: one seed, test pictures."""
    command = [sys.executable, "-m", "adu_core", "sweep", str(folder / "runs")]
    command += ["--methods", ",".join(METHODS), "--cases", ",".join(CASES), "--seeds", "1"]
    # A sweep deals the cores out to its processes: two threads each are one process at a time.
    command += ["--processes", str(max(1, processes // int(where["OMP_NUM_THREADS"])))]
    subprocess.run(command, cwd=ROOT, env=where, check=True, stdout=subprocess.DEVNULL)
    table = read_table(folder / "runs")
    by_method: dict[str, Any] = {}
    for row in table.to_dict("records"):
        measured = {
            name.removeprefix("accuracy."): value
            for name, value in row.items()
            if name.startswith("accuracy.")
        }
        by_method.setdefault(row["method"], {})[row["forget"]] = measured
    return by_method


RUN = {"units": units, "notebooks": notebooks, "accuracy": accuracy}


def failed(part: dict[str, Any]) -> bool:
    """Whether a part of a machine is red."""
    return bool(part.get("failed"))


def described(part: dict[str, Any]) -> str:
    """What a part found, in a few words."""
    if "tests" in part:
        return f"{part['tests'] - part['failed']} of {part['tests']} passed"
    return f"accuracies of {len(part)} methods"


if __name__ == "__main__":
    sys.exit(main())
