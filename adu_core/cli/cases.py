"""What a bench or a sweep forgets: one case, or several in turn."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from adu_core.cli.options import words

if TYPE_CHECKING:
    from adu_core.task import Target


def add_cases(command: argparse.ArgumentParser, default: str) -> None:
    """What is forgotten: one case, or several in turn."""
    command.add_argument(
        "--forget",
        action="append",
        metavar="DOMAIN",
        help="a domain to forget; several times for several at once, which is one case",
    )
    command.add_argument(
        "--cases",
        type=words,
        metavar="A,B+C,…",
        help="what to forget in turn, the results are means over them: A+B is one case of two "
        f"domains, each is every domain by itself ({default})",
    )


def cases_from(arguments: argparse.Namespace) -> list[str]:
    """What ``add_cases`` asked for, as a grid has it; empty if nothing was said."""
    if arguments.forget and arguments.cases:
        raise ValueError("say --forget, for one case, or --cases, for several in turn")
    return ["+".join(arguments.forget)] if arguments.forget else arguments.cases or []


def describe(targets: Sequence[Target]) -> str:
    """What is forgotten, as the first line of a command says it."""
    cases = [str(target).replace(", ", " + ") for target in targets]
    if len(cases) > 1:
        return f"forget by turns: {'; '.join(cases)}"
    return f"forget {cases[0]}{', at once' if '+' in cases[0] else ''}"
