"""Run a notebook's cells in this process, on a pretended GPU: python tests/own_gpu.py NOTEBOOK.

What ``ADU_CLIP`` and ``ADU_DATA`` name is used; without them, ``stand_ins`` makes a small CLIP in
open_clip's format and a folder of pictures. Prints the profile that the notebook used. Exit status
1 where a cell fails, with its number, or where something else was used.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import matplotlib as mpl
import torch
from fake_cuda import fake_cuda
from IPython.core.interactiveshell import InteractiveShell
from PIL import Image

from adu_core import load_clip, world
from adu_core.machine import device
from adu_core.machine.files import write_tensors
from adu_core.pages import profiles
from adu_core.rivals.methods import method
from adu_core.runs import forecast
from adu_core.task import Method


def stand_ins(place: Path) -> dict[str, str]:
    """What a reader would set for a CLIP of open_clip's and pictures that are not the book's."""
    weights, root = place / "tiny.safetensors", place / "pictures"
    write_tensors(weights, load_clip("mini").model.state_dict())
    drawn = world(
        "test", 24, classes=("car", "house", "tree"), domains=("real", "clipart", "sketch")
    )
    names = {"real": "photo", "clipart": "comic", "sketch": "pencil"}
    for number, picture in enumerate(drawn.pictures):
        domain = drawn.domain_names[int(drawn.domains[number])]
        folder = root / names[domain] / drawn.class_names[int(drawn.labels[number])]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture.permute(1, 2, 0).numpy()).save(folder / f"{number}.png")
    return {"ADU_CLIP": f"adu-mini:{weights}", "ADU_DATA": str(root), "ADU_SHOTS": "4"}


#: What is long on a real GPU, and as telling when it is short.
SHORTER = {"SETTINGS = {}": 'SETTINGS = {"epochs": 2}', "TRIES = 200": "TRIES = 5"}


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


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        os.environ["ADU_CACHE"] = "off"
        if "ADU_CLIP" not in os.environ:
            os.environ.update(stand_ins(Path(folder)))
        status = run(Path(sys.argv[1]).resolve(), Path(folder))
        os.chdir("/")
    sys.exit(status)
