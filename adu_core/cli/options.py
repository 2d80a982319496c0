"""Options that several commands share, and how their values are read."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adu_core.clips.grammar import clip_from
from adu_core.rivals.methods import METHODS, Preset, preset_for

if TYPE_CHECKING:
    from adu_core.dataset import Target
    from adu_core.runs.spec import Spec
    from adu_core.task import Method


def count(least: int) -> Callable[[str], int]:
    """A whole number, ``least`` or more."""

    def whole(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None
        if not least <= value < 2**31:
            raise argparse.ArgumentTypeError(f"must be {least} or more, not {text}")
        return value

    return whole


def words(text: str) -> list[str]:
    """A list, joined by commas."""
    return text.split(",")


def assignment(text: str) -> tuple[str, str]:
    """``NAME=VALUE``; what NAME may be and what VALUE means is the method's to say."""
    name, equals, value = text.partition("=")
    if not name or not equals or not value:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value


def add_data(command: argparse.ArgumentParser) -> None:
    """Which pictures and which CLIP."""
    add_source(command)
    add_clip(command, "mini")


def add_clip(command: argparse.ArgumentParser, default: str) -> None:
    """Which CLIP, where it computes, and how many pictures it sees."""
    add, known = command.add_argument, "mini, FILE.safetensors or NAME:WEIGHTS"
    add("--clip", default=default, metavar="CLIP", help=f"{known} ({default})")
    add("--shots", type=count(1), default=8, help="pictures per class and domain (8)")
    add("--limit", type=count(1), help="measure on at most so many per class and domain")
    add_device(command)


def add_device(command: argparse.ArgumentParser) -> None:
    """Where is computed."""
    command.add_argument(
        "--device",
        default="auto",
        help="cpu, cuda, mps or auto: a GPU where there is one, but the CPU for small CLIPs (auto)",
    )


def say_where(arguments: argparse.Namespace, clips: Iterable[tuple[str, str | None]]) -> None:
    """Say on stderr, when all is checked and work begins, where it is done and why there."""
    from adu_core.machine.device import where

    far = getattr(arguments, "slurm", None) or getattr(arguments, "dask", None)
    said = f"computing on {far}, {arguments.device}" if far else where(arguments.device, clips)
    print(f"adu {arguments.command}: {said}", file=sys.stderr)


def begin(arguments: argparse.Namespace, work: Sequence[Spec]) -> None:
    """Refuse runs that cannot be; say where is computed, and which words a CLIP never met.

    A cluster's machines are not this one: of their runs nothing is loaded here. A bench leaves
    out what cannot be, and only says where it computes.
    """
    from adu_core.machine.device import check_device
    from adu_core.runs.run_spec import check, warn_of_unknown_words

    if getattr(arguments, "slurm", None) or getattr(arguments, "dask", None):
        say_where(arguments, [])
        return
    check_device(arguments.device)
    if arguments.command != "bench":
        check(work, arguments.device)
    say_where(arguments, [spec.clip for spec in work])
    warn_of_unknown_words(work, arguments.device)


def add_source(command: argparse.ArgumentParser) -> None:
    """Which pictures; ``complete_data`` makes one text of it."""
    add = command.add_argument
    add(
        "--data",
        default="world",
        metavar="world|KIND:PLACE",
        help="the pictures: world (default), world?mix=0.25 (styles overlap less: 0 to 0.5), "
        "folder:ROOT, lists:ROOT, hub:NAME, pacs:ROOT, "
        "office-home:ROOT, domainnet:ROOT, mini-domainnet:ROOT, imagenet:ROOT",
    )
    add("--root", metavar="ROOT", help="with --data pacs, say: the folder it is in")
    add("--download", action="store_true", help="fetch hub:NAME if it is not on this machine")
    add_skips(command)


def add_skips(command: argparse.ArgumentParser) -> None:
    """What may be left out of the pictures instead of being an error."""
    add = command.add_argument
    add("--skip-bad", action="store_true", help="leave out pictures that cannot be read")
    add(
        "--skip-small",
        action="store_true",
        help="leave out, in every domain, classes with too few pictures for the shots or a share",
    )


def complete_data(arguments: argparse.Namespace) -> None:
    """Make ``--data`` the one text that records keep; fetch what ``--download`` is to fetch.

    Left alone if nothing but ``--data`` is given, so that wrong words are answered at once.
    """
    others = ("root", "download", "skip_bad", "skip_small")
    given = any(getattr(arguments, name, None) not in (None, False) for name in others)
    if not given or not hasattr(arguments, "data"):
        return
    from adu_core.data.grammar import joined, parse

    shots = getattr(arguments, "shots", 1) if arguments.skip_small else 0
    skip_bad = arguments.skip_bad
    arguments.data = joined(arguments.data, arguments.root, skip_bad=skip_bad, shots=shots)
    if arguments.download:
        source = parse(arguments.data)
        if source.kind != "hub":
            raise ValueError(f"--download goes with --data hub:NAME, not {arguments.data}")
        from adu_core.data.hub import download

        download(source.place)


def add_settings(command: argparse.ArgumentParser) -> None:
    """A method's settings."""
    add = command.add_argument
    add(
        "--preset",
        choices=("mini", "paper"),
        help="settings to start from: mini for small CLIPs, paper for open_clip's (by --clip)",
    )
    add(
        "--set",
        action="append",
        default=[],
        type=assignment,
        metavar="NAME=VALUE",
        help="change a setting of the method, such as epochs=50; `adu methods NAME` lists them",
    )


def add_on(command: argparse.ArgumentParser) -> None:
    """Which share of the pictures is measured."""
    command.add_argument(
        "--on",
        choices=("test", "validation"),
        default="test",
        help="pictures to measure on; choose settings on validation (test)",
    )


def add_cases(command: argparse.ArgumentParser, default: str) -> None:
    """What a bench or a sweep forgets: one case, or several in turn."""
    add = command.add_argument
    add(
        "--forget",
        action="append",
        metavar="DOMAIN",
        help="a domain to forget; several times for several at once, which is one case",
    )
    add(
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


def described(targets: Sequence[Target]) -> str:
    """What is forgotten, as the first line of a command says it."""
    cases = [str(target).replace(", ", " + ") for target in targets]
    if len(cases) > 1:
        return f"forget by turns: {'; '.join(cases)}"
    return f"forget {cases[0]}{', at once' if '+' in cases[0] else ''}"


def check_writable(path: str | Path, what: str, *, folder: bool = False) -> None:
    """Raise ``ValueError`` now if the result could not be written later; leaves nothing behind."""
    import tempfile

    target = Path(path)
    if folder and target.exists() and not target.is_dir():
        raise ValueError(f"{what} {path}: there is a file of that name; name a folder")
    if not folder and target.is_dir():
        raise ValueError(f"{what} {path}: there is a folder of that name; name a file")
    where = target if folder else target.parent
    made = []
    try:
        for part in [*reversed(where.parents), where]:
            if not part.exists():
                part.mkdir()
                made.append(part)
        with tempfile.TemporaryFile(dir=where):
            pass
    except OSError as error:
        raise ValueError(f"{what} {path} cannot be written: {error}") from None
    finally:
        for part in reversed(made):
            part.rmdir()


def preset_of(arguments: argparse.Namespace) -> Preset:
    """The preset that was asked for, or the one that suits the CLIP, which must name weights."""
    suits = preset_for(clip_from(arguments.clip))
    return arguments.preset or suits


def method_from(name: str, arguments: argparse.Namespace) -> Method:
    """The method with what ``--set`` changes in it."""
    from dataclasses import replace

    from adu_core.rivals.methods import method, parse

    made = method(name, preset_of(arguments))
    return replace(made, **{key: parse(made, key, text) for key, text in arguments.set})


def methods_from(names: Sequence[str]) -> list[str]:
    """Names of methods, checked."""
    for name in names:
        if name not in METHODS:
            raise ValueError(f"no method {name!r}: choose from {', '.join(METHODS)}")
    return list(dict.fromkeys(names))


def target_from(
    domains: Sequence[str] | None, classes: Sequence[str] | None, names: tuple[Any, Any]
) -> Target:
    """What is to be forgotten; the world's sketches, or a folder's, if nothing is said.

    ``names`` are the class names and domain names that there are.
    """
    from adu_core.dataset import Target
    from adu_core.runs.grid import domains_of

    class_names, domain_names = names
    domains = domains_of(domains or (), domain_names)
    if not domains and not classes:
        if "sketch" not in domain_names:
            raise ValueError(
                f"say what to forget: --forget with one of {', '.join(domain_names)} "
                "(only sketch is taken by default, and it is not there)"
            )
        domains = ["sketch"]
    found = Target(tuple(domains), tuple(classes or ()))
    found.check(class_names, domain_names)
    return found


def spec_from(arguments: argparse.Namespace, method: Method, target: Target, **more: Any) -> Spec:
    """The run that the options of ``add_data`` describe, and ``more`` of its fields."""
    from adu_core.runs.spec import Spec

    return Spec(
        method,
        target,
        data=arguments.data,
        clip=clip_from(arguments.clip),
        shots=arguments.shots,
        limit=arguments.limit,
        **more,
    )
