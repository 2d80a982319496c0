"""Means of records.

Mean Mem, For, H and selectivity with 95 % intervals, of all records in a folder; or, with
--audits, the scores of all audits there, a line each.
"""

from __future__ import annotations

import argparse
from functools import partial

from adu_core.cli import options

SUMMARY = "mean Mem, For, H with 95 %% intervals of a folder of records"
EXAMPLES = """\
examples:
  adu report runs/ablation
  adu report runs/ablation --by method,forget
  adu report runs/shots --by method,shots --figure shots.png
  adu report runs/bench --also h_held_out,of_perfect,fit_seconds
  adu report runs/audits --audits
  adu report notebooks/real_thing --check
  adu report runs/causes --by gamma,lam --against mmd2.after,silhouette_domain.after
"""


def add(command: argparse.ArgumentParser) -> None:
    """The options."""
    add = command.add_argument
    add("folder", metavar="DIR", help="where the records are")
    add(
        "--by",
        type=options.words,
        default=["method"],
        metavar="COLUMN,…",
        help="what the means are grouped by, as method,forget or shots (method)",
    )
    add(
        "--also",
        type=options.words,
        default=[],
        metavar="COLUMN,…",
        help="means of further columns, as h_held_out, of_perfect or fit_seconds",
    )
    add(
        "--fronts",
        action="store_true",
        help="also the Mem-For front of each method, over every setting in the folder",
    )
    add(
        "--against",
        type=options.words,
        metavar="COLUMN,…",
        help="also how For and selectivity go with a column from run to run, as mmd2.after",
    )
    add("--figure", metavar="FILE", help="draw the means; the suffix says how")
    add("--pack", action="store_true", help="then put DIR's records into one file, records.jsonl")
    add("--check", action="store_true", help="instead: can others use these records?")
    add("--audits", action="store_true", help="the scores of `adu audit` instead, a line each")


def do(arguments: argparse.Namespace) -> int:
    """Read, print, draw; 1 if records are checked and something stands against one."""
    means = ("also", "fronts", "against", "figure", "pack")
    asked = [f"--{name}" for name in means if getattr(arguments, name)]
    asked += ["--by"] * (arguments.by != ["method"])
    if arguments.audits and asked:
        raise ValueError(f"--audits prints scores, not means: leave out {', '.join(asked)}")
    if arguments.figure:
        options.check_writable(arguments.figure, "--figure")
    if arguments.audits:
        from adu_core.audit.audit import SCORES, shown
        from adu_core.audit.audits import read_audits

        digits = {name: partial(shown, name) for name in SCORES}
        found = read_audits(arguments.folder)
        print(found.to_string(index=False, formatters=digits, na_rep="–"))
        return 0

    from adu_core.runs import records

    if arguments.check:
        from adu_core.runs.contribution import report
        from adu_core.runs.record import read_record

        paths = records.within(arguments.folder)
        text, fine = report(paths, [read_record(path) for path in paths])
        print(text)
        return 0 if fine else 1
    found = records.read_table(arguments.folder)
    records.print_report(found, arguments.by, arguments.also)
    if arguments.figure:
        from adu_core.show.figures import save  # late: drawing takes seconds to import
        from adu_core.show.report_figure import report_figure

        save(report_figure(records.summary(found, arguments.by), arguments.by), arguments.figure)
    if arguments.fronts:
        print("\nMem-For fronts, each over the records of one method and forgotten domain:")
        print(records.fronts(found).to_string(index=False, float_format="%.1f", na_rep="–"))
    if arguments.against:
        from adu_core.runs.associations import associations

        print("\nSpearman's rho over runs, within each forgotten domain, with 95 % intervals:")
        measured = associations(found, arguments.against)
        print(measured.to_string(index=False, float_format="%.2f", na_rep="–"))
    if arguments.pack:
        from adu_core.runs.record import pack

        print(f"\nthe records are in {pack(arguments.folder)}, a line each")
    return 0
