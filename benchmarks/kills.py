"""Kill -9 at random moments, then the same command again: does it end as if nothing had happened?

Five kinds of work, on small settings: training, pretraining, a sweep, a bench, and the cache of
decoded pictures. Each is done once unbroken; then it is begun, killed at a random moment, and done
again, ``--kills`` times. Held to: the final numbers are those of the unbroken work, bit for bit but
for seconds and memory; every file is whole, after the kill and at the end. What a kill may leave
behind are files whose names begin with a dot, which nothing reads.

Run: python benchmarks/kills.py --save FILE.json (needs an operating system that forks)
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from common import keep
from PIL import Image

from adu_core.cli import main as adu
from adu_core.clips.preprocess import Preprocess
from adu_core.data import cache
from adu_core.data.world import world
from adu_core.machine.files import read_json, read_tensors, write_json

#: What no two runs have in common: the reason of a pick says how long fitting took.
TIMES = {"reason", "seconds", "peak_memory_mb", "fit_seconds", "provenance", "memory", "git"}


def words(*said: str) -> Callable[[Path], object]:
    """A command of ours on a few pictures, with OUT for the folder it writes to."""

    def work(out: Path) -> int:
        data = ["--data", f"folder:{out.parent / 'pictures'}"]
        return adu([word.replace("OUT", str(out)) for word in said] + data)

    return work


def decoded(out: Path) -> None:
    """Fill the cache with the pictures of a folder."""
    files = sorted((out.parent / "pictures").rglob("*.png")) * 4
    os.environ["ADU_CACHE"] = str(out)
    found = cache.decode(files, Preprocess(48))
    write_json(out / "found.json", {"sha256": digest(found.pictures.numpy().tobytes())})


WORKS: dict[str, Callable[[Path], object]] = {
    "training": words(
        "run", "--shots", "4", "--set", "epochs=20", "--save", "OUT", "--json", "OUT/result.json",
        "--force",
    ),
    "pretraining": words(
        "pretrain", "--epochs", "6", "--out", "OUT/clip.safetensors", "--force"
    ),
    "sweep": words(
        "sweep", "OUT", "--methods", "gate,baseline,door", "--set", "epochs=2", "--set", "copies=1",
        "--shots", "2", "--cases", "sketch,real", "--seeds", "2",
    ),
    "bench": words(
        "bench", "--methods", "gate,nullspace,slug", "--trials", "2", "--seeds", "1",
        "--shots", "2", "--forget", "sketch", "--save", "OUT",
    ),
    "picture cache": decoded,
}  # fmt: skip


def digest(raw: bytes) -> str:
    """The SHA-256 of some bytes."""
    return hashlib.sha256(raw).hexdigest()


def timeless(value: Any) -> Any:
    """A JSON value without what no two runs have in common."""
    if isinstance(value, dict):
        return {key: timeless(part) for key, part in value.items() if key not in TIMES}
    return [timeless(part) for part in value] if isinstance(value, list) else value


def whole(out: Path) -> dict[str, Any]:
    """What all files in a folder hold; an error if one of them is not whole."""
    found: dict[str, Any] = {}
    for path in sorted(out.rglob("*")):
        if not path.is_file() or path.name.startswith(".") or path.suffix in {".lock", ".png"}:
            continue
        name = str(path.relative_to(out))
        if path.suffix == ".json":
            found[name] = timeless(read_json(path))
        elif path.suffix == ".safetensors":
            tensors, _ = read_tensors(path)
            found[name] = {key: digest(value.numpy().tobytes()) for key, value in tensors.items()}
        elif path.suffix == ".npy":
            found[name] = digest(path.read_bytes())
    return found


def child(work: Callable[[Path], object], out: Path) -> int:
    """The process that does the work, quietly."""
    number = os.fork()
    if number:
        return number
    with contextlib.suppress(BaseException):
        with (out.parent / "said.txt").open("w") as said:
            os.dup2(said.fileno(), sys.stdout.fileno())
            os.dup2(said.fileno(), sys.stderr.fileno())
        done = work(out)
        os._exit(int(done) if isinstance(done, int) else 0)
    os._exit(3)


def finish(work: Callable[[Path], object], out: Path) -> float:
    """Do the work to its end, in a process of its own; how many seconds it took."""
    started = time.perf_counter()
    _, status = os.waitpid(child(work, out), 0)
    if status:
        said = (out.parent / "said.txt").read_text(encoding="utf-8")
        raise RuntimeError(f"the work ended with {os.waitstatus_to_exitcode(status)}: {said}")
    return time.perf_counter() - started


def kill(work: Callable[[Path], object], out: Path, seconds: float) -> bool:
    """Begin the work and kill it after so long; whether it was still at it."""
    number = child(work, out)
    time.sleep(seconds)
    os.kill(number, signal.SIGKILL)
    _, status = os.waitpid(number, 0)
    return os.waitstatus_to_exitcode(status) == -signal.SIGKILL


def main() -> None:
    """Do all, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=10, help="of each kind of work")
    parser.add_argument("--works", default=",".join(WORKS), help="some of them, joined by commas")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--save", type=Path, metavar="FILE.json")
    arguments = parser.parse_args()
    torch.set_num_threads(1)  # a process that has started threads must not fork
    moments, started = random.Random(arguments.seed), time.perf_counter()
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        drawn = world("test", 16, classes=("car", "fish"), size=96)
        for number, picture in enumerate(drawn.pictures):
            domain, label = int(drawn.domains[number]), int(drawn.labels[number])
            place = folder / "pictures" / drawn.domain_names[domain] / drawn.class_names[label]
            place.mkdir(parents=True, exist_ok=True)
            shown = Image.fromarray(picture.permute(1, 2, 0).numpy())
            shown.save(place / f"{number}.png")
        out = folder / "out"
        for what in arguments.works.split(","):
            work = WORKS[what]
            shutil.rmtree(out, ignore_errors=True)
            out.mkdir()
            seconds = finish(work, out)
            wanted = whole(out)
            result = {"unbroken_seconds": seconds, "killed": 0, "ended_before": 0, "same": 0}
            while result["killed"] < arguments.kills:
                shutil.rmtree(out)
                out.mkdir()
                if not kill(work, out, moments.uniform(0, seconds)):
                    result["ended_before"] += 1
                    continue
                result["killed"] += 1
                whole(out)
                finish(work, out)
                result["same"] += whole(out) == wanted
            found[what] = result
            print(f"{what:<16}{result['killed']:>4} killed, {result['same']} ended the same")
            if result["same"] < result["killed"]:
                raise SystemExit(f"{what}: not all ended as the unbroken work did")
    keep(arguments.save, {"works": found}, started)


if __name__ == "__main__":
    main()
