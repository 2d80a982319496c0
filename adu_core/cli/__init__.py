"""The command line: ``adu``, also ``python -m adu_core``. One file a command; this one finds them.

Nothing here, and nothing that a command's file imports at its top, imports torch: help and
wrong words are answered at once.
"""

from __future__ import annotations

import argparse
import gc
import io
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

from adu_core.cli.options import settle_source

DESCRIPTION = """\
Approximate Domain Unlearning: make a CLIP forget a visual domain and keep the others.

Start with `adu run`: it needs no argument and no network, and takes less than a minute.
`adu COMMAND --help` has the options and examples of each.
"""

#: The commands, in the order of the help: each is a file beside this one, with ``SUMMARY``,
#: ``add(parser)`` for its options and ``do(arguments)`` for its work.
COMMANDS = (
    "run",
    "bench",
    "sweep",
    "reproduce",
    "report",
    "methods",
    "pretrain",
    "predict",
    "audit",
    "world",
)


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, without the usage, which ``--help`` shows."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\n")


def parser() -> argparse.ArgumentParser:
    """The commands and their options."""
    raw = argparse.RawDescriptionHelpFormatter
    top = _Parser("adu", description=DESCRIPTION, formatter_class=raw)
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name in COMMANDS:
        module = import_module(f"adu_core.cli.{name}")
        module.add(
            commands.add_parser(
                name,
                help=module.SUMMARY,
                description=(module.__doc__ or "").partition("\n")[2].strip() or module.SUMMARY,
                epilog=getattr(module, "EXAMPLES", ""),
                formatter_class=raw,
                allow_abbrev=False,
            )
        )
    return top


def main(words: Sequence[str] | None = None) -> int:
    """Run a command; 0 if it went well, 2 for a bad value (one line says which), 130 for Ctrl-C.

    A command may have a status of its own: `adu audit` ends with 1 where a requirement is not met,
    `adu predict` with 2 where a picture could not be read, after it has answered all others.
    """
    arguments = parser().parse_args(words)
    # Importing torch and open_clip builds some million objects that stay to the end. The garbage
    # collector's usual pace walks them again and again: 1 of 8 seconds, seen on 2 cores.
    gc.set_threshold(100_000, 50, 100)
    try:
        settle_source(arguments)
        status: int = import_module(f"adu_core.cli.{arguments.command}").do(arguments) or 0
        sys.stdout.flush()
    except KeyboardInterrupt:
        print("adu: interrupted; nothing is half written", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (
        ValueError, OSError, RuntimeError, ArithmeticError, ImportError, MemoryError
    ) as error:  # fmt: skip
        reason = " ".join(str(error).split()) or type(error).__name__
        print(f"adu {arguments.command}: {reason}", file=sys.stderr)
        return 2
    return status


def command() -> NoReturn:
    """What ``adu`` on the command line is: ``main``, and out at once.

    Taking torch and open_clip apart again, object by object, would cost two seconds at the end of
    every command; all files are closed by then.
    """
    for stream in (sys.stdout, sys.stderr):  # a name that a terminal cannot show is no error
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
