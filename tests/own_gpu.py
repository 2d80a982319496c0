"""Run notebooks' cells on a pretended GPU: python tests/own_gpu.py [--processes N] NOTEBOOK ….

What ``ADU_CLIP`` and ``ADU_DATA`` name is used; without them, ``stand_ins`` makes a small CLIP in
open_clip's format and a folder of pictures. Each notebook has a process of its own, forked from
this one, which has imported what they need. Exit status 1 where a cell fails, with its number and
what was printed, or where other pictures or no GPU were used.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import tempfile
import time
import traceback
from dataclasses import replace
from functools import partial
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any
from unittest import mock

import ipywidgets  # noqa: F401 (this and the next are imported once, for all the forks)
import matplotlib as mpl
import sklearn.manifold  # noqa: F401
import torch
from fake_cuda import fake_cuda
from IPython.core.interactiveshell import InteractiveShell
from trees import write_pictures

from adu_core import figures, load_clip, world  # noqa: F401
from adu_core.audit.audit import PARTS
from adu_core.audit.effects import CHANGED
from adu_core.audit.relearning import relearning
from adu_core.data.corruptions import CORRUPTIONS
from adu_core.machine import device
from adu_core.machine.files import write_tensors
from adu_core.pages import profiles
from adu_core.rivals.methods import method
from adu_core.runs import forecast
from adu_core.task import Method


def stand_ins(place: Path) -> dict[str, str]:
    """What a reader would set for a CLIP of open_clip's and pictures that are not the book's."""
    weights = place / "tiny.safetensors"
    write_tensors(weights, load_clip("mini").model.state_dict())
    domains = ("real", "clipart", "sketch")
    drawn = world("test", 16, classes=("car", "house", "tree"), domains=domains)
    named = replace(drawn, domain_names=("photo", "comic", "pencil"))
    root = write_pictures(place / "pictures", named)
    return {"ADU_CLIP": f"adu-mini:{weights}", "ADU_DATA": str(root), "ADU_SHOTS": "4"}


#: What is long on a real GPU, and as telling when it is short.
SHORTER = {
    "name, *options": 'name, *["--set", "epochs=3"] * (name == "full"), *options',
    "SETTINGS = {}": 'SETTINGS = {"epochs": 2}',
    "TRIES = 200": "TRIES = 5",
    '"--tries", 10,': '"--tries", 3,',
}


#: Half precision takes a processor so much longer.
SLOWEST = "08_the_real_thing"


def short(name: str, preset: Any = None, **settings: Any) -> Method:
    """The method that a profile gives, with three epochs at most."""
    made = method(name, preset, **settings)
    epochs = getattr(made, "epochs", 0)
    return replace(made, epochs=min(epochs, 3)) if epochs else made


def run(notebook: Path, place: Path) -> int:
    """Run the code cells in order, in an empty folder beside ``book``; 0 if none of them failed."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    mpl.use("agg")
    (place / "book").symlink_to(notebook.parents[1] / "book")
    (place / "notebooks").mkdir()
    os.chdir(place / "notebooks")
    shell = InteractiveShell.instance()
    with (
        mock.patch.object(device, "accelerator", return_value="cuda"),
        mock.patch.object(profiles, "method", short),
        mock.patch.dict(PARTS, relearning=partial(relearning, steps=2)),
        mock.patch.dict(CORRUPTIONS, {name: CORRUPTIONS[name] for name in CHANGED}, clear=True),
        mock.patch.object(torch.cuda, "get_device_capability", return_value=(7, 5)),
        # A processor takes minutes for what tells a GPU's speed in half precision.
        mock.patch.object(forecast, "rate", return_value=1e10),
        fake_cuda(doubles=False),  # as on Apple's, which has no float64
    ):
        for number, cell in enumerate(cells):
            if cell["cell_type"] == "code":
                source = "".join(cell["source"])
                for old, new in SHORTER.items():
                    source = source.replace(old, new)
                done = shell.run_cell(source, silent=True)
                if not done.success:
                    print(f"{notebook.name}, cell {number}: {done.error_in_exec}", file=sys.stderr)
                    return 1
    names = shell.user_ns
    used = names["PROFILE"] if "PROFILE" in names else names["spec"]  # chapter 8 has no profile
    print(used)
    on_gpu = getattr(used, "device", names.get("DEVICE")) == "cuda"
    return 0 if on_gpu and used.data.startswith("folder:") else 1


def run_aside(notebook: Path) -> None:
    """Run it in a folder that goes afterwards. If it fails, show what it printed; exit with 1."""
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile("w+") as printed:
        kept = os.dup(1), os.dup(2)
        for stream in (1, 2):
            os.dup2(printed.fileno(), stream)
        status = 1
        try:
            status = run(notebook, Path(folder))
        except Exception:
            traceback.print_exc()
        finally:
            os.chdir("/")
            for stream, other in zip((sys.stdout, sys.stderr), kept, strict=True):
                stream.flush()
                os.dup2(other, stream.fileno())
        printed.seek(0)
        lines = printed.read().splitlines()
    seconds = time.perf_counter() - started
    print(f"{notebook.name}: {'FAILED' if status else 'runs'}, {seconds:.0f} s", flush=True)
    if status:
        print("\n".join(lines), file=sys.stderr, flush=True)
        sys.exit(1)


def main() -> None:
    """Run all of them, some at a time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("notebooks", nargs="+", type=Path)
    parser.add_argument("--processes", type=int, default=1)
    arguments = parser.parse_args()
    os.environ["ADU_CACHE"] = "off"
    torch.set_num_threads(1)  # a fork of a process that has begun with several would hang
    with tempfile.TemporaryDirectory() as folder:
        if "ADU_CLIP" not in os.environ:
            os.environ.update(stand_ins(Path(folder)))
        fork = multiprocessing.get_context("fork")
        waiting = sorted(arguments.notebooks, key=lambda each: (each.stem == SLOWEST, each))
        running: list[Any] = []
        failed = False
        while waiting or running:
            while waiting and len(running) < arguments.processes:  # what takes long begins first
                running.append(fork.Process(target=run_aside, args=(waiting.pop().resolve(),)))
                running[-1].start()
            wait([process.sentinel for process in running])
            # One that was killed has said nothing, but has no exit status 0.
            ended = [process for process in running if process.exitcode is not None]
            failed |= any(process.exitcode for process in ended)
            running = [process for process in running if process not in ended]
    sys.exit(failed)


if __name__ == "__main__":
    main()
