"""How fast pictures are decoded into the cache, against what the cores can decode alone.

Prints ratios measured in one run, interleaved, because the machine's own speed drifts; the
medians are quoted.

- alone: as many processes as there are cores, each decoding its share of the same files and
  keeping nothing: no lock between them, no cache, no progress bar. One would not get faster.
- cache: `decode` on the same files, which fills the cache; its ratio to the former is held to 0.9
  at least.
- again: `decode` once more, from the finished cache, and every byte of it read.

Pictures are JPEG of noise and shapes, of the sizes that photos of Office-Home have (some 500
pixels), or your own: --root. Run: make bench
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from common import in_turn, keep, seconds
from PIL import Image

from adu_core.clips.preprocess import Preprocess
from adu_core.data import cache

#: What the ratio to the cores alone is held to, at least.
LIMIT = 0.9

#: Reads a line for each round, decodes its share, and says so.
ALONE = """
import sys
from pathlib import Path
import torch
torch.set_num_threads(1)
from adu_core.data.picture import read_picture
from adu_core.clips.preprocess import Preprocess
names, size = Path(sys.argv[1]).read_text().splitlines(), Preprocess(int(sys.argv[2]))
print("ready", flush=True)
for _ in sys.stdin:
    for name in names:
        read_picture(name, size)
    print("done", flush=True)
"""


def draw(folder: Path, count: int) -> list[Path]:
    """So many JPEG files of differing sizes."""
    generator = np.random.default_rng(0)
    files = []
    for number in range(count):
        width, height = generator.integers(350, 700, 2)
        coarse = generator.integers(0, 255, (12, 12, 3), np.uint8)
        picture = np.asarray(Image.fromarray(coarse).resize((width, height)), np.int16)
        noisy = (picture + generator.normal(0, 12, picture.shape)).clip(0, 255)
        files.append(folder / f"{number:05}.jpg")
        Image.fromarray(noisy.astype(np.uint8)).save(files[-1], quality=90)
    return files


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=600)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--root", type=Path, help="pictures of your own, at any depth")
    parser.add_argument("--save", type=Path, metavar="FILE.json")
    arguments = parser.parse_args()
    begun = time.perf_counter()
    size, cores = Preprocess(arguments.size), cache.cores()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if arguments.root:
            files = sorted(path for path in arguments.root.rglob("*.*") if path.is_file())
            files = files[:: max(1, len(files) // arguments.pictures)][: arguments.pictures]
        else:
            files = draw(folder, arguments.pictures)
        workers = []
        for core in range(cores):
            part = folder / f"{core}.txt"
            part.write_text("\n".join(map(str, files[core::cores])))
            words = [sys.executable, "-c", ALONE, str(part), str(arguments.size)]
            workers.append(
                subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            )
        for worker in workers:
            worker.stdout.readline()

        def alone() -> None:
            for worker in workers:
                worker.stdin.write("go\n")
                worker.stdin.flush()
            for worker in workers:
                worker.stdout.readline()

        def cached() -> None:
            os.environ["ADU_CACHE"] = tempfile.mkdtemp(dir=folder)  # nothing is in it
            cache.decode(files, size)

        def again() -> None:
            int(cache.decode(files, size).pictures.max())

        works = {"alone": alone, "cache": cached, "again": again}
        timed = {what: partial(seconds, work) for what, work in works.items()}
        taken = in_turn(timed, arguments.rounds)
        for worker in workers:
            worker.communicate()
    print(f"{len(files)} pictures, {arguments.size} pixels a side, {cores} cores")
    found: dict[str, Any] = {
        "pictures": len(files), "size": arguments.size, "cores": cores, "rounds": arguments.rounds
    }  # fmt: skip
    for what, values in taken.items():
        speed = len(files) / statistics.median(values)
        ratio = statistics.median(a / b for a, b in zip(taken["alone"], values, strict=True))
        found[what] = {"pictures_per_second": speed, "to_alone": ratio}
        limit = f"   (at least {LIMIT})" if what == "cache" else ""
        print(f"{what:<8}{speed:10.0f} pictures/s{ratio:10.2f}{limit}")
    keep(arguments.save, found, begun)


if __name__ == "__main__":
    main()
