"""The command line: ``adu``, or ``python -m adu_core``. One file per command; this one finds them.

Nothing here, and nothing that a command's file imports at its top, imports torch: help and
errors in the options are answered at once.
"""

from __future__ import annotations

import argparse
import gc
import io
import os
import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import NoReturn

from adu_core.cli.options import complete_data

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


#: The commands that go on where they stopped: which option says where they keep what is done, and
#: what it is called there.
_KEPT = {
    "run": ("save", ("training.safetensors", "trials/*.json")),
    "bench": ("save", ("trials/*.json", "runs/*.json", "selective/*.json")),
    "sweep": ("folder", ("*.json",)),
    "reproduce": ("save", ("runs/*.json",)),
}


class _Version(argparse.Action):
    """Prints the version, looked up only if it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        from importlib.metadata import version

        print(f"adu {version('adu-core')}")
        parser.exit()


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, without the usage, which ``--help`` shows."""

    def error(self, message: str) -> NoReturn:
        if "unrecognized arguments: --mix" in message:
            message += "; mix belongs to the world, say --data 'world?mix=0.25'"
        self.exit(2, f"{self.prog}: {message}\n")


def parser() -> argparse.ArgumentParser:
    """The commands and their options."""
    raw = argparse.RawDescriptionHelpFormatter
    top = _Parser("adu", description=DESCRIPTION, formatter_class=raw)
    top.add_argument("--version", action=_Version, nargs=0, help="print the version and stop")
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
    try:
        complete_data(arguments)
        status: int = import_module(f"adu_core.cli.{arguments.command}").do(arguments) or 0
        sys.stdout.flush()
    except KeyboardInterrupt:
        goes_on = "; the same command goes on where it stopped" if _kept(arguments) else ""
        print(f"adu: interrupted; nothing is half written{goes_on}", file=sys.stderr)
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


def _kept(arguments: argparse.Namespace) -> bool:
    """Whether an interrupted command left something that the same command goes on from."""
    if arguments.command == "pretrain":
        return Path(arguments.out).with_suffix(".partial.safetensors").exists()
    option, names = _KEPT.get(arguments.command, ("command", ()))
    folder = getattr(arguments, option)
    return folder is not None and any(any(Path(folder).glob(name)) for name in names)


def command() -> NoReturn:
    """What ``adu`` on the command line is: ``main``, and out at once.

    Taking torch and open_clip apart again, object by object, would cost two seconds at the end of
    every command; all files are closed by then. What ``main`` does not know how to tell is a fault
    of ours, and is told in one line as well; with ADU_TRACEBACK=1, from where it came.
    """
    for stream in (sys.stdout, sys.stderr):  # a name that a terminal cannot show is no error
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    warnings.formatwarning = lambda message, *_: f"adu: {message}\n"
    # Importing torch and open_clip builds some million objects that stay to the end. The garbage
    # collector's usual pace walks them again and again: 1 of 8 seconds, seen on 2 cores.
    gc.set_threshold(100_000, 50, 100)
    try:
        status = main()
    except Exception as error:
        if os.environ.get("ADU_TRACEBACK"):
            raise
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        print(f"adu: {reason}; this is a fault of adu, please report it ", end="", file=sys.stderr)
        print("(ADU_TRACEBACK=1 shows where it is)", file=sys.stderr)
        status = 2
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
