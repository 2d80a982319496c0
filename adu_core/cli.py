"""The command line: ``adu``, also ``python -m adu_core``."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any, NoReturn, get_args

from adu_core.methods import PRESETS, MethodName, Settings

DESCRIPTION = """\
Approximate Domain Unlearning: make a CLIP forget a visual domain and keep the others.

Start with `adu run`: it needs no argument and no network, and takes less than a minute.
"""

RUN = """\
Unlearn a domain and print a table of before and after.

The pictures come from the embedded world (--data world) or from your own folder,
ROOT/<domain>/<class>/<picture> (--data folder:ROOT). The CLIP is the small one that ships
(--clip mini), one of `adu pretrain` (--clip PATH.safetensors) or any plain ViT of open_clip with
its weights (--clip ViT-B-16-quickgelu:openai, fetched from the hub once; or :PATH).

Mem is the accuracy on memorized domains, For the error on forgotten ones, H their harmonic
mean; all in percent, all better when higher.
"""

RUN_EXAMPLES = """\
examples:
  adu run
  adu run --forget sketch --forget painting --save runs/two
  adu run --method baseline --set epochs=50 --set forget_weight=3 --json baseline.json
  adu run --data folder:PACS --clip ViT-B-16-quickgelu:openai --device cuda --save runs/pacs
"""


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, without the usage, which ``--help`` shows."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\n")


def parser() -> argparse.ArgumentParser:
    """The commands and their options."""
    top = _Parser(
        "adu", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, summary: str, text: str = "", epilog: str = "") -> Any:
        return commands.add_parser(
            name,
            help=summary,
            description=text or summary,
            epilog=epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )

    run = command("run", "forget a domain; print before and after", RUN, RUN_EXAMPLES)
    _add_data(run)
    run.add_argument(
        "--forget",
        action="append",
        metavar="DOMAIN",
        help="a domain to forget; may be given several times (default: sketch)",
    )
    run.add_argument(
        "--method",
        choices=get_args(MethodName),
        default="full",
        help="what learns: vision prompts (baseline), with InstaPG (instapg), with the Domain "
        "Disentangling Loss (ddl), both (full, the default), or nothing (zero-shot)",
    )
    run.add_argument("--seed", type=_count(0), default=0, help="draws shots and prompts (0)")
    run.add_argument("--save", metavar="DIR", help="keep adapter, record, history and a figure")
    run.add_argument("--json", metavar="FILE", help="write the record, for programs to read")

    sweep = command(
        "sweep",
        "many runs, in parallel, one record each; goes on where it stopped",
        epilog="example:\n  adu sweep runs/ablation --seeds 5 --processes 2\n"
        "  adu sweep runs/front --set forget_weight=0.3,1,3,10 --seeds 3 --on validation",
    )
    sweep.add_argument("folder", metavar="DIR", help="where the records go")
    _add_data(sweep)
    sweep.add_argument(
        "--methods", type=_words, default=["baseline", "instapg", "ddl", "full"], metavar="A,B,…"
    )
    sweep.add_argument(
        "--forget",
        action="append",
        metavar="DOMAIN[+DOMAIN]",
        help="one case each; several times for several cases (default: every domain by itself)",
    )
    sweep.add_argument("--seeds", type=_count(1), default=3, help="how many seeds (3)")
    sweep.add_argument("--first-seed", type=_count(0), default=0, help="the lowest of them (0)")
    sweep.add_argument("--processes", type=_count(1), default=1, help="runs at a time (1)")
    sweep.add_argument("--slurm", metavar="PARTITION", help="send the runs there with submitit")

    report = command("report", "mean Mem, For, H with 95 % intervals of a folder of records")
    report.add_argument("folder", metavar="DIR")
    report.add_argument("--by", type=_words, default=["method"], metavar="COLUMN,…")
    report.add_argument(
        "--fronts",
        action="store_true",
        help="also the Mem-For front of each method, over every setting in the folder",
    )

    pretrain = command(
        "pretrain",
        "train a small CLIP from nothing",
        "Train a small CLIP from nothing on the embedded world or on your own folder; the\n"
        "validation and test pictures of `adu run` are left out. Interrupted with Ctrl-C, the\n"
        "same command goes on after the last whole epoch.",
        "examples:\n  adu pretrain --out clips/world.safetensors\n"
        "  adu pretrain --data folder:PACS --out clips/pacs.safetensors --epochs 100",
    )
    pretrain.add_argument("--out", required=True, metavar="FILE.safetensors")
    pretrain.add_argument("--data", default="world", metavar="world|folder:PATH")
    pretrain.add_argument("--epochs", type=_count(1), help="passes over the pictures")
    pretrain.add_argument("--pictures", type=_count(1), help="per class and domain")
    pretrain.add_argument("--size", type=_count(10), default=60, help="pixels a side (60)")
    pretrain.add_argument("--mix", type=float, default=0.5, help="overlap of the domains (0.5)")
    pretrain.add_argument("--seed", type=_count(0), default=0)
    pretrain.add_argument("--device", default="cpu")
    pretrain.add_argument("--smoke", action="store_true", help="seconds long, for tests")

    predict = command("predict", "name what is in pictures, before and after unlearning")
    predict.add_argument("--adapter", required=True, metavar="DIR", help="of `adu run --save`")
    predict.add_argument("--clip", metavar="CLIP", help="if it is not where the adapter says")
    predict.add_argument("--device", default="cpu")
    predict.add_argument("pictures", nargs="+", metavar="PICTURE")

    world = command("world", "draw a contact sheet of the embedded world")
    world.add_argument("--out", required=True, metavar="FILE.png")
    world.add_argument("--mix", type=float, default=0.5, help="overlap of the domains (0.5)")
    world.add_argument("--seed", type=_count(0), default=0)
    world.add_argument("--size", type=_count(8), default=60, help="pixels a side (60)")
    return top


def _add_data(command: argparse.ArgumentParser) -> None:
    """The options that `run` and `sweep` share."""
    add = command.add_argument
    add("--data", default="world", metavar="world|folder:PATH", help="the pictures (world)")
    add("--clip", default="mini", metavar="mini|NAME[:PRETRAINED]|PATH", help="the model (mini)")
    add("--shots", type=_count(1), default=8, help="pictures per class and domain (8)")
    add(
        "--limit",
        type=_count(1),
        help="measure on so many of a folder per class and domain",
    )
    add("--mix", type=float, default=0.5, help="overlap of the world's domains, 0 to 0.5 (0.5)")
    add(
        "--preset",
        choices=PRESETS,
        help="settings to start from: mini for small CLIPs, paper for open_clip's (by --clip)",
    )
    add(
        "--set",
        action="append",
        default=[],
        type=_assignment,
        metavar="NAME=VALUE",
        help="change a setting, such as epochs=50 or gamma=10: "
        + ", ".join(field.name for field in fields(Settings) if field.name != "method"),
    )
    add(
        "--on",
        choices=("test", "validation"),
        default="test",
        help="pictures to measure on; choose settings on validation (test)",
    )
    add("--device", default="cpu", help="cpu, cuda or mps (cpu)")


def _count(least: int) -> Any:
    def count(text: str) -> int:
        value = int(text)
        if value < least:
            raise argparse.ArgumentTypeError(f"must be {least} or more, not {value}")
        return value

    return count


def _words(text: str) -> list[str]:
    return text.split(",")


def _assignment(text: str) -> tuple[str, list[Any]]:
    """``name=value`` or ``name=value,value``, each of the type that the setting has."""
    name, _, value = text.partition("=")
    types = {field.name: type(getattr(Settings(), field.name)) for field in fields(Settings)}
    if name not in types or name == "method" or not value:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE of a known setting")
    kind = types[name]
    try:
        if kind is bool:
            return name, [{"true": True, "false": False}[v.lower()] for v in value.split(",")]
        if kind is tuple:
            return name, [tuple(float(v) for v in value.split(","))]
        return name, [kind(v) for v in value.split(",")]
    except (ValueError, KeyError):
        raise argparse.ArgumentTypeError(f"{name} takes a {kind.__name__}, not {value!r}") from None


def clip_from(text: str) -> tuple[str, str | None]:
    """``NAME[:PRETRAINED]`` or a path, as the arguments of ``load_clip``."""
    if text == "mini" or (text.endswith(".safetensors") and ":" not in text):
        return text, None
    name, _, pretrained = text.partition(":")
    if not pretrained:
        raise ValueError(f"--clip {text} names no weights: say {text}:openai or {text}:PATH")
    return name, pretrained


def settings_from(arguments: argparse.Namespace) -> tuple[Settings, dict[str, list[Any]]]:
    """The preset with what ``--set`` changes, and what it gives several values for."""
    small = arguments.clip == "mini" or ":" not in arguments.clip
    settings = PRESETS[arguments.preset or ("mini" if small else "paper")]
    single = {name: values[0] for name, values in arguments.set if len(values) == 1}
    grid = {name: values for name, values in arguments.set if len(values) > 1}
    return replace(settings, **single), grid


def main(words: Sequence[str] | None = None) -> int:
    """Run a command; 0 if it went well, 2 for a bad value (one line says which), 130 for Ctrl-C."""
    arguments = parser().parse_args(words)
    from adu_core import commands  # late: `adu --help` need not wait for torch

    try:
        getattr(commands, arguments.command)(arguments)
        sys.stdout.flush()
    except KeyboardInterrupt:
        print("adu: interrupted; nothing is half written", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (ValueError, OSError, RuntimeError, ArithmeticError, ImportError) as error:
        print(f"adu {arguments.command}: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    return 0
