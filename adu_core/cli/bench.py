"""Compare methods.

All methods, or some, on your pictures and your CLIP: each is tuned with the same number of trials
on validation pictures, then run on test pictures with several seeds. Prints a table and which
method it would take, and why, or which it cannot tell apart. After an interruption, the same
command continues where it stopped.

sel is the selectivity, Mem + For - 100: 0 for a method that harms all domains equally. For@95 is
For where Mem is at least 95 % of zero-shot's. unmet H is H on classes that unlearning never saw, H
valid. H on validation pictures, by which settings are chosen. numbers are those that a method
learns.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from adu_core.cli import options
from adu_core.machine.device import check_device
from adu_core.rivals.methods import METHODS

if TYPE_CHECKING:
    from adu_core.dataset import Target
    from adu_core.runs.spec import Spec
    from adu_core.task import Method

SUMMARY = "all methods on the same pictures, tuned with the same budget, in one table"
EXAMPLES = """\
examples:
  adu bench --trials 0
  adu bench --data folder:PACS --clip clips/pacs.safetensors --forget sketch --save runs/pacs
  adu bench --methods full,gate,door --cases real,sketch --seeds 3 --processes 2
"""


def add(command: argparse.ArgumentParser) -> None:
    """The options."""
    add, count = command.add_argument, options.count
    options.add_data(command)
    add("--methods", type=options.words, metavar="A,B,…", help="some of them (default: all)")
    options.add_cases(command, "sketch")
    add(
        "--forget-classes",
        action="append",
        metavar="CLASS",
        help="classes to forget, everywhere or, with --forget, in those domains",
    )
    add(
        "--trials",
        type=count(0),
        default=8,
        help="settings tried per method; 0 takes the defaults (8)",
    )
    add("--seeds", type=count(1), default=2, help="runs on test pictures (2)")
    add("--processes", type=count(1), default=2, help="runs at a time, sharing the cores (2)")
    add("--yes", action="store_true", help="start, though it takes more than ten minutes")
    add("--preset", choices=("mini", "paper"), help="settings to start from (by --clip)")
    add("--save", default="runs/bench", metavar="DIR", help="records, table, figure (runs/bench)")
    add("--json", metavar="FILE", help="write the table, for programs to read")


#: A bench that takes longer, in seconds, is not begun without --yes.
LONG = 600.0


def do(arguments: argparse.Namespace) -> None:
    """Check everything, tune, run, print, keep."""
    names = options.methods_from(arguments.methods or list(METHODS))
    folder = Path(arguments.save)
    options.check_writable(folder, "--save", folder=True)
    if arguments.json:
        options.check_writable(arguments.json, "--json")
    preset = options.preset_of(arguments)

    from adu_core.data.sources import source_names
    from adu_core.machine.files import write_json
    from adu_core.rivals.methods import method
    from adu_core.runs.bench import bench
    from adu_core.runs.bench_table import as_dict, table
    from adu_core.runs.grid import Grid

    check_device(arguments.device)
    known = source_names(arguments.data)
    cases, classes = options.cases_from(arguments), arguments.forget_classes
    targets = (
        Grid(forget=cases, classes=classes or ()).targets(known)
        if cases
        else [options.target_from(None, classes, known)]
    )
    what = options.described(targets)
    print(what, flush=True)
    methods = [method(name, preset) for name in names]
    template = options.spec_from(arguments, methods[0], targets[0])
    seeds = range(arguments.seeds)
    options.begin(arguments, [template])
    if not arguments.yes and not any(folder.rglob("*.json")):
        _ask(arguments, template, methods, targets)
    found = bench(
        template,
        methods,
        targets,
        folder,
        trials=arguments.trials,
        seeds=seeds,
        processes=arguments.processes,
        device=arguments.device,
    )
    seeds_said = f"{len(seeds)} seed{'s' * (len(seeds) > 1)}"
    values = as_dict(found, template, targets, arguments.trials, seeds)
    write_json(folder / "bench.json", values)
    from adu_core.show import bench_figure, figures  # late: drawing takes seconds to import

    title = f"{what} ({arguments.data}), {seeds_said}, test pictures"
    figure = bench_figure.bench_figure(found.rows, found.trials, title)
    figures.save(figure, folder / "bench.png")
    if arguments.json:
        write_json(arguments.json, values)
    print(f"{arguments.clip}, {arguments.data}, test pictures, {seeds_said},")
    print(f"{arguments.trials} trials a method on validation pictures, %\n")
    print(table(found))
    print("`adu methods` says what each changes of the CLIP, learns from, and how it is undone")
    if found.doubt:
        print(f"\n{found.doubt}")
    print(f"\n{found.reason}")
    made = ("bench.json", "bench.png", "runs", "selective", "trials")
    print(f"saved in {folder}: {', '.join(name for name in made if (folder / name).exists())}")


def _ask(
    arguments: argparse.Namespace, template: Spec, methods: list[Method], targets: list[Target]
) -> None:
    """Raise ``ValueError`` for a bench of more than ``LONG`` seconds, saying how long it takes."""
    from adu_core.data.sources import count_pictures
    from adu_core.machine.device import resolved
    from adu_core.runs.bench import cost
    from adu_core.runs.forecast import Speed, duration
    from adu_core.runs.run_spec import clip_of

    device = resolved(arguments.device, template.clip)
    clip, measured = clip_of(template.clip, device), count_pictures(template.data, template.limit)
    speed = Speed.measure(clip, device)
    able = [made for made in methods if all(target.kind in made.kinds for target in targets)]
    how = (clip, template, able, targets, arguments.trials, arguments.seeds, measured)
    seconds = cost(speed, *how) / arguments.processes
    if seconds > LONG:
        raise ValueError(
            f"by the operations counted this takes about {duration(seconds)} or more: say --yes to "
            "begin; fewer --trials, --methods, --seeds or --cases take less, and it can be "
            "interrupted and goes on with the same command"
        )
