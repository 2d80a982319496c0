"""What training and measuring cost for more pictures, and for more classes.

Two lines: seconds for 1, 2, 4 and 8 times as many pictures, which should be straight, and for 4
times as many classes again and again with the same pictures, which should be flat: a class costs
its sentence once and a column of logits. Prints each point's cost per picture over that of the
first point, measured in turn in one run, because the machine's own speed drifts; the medians are
quoted.

- train: an epoch of the full method, without what is done once at the start;
- measure: features and answers of as many pictures;
- sentences: what is done once, the class names through the text tower.

Run: python benchmarks/scaling.py --save FILE.json, which also draws the lines.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
from common import any_clip, dataset, in_turn, keep, now
from matplotlib.figure import Figure

from adu_core import FrozenCLIP, Target, Task, class_logits, image_features, method
from adu_core.loop import Loop
from adu_core.show import figures

DOMAINS = ("a", "b", "c", "d")
WHAT = ("train", "measure", "sentences")


def once(clip: FrozenCLIP, count: int, classes: int) -> dict[str, float]:
    """Seconds of each part, for so many pictures and classes."""
    pictures, device = dataset(count, classes, DOMAINS, clip.picture_size), clip.device
    ends: list[float] = []
    loop = Loop(progress=False, after_epoch=lambda *_: ends.append(now(device)))
    task = Task(clip, pictures, Target((DOMAINS[0],)))
    model = method("full", epochs=2, instapg_block=0).fit(task, 0, loop)
    started = now(device)
    class_logits(model, image_features(model, pictures.pictures), pictures.class_names)
    measured = now(device)
    clip.class_features(pictures.class_names)
    return {
        "train": ends[1] - ends[0],
        "measure": measured - started,
        "sentences": now(device) - measured,
    }


def line(
    clip: FrozenCLIP, points: Sequence[tuple[int, int]], rounds: int
) -> list[dict[str, float]]:
    """Each point (pictures, classes), all of them in turn, again and again."""
    works = {str(point): partial(once, clip, *point) for point in points}
    return [
        {"pictures": count, "classes": classes}
        | {what: statistics.median(one[what] for one in taken) for what in WHAT}
        for (count, classes), taken in zip(points, in_turn(works, rounds).values(), strict=True)
    ]


def growth(points: Sequence[dict[str, float]], what: str) -> list[float]:
    """Cost per picture at each point over that at the first."""
    each = [point[what] / point["pictures"] for point in points]
    return [value / each[0] for value in each]


def draw(found: dict[str, Any]) -> Figure:
    """Both lines."""
    figures.style()
    figure, panels = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    for axes, along in zip(panels, ("pictures", "classes"), strict=True):
        points = found[along]
        xs = [point[along] for point in points]
        for what in WHAT if along == "classes" else WHAT[:2]:
            axes.plot(xs, [point[what] for point in points], marker="o", label=what)
        axes.set(xlabel=along, ylabel="seconds", ylim=0)
        axes.legend()
    panels[1].set_xscale("log", base=4)
    panels[1].set_xticks([p["classes"] for p in found["classes"]])
    panels[1].set_xticklabels([str(p["classes"]) for p in found["classes"]])
    return figure


def main() -> None:
    """Measure, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clip", default="mini")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--pictures", type=int, default=256, help="those of the first point")
    parser.add_argument("--classes", type=int, default=4, help="those of the first point")
    parser.add_argument("--points", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--save", type=Path, metavar="FILE.json", help="and a figure beside it")
    arguments = parser.parse_args()
    started = time.perf_counter()
    clip = any_clip(arguments.clip, arguments.device)
    first, classes, rounds = arguments.pictures, arguments.classes, arguments.rounds
    steps = range(arguments.points)
    found: dict[str, Any] = {
        "clip": arguments.clip,
        "rounds": rounds,
        "pictures": line(clip, [(first * 2**n, classes) for n in steps], rounds),
        "classes": line(clip, [(4 * first, classes * 4**n) for n in steps], rounds),
    }
    for along in ("pictures", "classes"):
        points = found[along]
        print(f"{along:<22}" + "".join(f"{point[along]:>9}" for point in points))
        for what in WHAT:
            ratios = growth(points, what)
            print(f"  {what:<12}{points[0][what]:6.3f} s" + "".join(f"{r:9.2f}" for r in ratios))
    keep(arguments.save, found, started, clip.device)
    if arguments.save:
        figures.save(draw(found), arguments.save.with_suffix(".png"))


if __name__ == "__main__":
    main()
