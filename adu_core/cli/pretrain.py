"""Train a small CLIP.

Train a small CLIP on the drawn world or on your own folder; the shots, validation and
test pictures of `adu run` are left out. After Ctrl-C, the same command continues after the last
whole epoch.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adu_core.cli import options
from adu_core.machine.device import check_device, resolved

if TYPE_CHECKING:
    from adu_core.clip import FrozenCLIP

SUMMARY = "train a small CLIP"
EXAMPLES = """\
examples:
  adu pretrain --out clips/world.safetensors
  adu pretrain --data folder:PACS --start mini --out clips/pacs.safetensors --epochs 100
  adu pretrain --without sketch --out clips/without_sketch.safetensors
"""

#: Epochs and pictures per class and domain of `adu pretrain` on the world.
WORLD_EPOCHS, WORLD_PICTURES = 10, 250
FOLDER_EPOCHS = 40
SMOKE = {"epochs": 1, "pictures": 8}


def add(command: argparse.ArgumentParser) -> None:
    """The options."""
    add, count = command.add_argument, options.count
    add("--out", required=True, metavar="FILE.safetensors", help="the CLIP to write")
    options.add_source(command)
    add(
        "--without",
        action="append",
        default=[],
        metavar="DOMAIN",
        help="a domain that it is never to see, not even as a share of another domain's style: "
        "what exact unlearning would leave, for adu audit",
    )
    add(
        "--epochs",
        type=count(1),
        help=f"passes over the pictures ({WORLD_EPOCHS} of the world's, {FOLDER_EPOCHS} of others)",
    )
    add(
        "--pictures",
        type=count(1),
        help=f"per class and domain ({WORLD_PICTURES} of the world's, all of others)",
    )
    add("--size", type=count(10), default=60, help="pixels a side, a multiple of 10 (60)")
    add("--width", type=count(1), default=1, help="times that of the mini CLIP (1)")
    add("--depth", type=count(1), default=6, help="blocks of the vision tower (6)")
    add(
        "--start",
        metavar="CLIP",
        help="mini or a file of adu pretrain whose weights to begin with, for few pictures "
        "(from nothing)",
    )
    add("--seed", type=count(0), default=0, help="draws weights, pictures and captions (0)")
    options.add_device(command)
    add("--force", action="store_true", help="replace a CLIP that is in --out")
    add("--smoke", action="store_true", help="seconds long, for tests")


def do(arguments: argparse.Namespace) -> None:
    """Check everything, draw or read the pictures, train, print the zero-shot accuracy."""
    if not arguments.out.endswith(".safetensors"):
        raise ValueError(f"--out {arguments.out}: name a file ending in .safetensors")
    options.check_writable(arguments.out, "--out")
    if Path(arguments.out).exists() and not arguments.force:
        raise ValueError(
            f"--out {arguments.out} holds a CLIP: say --force to replace it, or name another file"
        )

    import torch

    from adu_core.clips.load import mini_config
    from adu_core.data.grammar import drawn, parse
    from adu_core.data.sources import PRETRAIN, VALIDATION, read_share, source_names
    from adu_core.data.world import CLASSES
    from adu_core.data.world import world as draw_world
    from adu_core.dataset import readable
    from adu_core.machine.files import read_json
    from adu_core.runs.pretrain import pretrain

    check_device(arguments.device)
    mini_config(arguments.size)
    start = _start(arguments)
    _, domains = source_names(arguments.data)
    without = tuple(readable(name) for name in arguments.without)
    for name in without:
        if name not in domains:
            raise ValueError(f"--without {name}: the domains are {', '.join(domains)}")
    seen = tuple(name for name in domains if name not in without)
    if not seen:
        raise ValueError(f"--without {', '.join(without)}: no domain is left to learn from")
    epochs, count = arguments.epochs, arguments.pictures
    about: dict[str, Any] = {"source": arguments.data}
    if without:
        about["without"] = list(without)
    if arguments.smoke:
        epochs, count = SMOKE["epochs"], SMOKE["pictures"]
    if drawn(arguments.data):
        epochs, count = epochs or WORLD_EPOCHS, count or WORLD_PICTURES
        about["seed"] = arguments.seed
        world = {"classes": CLASSES, "mix": parse(arguments.data).mix, "size": arguments.size}
        pictures = draw_world(
            "pretrain", count, domains=seen, avoid=without, seed=arguments.seed, **world
        )
        validation = draw_world("validation", min(count, 25), **world)
    else:
        epochs = epochs or FOLDER_EPOCHS
        pictures = read_share(arguments.data, PRETRAIN, arguments.size, count, arguments.seed)
        validation = read_share(arguments.data, VALIDATION, arguments.size)
        gone = torch.isin(pictures.domains, torch.tensor([domains.index(name) for name in without]))
        pictures = pictures.subset(~gone)
    options.say_where(arguments, [(arguments.out, None)])
    clip = pretrain(
        pictures,
        validation,
        arguments.out,
        epochs=epochs,
        seed=arguments.seed,
        width=arguments.width,
        depth=arguments.depth,
        start=start,
        device=resolved(arguments.device, (arguments.out, None)),
        about=about,
    )
    accuracy = read_json(Path(arguments.out).with_suffix(".json"))["zero_shot"]["accuracy"]
    print(f"zero-shot accuracy on {len(validation)} validation pictures, %:")
    for name, value in accuracy.items():
        print(f"  {name:<26}{value:>9.1f}")
    print(f"saved: {clip.name}; use it with `adu run --clip {clip.name}`")


def _start(arguments: argparse.Namespace) -> FrozenCLIP | None:
    """The small CLIP to begin with, if one is named."""
    from adu_core.clips.load import load_clip
    from adu_core.runs.pretrain import check_start

    name = arguments.start
    if name is None:
        return None
    if arguments.without:
        raise ValueError(
            f"--without {', '.join(arguments.without)} and --start {name}: the CLIP to begin with "
            "may have seen it: leave one of them out"
        )
    if name != "mini" and not name.endswith(".safetensors"):
        raise ValueError(f"--start {name}: name mini, or a file that `adu pretrain` made")
    try:
        start = load_clip(name)
    except FileNotFoundError as error:
        raise FileNotFoundError(str(error).replace("--clip", "--start")) from None
    check_start(start, arguments.width, arguments.depth)
    return start
