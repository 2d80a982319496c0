"""The paper's tables.

Every combination of forgotten domains, the paper's methods and its tuning-based rivals, three
seeds, the paper's settings; at the end a table next to the paper's. Records go to --save, and it
continues where it was interrupted. Start with --dry-run: it says how many runs there are, how long
they take here and how much memory.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from adu_core.cli import options
from adu_core.cli.machines import add_machines, refuse_failed, run_all
from adu_core.clips.grammar import clip_from
from adu_core.machine.device import check_device, resolved

if TYPE_CHECKING:
    from adu_core.runs.grid import Names
    from adu_core.runs.protocol import Protocol
    from adu_core.runs.spec import Spec

SUMMARY = "the paper's tables, with one command"
EXAMPLES = """\
examples:
  adu reproduce office-home --dry-run --device cuda
  adu reproduce office-home --root data/office_home --save runs/office-home
  adu reproduce pacs --root hub:flwrlabs/pacs --download --also late-gate,gate --save runs/pacs
  adu reproduce mini-domainnet --root data/domainnet --slurm gpu --device cuda --save runs/mini
"""
PROTOCOLS = ("office-home", "mini-domainnet", "imagenet", "pacs", "domainnet")


def add(command: argparse.ArgumentParser) -> None:
    """The options."""
    add, count = command.add_argument, options.count
    add("protocol", choices=PROTOCOLS, metavar="NAME", help=", ".join(PROTOCOLS))
    add("--root", metavar="DIR", help="where the dataset lies, or hub:NAME of the Hugging Face Hub")
    add("--download", action="store_true", help="fetch hub:NAME first")
    options.add_clip(command, "ViT-B-16-quickgelu:openai")
    add("--save", metavar="DIR", help="where records and tables go")
    add("--seeds", type=count(1), default=3, help="how many seeds (3)")
    add("--methods", type=options.words, metavar="A,B,…", help="in place of the paper's")
    add(
        "--also",
        type=options.words,
        default=[],
        metavar="A,B,…",
        help="methods besides, as gate,door",
    )
    add(
        "--counts",
        type=_counts,
        default=(),
        metavar="1,2,…",
        help="how many domains are forgotten at once (1,2,3)",
    )
    add(
        "--text-prompts",
        type=count(0),
        default=0,
        metavar="TOKENS",
        help="learned tokens in the text, as in the released code, say 4 (0, as in the paper)",
    )
    options.add_skips(command)
    options.add_settings(command)
    add("--dry-run", action="store_true", help="say what it would cost, and stop")
    add_machines(command)


def _counts(text: str) -> tuple[int, ...]:
    return tuple(options.count(1)(part) for part in text.split(","))


def do(arguments: argparse.Namespace) -> None:
    """Plan; say what it costs, or run what is missing and write the tables."""
    from adu_core.data.grammar import joined
    from adu_core.data.sources import source_names
    from adu_core.runs.grid import Grid
    from adu_core.runs.protocol import METHODS
    from adu_core.runs.protocol import PROTOCOLS as KNOWN

    protocol = KNOWN[arguments.protocol]
    if not arguments.dry_run and not (arguments.root and arguments.save):
        missing = "--root, where the dataset lies" if not arguments.root else "--save, a folder"
        raise ValueError(f"say {missing}; --dry-run needs neither")
    if arguments.save:
        options.check_writable(arguments.save, "--save", folder=True)
    data = joined(
        *_place(arguments, protocol),
        skip_bad=arguments.skip_bad,
        shots=arguments.shots if arguments.skip_small else 0,
    )
    names = source_names(data) if arguments.root else protocol.placeholder()
    settings = {key: [text] for key, text in arguments.set}
    if arguments.text_prompts:
        settings["text_tokens"] = [str(arguments.text_prompts)]
    grid = Grid(
        methods=options.methods_from([*(arguments.methods or METHODS), *arguments.also]),
        set=settings,
        preset=arguments.preset,
        forget=arguments.counts or range(1, min(protocol.most, len(names[1]) - 1) + 1),
        seeds=range(arguments.seeds),
        data=[data],
        clip=clip_from(arguments.clip),
        shots=[arguments.shots],
        limit=arguments.limit,
        measure=("entanglement",),
    )
    work = grid.specs(lambda _: names)
    if arguments.dry_run:
        _print_forecast(arguments, protocol, work, names)
    else:
        _run(arguments, protocol, work, names)


def _place(arguments: argparse.Namespace, protocol: Protocol) -> tuple[str, str | None]:
    """The kind of pictures and their folder, or the name on the hub, fetched if it is asked for."""
    from adu_core.data.hub import download

    root = arguments.root or "ROOT"
    if not root.startswith("hub:"):
        if arguments.download:
            raise ValueError(f"--download goes with --root hub:NAME, not --root {root}")
        return protocol.data, root
    if arguments.download and not arguments.dry_run:
        download(root.removeprefix("hub:"))
    return root, None


def _print_forecast(
    arguments: argparse.Namespace, protocol: Protocol, work: list[Spec], names: Names
) -> None:
    """Runs, hours and memory, by the rate of a plain product on this device now."""
    from adu_core.clips.load import load_clip
    from adu_core.data.sources import count_pictures
    from adu_core.runs.forecast import Speed, forecast, gigabytes

    check_device(arguments.device)
    options.say_where(arguments, [spec.clip for spec in work])
    if arguments.root:
        measured, about = count_pictures(work[0].data, arguments.limit), ""
    else:
        most = (arguments.limit or 10**9) * len(names[0]) * len(names[1])
        measured, about = min(round(0.3 * protocol.pictures), most), "about "
    name, weights = work[0].clip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # random weights are as large as others
        known = weights is None or Path(weights).is_file()
        clip = load_clip(name, weights if known else None)
    speed = Speed.measure(clip, resolved(arguments.device, work[0].clip))
    one_of_each = {spec.method.name: spec for spec in reversed(work)}
    seconds = {
        name: speed.seconds(spec, clip, names, measured) for name, spec in one_of_each.items()
    }
    folder = Path(arguments.save) / "runs" if arguments.save else None
    print(
        f"{arguments.protocol}: on {speed.device} ({speed.rate / 1e12:.2f} TFLOP/s in float32, "
        f"measured now), {about}{measured} test pictures:"
    )
    print(forecast(work, folder, arguments.processes, seconds))
    print(f"{gigabytes(work, clip):.1f} GB of its memory at most, besides pictures")


def _run(arguments: argparse.Namespace, protocol: Protocol, work: list[Spec], names: Names) -> None:
    from adu_core.machine.files import write_json, write_text
    from adu_core.runs.protocol import as_text, markdown, table

    folder = Path(arguments.save)
    done, failed = run_all(arguments, work, folder / "runs")
    if done:
        found = table(protocol, done, text_prompts=arguments.text_prompts)
        write_text(folder / "table.md", markdown(arguments.protocol, found, work, names))
        values = {"protocol": arguments.protocol, "rows": found.to_dict("records")}
        write_json(folder / "table.json", values)
        print(as_text(found))
        print(f"saved in {folder}: runs, table.json, table.md")
    refuse_failed(failed, work)
