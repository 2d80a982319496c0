"""Many runs.

Every combination of methods, forgotten domains, seeds and settings, one JSON record each in DIR:
as the options say, or as a YAML file does (--grid FILE, or grid.yml in DIR). Continues where it
was interrupted: records that are there are kept. A run that fails does not stop the others.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adu_core.cli import options
from adu_core.cli.machines import add_machines, refuse_failed, run_all
from adu_core.clips.grammar import clip_from
from adu_core.machine.device import check_device

if TYPE_CHECKING:
    from adu_core.runs.grid import Grid
    from adu_core.runs.spec import Spec

#: The options whose place a grid file takes.
IN_GRID = (
    "data", "clip", "shots", "limit", "preset", "set", "on", "methods", "forget", "cases", "seeds",
)  # fmt: skip
SUMMARY = "many runs, in parallel or on a cluster"
EXAMPLES = """\
examples:
  adu sweep runs/ablation --seeds 3 --processes 4
  adu sweep runs/fronts --set forget_weight=0.3,1,3 --set epochs=12
  adu sweep runs/pairs --cases sketch+clipart,real+painting
  adu sweep runs/strength --grid strength.yml --dry-run
  adu sweep runs/all --slurm gpu --device cuda --minutes 60
  adu sweep runs/all --dask tcp://scheduler:8786

A grid file holds what is varied; every list is, in all combinations:
  methods: [baseline, full]
  forget: 2               # all pairs of domains; or each, or [sketch, real+painting]
  seeds: 3
  shots: [1, 2, 4, 8]
  set: {epochs: 12, gamma: [1, 3, 10]}
"""


def add(command: argparse.ArgumentParser) -> None:
    """The options."""
    add = command.add_argument
    add("folder", metavar="DIR", help="where the records go")
    add("--grid", metavar="FILE", help="a YAML file that says what is run")
    options.add_data(command)
    options.add_settings(command)
    options.add_on(command)
    add(
        "--methods",
        type=options.words,
        default=["baseline", "instapg", "ddl", "full"],
        metavar="A,B,…",
        help="which, by name (baseline,instapg,ddl,full)",
    )
    options.add_cases(command, "each")
    add("--seeds", type=options.count(1), default=3, help="how many seeds (3)")
    add("--dry-run", action="store_true", help="say what would be run, and stop")
    add_machines(command)
    command.set_defaults(usual={name: command.get_default(name) for name in IN_GRID})


def do(arguments: argparse.Namespace) -> None:
    """Check everything, run what is missing, print the means."""
    grids = _grids(arguments)
    options.check_writable(arguments.folder, "DIR", folder=True)

    from adu_core.runs import records
    from adu_core.runs.doubt import doubt_of
    from adu_core.runs.forecast import forecast
    from adu_core.runs.record import read_record

    if not (arguments.slurm or arguments.dask):  # a login node need not have the device
        check_device(arguments.device)
    work = list(dict.fromkeys(spec for grid in grids for spec in grid.specs()))
    if arguments.forget or arguments.cases:
        print(options.described(list(dict.fromkeys(spec.forget for spec in work))), flush=True)
    if arguments.dry_run:
        print(forecast(work, arguments.folder, arguments.processes))
        return
    done, failed = run_all(arguments, work, Path(arguments.folder))
    if done:
        records.print_report(records.read_table(done), ["method", *varied(work)])
        for text in dict.fromkeys(filter(None, map(doubt_of, map(read_record, done)))):
            print(f"\n{text}")
    refuse_failed(failed, work)


def _grids(arguments: argparse.Namespace) -> list[Grid]:
    """The grids of the file, or the one that the options describe."""
    from adu_core.runs.grid import GRID, Grid, read_grids

    beside = Path(arguments.folder) / GRID
    given = [name for name, usual in arguments.usual.items() if getattr(arguments, name) != usual]
    if arguments.grid or (beside.is_file() and not given):
        file = arguments.grid or beside
        if given:
            raise ValueError(f"--{given[0]} belongs in {file}, which holds the whole grid")
        return read_grids(file)
    return [
        Grid(
            methods=options.methods_from(arguments.methods),
            set={key: text.split(",") for key, text in arguments.set},
            preset=arguments.preset,
            forget=options.cases_from(arguments) or ("each",),
            seeds=range(arguments.seeds),
            data=[arguments.data],
            clip=clip_from(arguments.clip),
            shots=[arguments.shots],
            limit=arguments.limit,
            on=arguments.on,
        )
    ]


def varied(work: list[Spec]) -> list[str]:
    """The columns of a report by which runs differ, beside method, target and seed."""
    found = [
        name
        for name in ("data", "shots", "labels")
        if len({getattr(spec, name) for spec in work}) > 1
    ]
    values: dict[tuple[str, str], set[Any]] = {}
    for spec in work:
        for key, value in spec.method.as_dict()["settings"].items():
            values.setdefault((spec.method.name, key), set()).add(value)
    settings = dict.fromkeys(key for (_, key), some in values.items() if len(some) > 1)
    return [*found, *settings]
