"""Whether kernels started side by side come up: as many notebooks of one cell as you say.

Each is executed as `make notebooks` executes a chapter, by book/execute.py in a process of its own.
Prints how many failed, how many kernels had to be started once more, and the seconds.

Run: python benchmarks/kernels.py --count 300 --together 3
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat

PROGRAM = Path(__file__).resolve().parents[1] / "book/execute.py"


def main() -> None:
    """Execute, count and print; fails if a notebook did."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--together", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        notebook = Path(folder) / "one.ipynb"
        cells = [nbformat.v4.new_code_cell("6 * 7")]
        nbformat.write(nbformat.v4.new_notebook(cells=cells), notebook)

        def execute(number: int) -> subprocess.CompletedProcess[str]:
            copy = Path(folder) / f"copies/{number}.ipynb"
            words = [sys.executable, str(PROGRAM), str(notebook), str(copy)]
            return subprocess.run(words, capture_output=True, text=True, check=False)

        started = time.perf_counter()
        with ThreadPoolExecutor(arguments.together) as pool:
            done = list(pool.map(execute, range(arguments.count)))
        seconds = time.perf_counter() - started
    failed = [each.stderr for each in done if each.returncode]
    again = sum("once more" in each.stderr for each in done)
    print(f"{len(failed)} of {len(done)} notebooks failed, {again} kernels were started once more")
    print(f"{seconds:.0f} s, {arguments.together} at a time, on {os.cpu_count()} cores")
    sys.exit("\n".join(failed) or 0)


if __name__ == "__main__":
    main()
