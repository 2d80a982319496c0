"""Draw the world.

A contact sheet of the drawn world: classes across, domains down.
"""

from __future__ import annotations

import argparse

from adu_core.cli import options

SUMMARY = "draw a contact sheet of the drawn world"


def add(command: argparse.ArgumentParser) -> None:
    """The options."""
    add = command.add_argument
    add("--out", required=True, metavar="FILE.png", help="the picture to write")
    add("--data", default="world", metavar="world?mix=NUMBER", help="how styles overlap (world)")
    add("--seed", type=options.count(0), default=0, help="draws the pictures (0)")
    add("--size", type=options.count(8), default=60, help="pixels a side (60)")


def do(arguments: argparse.Namespace) -> None:
    """Draw, write."""
    if not arguments.out.lower().endswith(".png"):
        raise ValueError(f"--out {arguments.out}: name a file ending in .png")
    options.check_writable(arguments.out, "--out")

    from adu_core.data.grammar import drawn, parse
    from adu_core.data.world import CLASSES, DOMAINS
    from adu_core.data.world import world as draw_world
    from adu_core.show import figures

    if not drawn(arguments.data):
        raise ValueError(f"--data {arguments.data}: only the world is drawn, say world?mix=0.25")
    size, seed, mix = arguments.size, arguments.seed, parse(arguments.data).mix
    pictures = draw_world("validation", 2, classes=CLASSES, mix=mix, seed=seed, size=size)
    figures.save_sheet(pictures, arguments.out)
    print(f"saved: {arguments.out}, {len(CLASSES)} classes across, {len(DOMAINS)} domains down")
