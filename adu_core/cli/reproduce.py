"""The paper's tables.

Every combination of forgotten domains, the paper's methods and its tuning-based rivals, three
seeds, the paper's settings; at the end a table beside the paper's. Records go to --save, and it
goes on where it was interrupted. Start with --dry-run: it says how many runs there are, how long
they take here and how much memory.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from adu_core.cli import options
from adu_core.cli.machines import add_machines, executor_from
from adu_core.clips.grammar import clip_from
from adu_core.machine.device import check_device, resolved

if TYPE_CHECKING:
    from adu_core.runs.grid import Grid
    from adu_core.runs.spec import Spec

SUMMARY = "the paper's tables, with one command"
EXAMPLES = """\
examples:
  adu reproduce office-home --dry-run --device cuda
  adu reproduce office-home --root data/office_home --save runs/office-home
  adu reproduce pacs --root data/pacs --also gate,door --save runs/pacs
  adu reproduce mini-domainnet --root data/domainnet --slurm gpu --device cuda --save runs/mini
"""
PROTOCOLS = ("office-home", "mini-domainnet", "imagenet", "pacs", "domainnet")


def add(command: argparse.ArgumentParser) -> None:
    """The options."""
    count = options.count
    command.add_argument("protocol", choices=PROTOCOLS, metavar="NAME", help=", ".join(PROTOCOLS))
    command.add_argument("--root", metavar="DIR", help="where the dataset lies")
    command.add_argument(
        "--clip",
        default="ViT-B-16-quickgelu:openai",
        metavar="CLIP",
        help="the paper's by default (ViT-B-16-quickgelu:openai)",
    )
    options.add_device(command)
    command.add_argument("--save", metavar="DIR", help="where records and tables go")
    command.add_argument("--shots", type=count(1), default=8, help="per class and domain (8)")
    command.add_argument("--seeds", type=count(1), default=3, help="how many seeds (3)")
    command.add_argument(
        "--methods", type=options.words, metavar="A,B,…", help="in place of the paper's"
    )
    command.add_argument(
        "--also",
        type=options.words,
        default=[],
        metavar="A,B,…",
        help="methods besides, as gate,door",
    )
    command.add_argument(
        "--counts",
        type=_counts,
        default=(),
        metavar="1,2,…",
        help="how many domains are forgotten at once (1,2,3)",
    )
    command.add_argument(
        "--text-prompts",
        type=count(0),
        default=0,
        metavar="TOKENS",
        help="learned tokens in the text, as in the released code, say 4 (0, as in the paper)",
    )
    command.add_argument(
        "--limit", type=count(1), help="measure on so many pictures per class and domain"
    )
    options.add_skips(command)
    options.add_settings(command)
    command.add_argument("--dry-run", action="store_true", help="say what it would cost, and go")
    add_machines(command)


def _counts(text: str) -> tuple[int, ...]:
    return tuple(options.count(1)(part) for part in text.split(","))


def do(arguments: argparse.Namespace) -> None:
    """Plan; say what it costs, or run what is missing and write the tables."""
    from adu_core.data.grammar import joined
    from adu_core.data.sources import count_pictures, source_names
    from adu_core.runs.protocol import METHODS, plan
    from adu_core.runs.protocol import PROTOCOLS as KNOWN

    protocol = KNOWN[arguments.protocol]
    if not arguments.dry_run and not (arguments.root and arguments.save):
        missing = "--root, where the dataset lies" if not arguments.root else "--save, a folder"
        raise ValueError(f"say {missing}; --dry-run needs neither")
    if arguments.save:
        options.check_writable(arguments.save, "--save", folder=True)
    data = joined(
        protocol.data,
        arguments.root or "ROOT",
        skip_bad=arguments.skip_bad,
        shots=arguments.shots if arguments.skip_small else 0,
    )
    names = source_names(data) if arguments.root else protocol.placeholder()
    methods = options.methods_from([*(arguments.methods or METHODS), *arguments.also])
    work = plan(
        protocol,
        names,
        _grid(arguments, methods, data),
        text_prompts=arguments.text_prompts,
        counts=arguments.counts,
    )
    if arguments.dry_run:
        check_device(arguments.device)
        options.say_where(arguments, [spec.clip for spec in work])
        cells = len(names[0]) * len(names[1])
        measured = (
            count_pictures(data, arguments.limit)
            if arguments.root
            else min(round(0.3 * protocol.pictures), (arguments.limit or 10**9) * cells)
        )
        print(_forecast(arguments, work, names, measured))
        return
    _run(arguments, work)


def _grid(arguments: argparse.Namespace, methods: list[str], data: str) -> Grid:
    from adu_core.runs.grid import Grid

    return Grid(
        methods=methods,
        set={key: [text] for key, text in arguments.set},
        preset=arguments.preset,
        seeds=range(arguments.seeds),
        data=[data],
        clip=clip_from(arguments.clip),
        shots=[arguments.shots],
        limit=arguments.limit,
        measure=(),
    )


def _forecast(
    arguments: argparse.Namespace, work: list[Spec], names: tuple[object, ...], measured: int
) -> str:
    """Runs, hours and memory, by the rate of a plain product on this device now."""
    import torch

    from adu_core.clips.load import load_clip
    from adu_core.runs.cost import expect, rate
    from adu_core.runs.forecast import said_time

    name, weights = clip_from(arguments.clip)
    device = resolved(arguments.device, (name, weights))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # random weights are as large as others
        known = weights is None or Path(weights).is_file()
        clip = load_clip(name, weights if known else None)
    class_names, domain_names = names
    speed = rate(device, torch.float32)
    lines = []
    for method in dict.fromkeys(spec.method.name for spec in work):
        some = [spec for spec in work if spec.method.name == method]
        cost = expect(
            some,
            clip,
            classes=len(class_names),  # type: ignore[arg-type]
            domains=len(domain_names),  # type: ignore[arg-type]
            pictures=measured,
            speed=speed,
            device=device,
        )
        lines.append((method, cost))
    total = sum(cost.seconds for _, cost in lines)
    most = max(cost.gigabytes for _, cost in lines)
    about = "" if arguments.root else "about "
    text = [
        f"{arguments.protocol}: {len(work)} runs on {device} "
        f"({speed / 1e12:.2f} TFLOP/s in float32, measured now), {about}{measured} test pictures:",
        *(
            f"  {method:<10} {cost.runs:>5} runs  {said_time(cost.seconds):>9}"
            for method, cost in lines
        ),
        f"in all about {total / 3600:.1f} hours of one {device}, "
        f"{most:.1f} GB of its memory at most, besides pictures",
    ]
    return "\n".join(text)


def _run(arguments: argparse.Namespace, work: list[Spec]) -> None:
    from adu_core.machine.files import write_json, write_text
    from adu_core.runs import sweep
    from adu_core.runs.protocol import PROTOCOLS as KNOWN
    from adu_core.runs.reproduction import markdown, progress, rows

    folder = Path(arguments.save)
    options.begin(arguments, work)
    failed: dict[Spec, str] = {}
    arguments.folder = arguments.save
    with executor_from(arguments, work) as executor:
        paths = sweep.sweep(
            work,
            folder / "runs",
            processes=arguments.processes,
            device=arguments.device,
            executor=executor,
            failed=failed,
        )
    done = [path for spec, path in zip(work, paths, strict=True) if spec not in failed]
    if done:
        protocol = KNOWN[arguments.protocol]
        found = rows(protocol, done, text_prompts=arguments.text_prompts)
        data = work[0].data
        text = markdown(arguments.protocol, found, work, clip=arguments.clip, data=data)
        write_text(folder / "table.md", text)
        values = {"protocol": arguments.protocol, "rows": found.to_dict("records")}
        write_json(folder / "table.json", values)
        print(progress(found))
        print(f"saved in {folder}: runs, table.json, table.md")
    if failed:
        first = next(iter(failed.items()))
        raise ValueError(
            f"{len(failed)} of {len(work)} runs failed: {first[0].name}: {first[1]}; "
            "the same command tries them again"
        )
