"""How long the package takes to import, and its help to come up, against importing torch.

Prints ratios of the processor time that whole processes take, measured in turn in one run,
because the machine's own speed drifts; the medians are quoted.

Run: make bench
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

from common import in_turn, keep

#: What each ratio to `import torch` is held to, at most.
LIMITS = {"import adu_core": 1.15, "adu --help": 0.5, "adu run --help": 0.5}

COMMANDS = {
    "import torch": ["-c", "import torch"],
    "import adu_core": ["-c", "import torch, adu_core"],
    "adu --help": ["-m", "adu_core", "--help"],
    "adu run --help": ["-m", "adu_core", "run", "--help"],
}


def seconds(words: list[str]) -> float:
    """The processor time of a Python process with these words."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *words], check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--save", type=Path, metavar="FILE.json")
    arguments = parser.parse_args()
    rounds, started = arguments.rounds, time.perf_counter()
    works = {name: partial(seconds, words) for name, words in COMMANDS.items()}
    taken = in_turn(works, rounds)
    found: dict[str, Any] = {"rounds": rounds}
    for name, values in taken.items():
        ratios = [v / base for v, base in zip(values, taken["import torch"], strict=True)]
        limit = f"   (at most {LIMITS[name]})" if name in LIMITS else ""
        found[name] = {
            "seconds": statistics.median(values),
            "to_torch": statistics.median(ratios),
        }
        print(f"{name:<16}{found[name]['seconds']:6.2f} s{found[name]['to_torch']:7.2f}{limit}")
    keep(arguments.save, found, started)


if __name__ == "__main__":
    main()
