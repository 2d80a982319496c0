"""Forget a domain.

Unlearn and print a table of before and after.

The pictures come from the drawn world (--data world) or from your own folder,
ROOT/<domain>/<class>/<picture> (--data folder:ROOT). The CLIP is the small one that ships
(--clip mini), one of `adu pretrain` (--clip PATH.safetensors) or any ViT of open_clip with
its weights (--clip ViT-B-16-quickgelu:openai, fetched from the hub once; or :PATH).

Mem is the accuracy on what is memorized, For the error on what is forgotten, H their harmonic
mean; all in percent, all better when higher.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from adu_core.cli import options
from adu_core.machine.device import check_device, resolved
from adu_core.rivals.methods import METHODS

if TYPE_CHECKING:
    from adu_core.runs.spec import Spec

SUMMARY = "forget a domain; print before and after"
EXAMPLES = """\
examples:
  adu run
  adu run --method gate --forget sketch --forget painting --save runs/two
  adu run --method nullspace --forget-classes car --forget-classes house
  adu run --method baseline --set epochs=50 --set forget_weight=3 --json baseline.json
  adu run --method full --tune --trials 8
  adu run --data folder:PACS --clip ViT-B-16-quickgelu:openai --save runs/pacs
"""


def add(command: argparse.ArgumentParser) -> None:
    """The options."""
    add = command.add_argument
    options.add_data(command)
    add(
        "--forget",
        action="append",
        metavar="DOMAIN",
        help="a domain to forget; several times for several at once (default: sketch)",
    )
    add(
        "--forget-classes",
        action="append",
        metavar="CLASS",
        help="a class to forget, several times for several: everywhere, or with --forget only in "
        "those domains",
    )
    add(
        "--method",
        choices=tuple(METHODS),
        default="full",
        metavar="NAME",
        help=f"one of {', '.join(METHODS)} (full); `adu methods` says what they are",
    )
    options.add_settings(command)
    options.add_on(command)
    add("--seed", type=options.count(0), default=0, help="draws shots and prompts (0)")
    add("--tune", action="store_true", help="choose the settings first, on validation pictures")
    add("--trials", type=options.count(1), help="how many settings --tune tries (8)")
    add("--save", metavar="DIR", help="keep model, record, history and a figure")
    add("--force", action="store_true", help="replace a finished run that is in --save or --json")
    add("--json", metavar="FILE", help="write the record, for programs to read")


def do(arguments: argparse.Namespace) -> None:
    """Check everything, run, print, keep."""
    folder = Path(arguments.save) if arguments.save else None
    if arguments.trials and not arguments.tune:
        raise ValueError(f"--trials {arguments.trials} goes with --tune: say both, or neither")
    if arguments.json:
        options.check_writable(arguments.json, "--json")
    if folder:
        options.check_writable(folder, "--save", folder=True)
    method = options.method_from(arguments.method, arguments)

    from adu_core.machine.files import write_json
    from adu_core.rivals.saved import CHECKPOINT, TRIALS, make_way, refuse_finished, save_model
    from adu_core.runs.doubt import doubt_of
    from adu_core.runs.record_table import said, table
    from adu_core.runs.run_spec import names_of, read_anew, run

    if folder and not arguments.force:
        refuse_finished(folder)
    check_device(arguments.device)
    read_anew(arguments.data)
    names = names_of(arguments.data)
    target = options.target_from(arguments.forget, arguments.forget_classes, names)
    spec = options.spec_from(arguments, method, target, seed=arguments.seed, on=arguments.on)
    if arguments.json and not arguments.force:
        _refuse_other(Path(arguments.json), spec, tuned=arguments.tune)
    options.begin(arguments, [spec])
    device = resolved(arguments.device, spec.clip)
    trials: list[str] = []
    if arguments.tune:
        from adu_core.runs.tune import tune

        kept, count = folder / TRIALS if folder else None, arguments.trials or 8
        tuned = tune({spec.method.name: spec}, count, folder=kept, device=device)[spec.method.name]
        spec, trials = tuned.best, [f"{trial.name}.json" for trial in tuned.specs]
        print(f"chosen on validation pictures: {said(spec.method)}\n")
    checkpoint = folder / CHECKPOINT if folder else None
    done = run(spec, device, checkpoint=checkpoint)
    print(table(done.record))
    if text := doubt_of(done.record):
        print(f"\n{text}")
    if arguments.json:
        write_json(arguments.json, done.record)
    if folder:
        make_way(folder, trials)
        save_model(done.model, folder)
        write_json(folder / "history.json", done.history)
        from adu_core.show import figures  # late: drawing takes seconds to import

        figures.save(figures.before_after(done), folder / "before_after.png")
        write_json(folder / "record.json", done.record)
        (folder / CHECKPOINT).unlink(missing_ok=True)
        print(f"saved in {folder}: {', '.join(sorted(p.name for p in folder.iterdir()))}")


def _refuse_other(path: Path, spec: Spec, *, tuned: bool) -> None:
    """Raise ``ValueError`` if a file holds the record of a run that was asked for otherwise."""
    from adu_core.runs.record import read_record
    from adu_core.runs.spec import Spec

    try:
        there = Spec.from_dict(read_record(path)["config"], path)
    except (OSError, ValueError):
        return  # not there, or no record: a file like any other
    alike = tuned and there.method.name == spec.method.name
    if spec not in (there, replace(there, method=spec.method) if alike else there):
        raise ValueError(
            f"--json {path} holds another run ({there.method.name}: forget {there.forget}, seed "
            f"{there.seed}): say --force to replace it, or name another file"
        )
