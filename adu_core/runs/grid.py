"""A grid of runs: every combination of what is varied, from Python or from a YAML file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import combinations, product
from pathlib import Path
from typing import Any, cast

import yaml

from adu_core.clips.grammar import clip_from
from adu_core.data.sources import source_names
from adu_core.rivals.methods import METHODS, Preset, method, parse
from adu_core.runs.spec import Spec
from adu_core.task import Method, Target, readable

#: A grid that lies beside its records, and is run if nothing else is said.
GRID = "grid.yml"

#: More seeds than this are a slip of the pen.
MOST_SEEDS = 10_000

Names = tuple[Sequence[str], Sequence[str]]  # of classes, of domains


def domains_of(texts: Iterable[str], known: Sequence[str]) -> list[str]:
    """Domains that are forgotten at once; ``A+B`` names two of them, unless one is called so."""
    parts = ([text] if readable(text) in known else text.split("+") for text in texts)
    return [name for part in parts for name in part]


@dataclass(frozen=True)
class Grid:
    """What a sweep varies, as plain values; lists are varied, all combinations of them are run.

    methods:  names of methods
    set:      settings; a list is varied. A method without such a setting runs once
    preset:   the settings to start from; None takes "paper" for a CLIP with ``pretrained``
    forget:   domains, joined by "+" where several are forgotten at once; a number n is all
              combinations of n domains, "each" is the same as 1
    classes:  classes to forget in those domains, or everywhere if ``forget`` is empty
    seeds:    a number n means 0 to n - 1

    The others are the fields of ``Spec``; ``data``, ``shots`` and ``labels`` may be lists.
    """

    methods: Sequence[str] = ("baseline", "instapg", "ddl", "full")
    set: Mapping[str, Sequence[Any]] | None = None
    preset: Preset | None = None
    forget: Sequence[str | int] | int = ("each",)
    classes: Sequence[str] = ()
    seeds: Sequence[int] = (0, 1, 2)
    data: Sequence[str] = ("world",)
    clip: tuple[str, str | None] = ("mini", None)
    shots: Sequence[int] = (8,)
    labels: Sequence[str] = ("true",)
    limit: int | None = None
    on: str = "test"
    measure: Sequence[str] = ("entanglement",)

    def __post_init__(self) -> None:
        if not 0 < len(self.seeds) <= MOST_SEEDS:
            raise ValueError(f"seeds: {len(self.seeds)} of them; say 1 to {MOST_SEEDS:,}")

    def specs(self, names: Callable[[str], Names] = source_names) -> list[Spec]:
        """Every combination as a spec; ``names`` finds the class names and domain names of data.

        Raises ``ValueError`` for what no spec can be, and for a setting that no method has.
        """
        preset = self.preset or ("mini" if self.clip[1] is None else "paper")
        made = [method(name, preset) for name in dict.fromkeys(self.methods)]
        grid = {key: list(values) for key, values in (self.set or {}).items()}
        known = {key for one in made for key in one.as_dict()["settings"]}
        unknown = [key for key in grid if key not in known]
        if unknown:
            raise ValueError(f"{unknown[0]}: none of {', '.join(self.methods)} has such a setting")
        found: list[Spec] = []
        for data, shots, labels in product(self.data, self.shots, self.labels):
            goals = self.targets(names(data))
            template = Spec(
                made[0],
                goals[0],
                data=data,
                clip=self.clip,
                shots=shots,
                labels=labels,
                limit=self.limit,
                on=cast(Any, self.on),
                measure=cast(Any, tuple(self.measure)),
            )
            found += [
                spec
                for one in made
                for spec in specs(
                    template, methods=[one], forget=goals, seeds=self.seeds, grid=_read(one, grid)
                )
            ]
        for spec in found:
            spec.method.check_kind(spec.forget.kind)
        return list(dict.fromkeys(found))

    def targets(self, names: Names) -> list[Target]:
        """What is forgotten by turns."""
        class_names, domain_names = names
        several = [self.forget] if isinstance(self.forget, int) else self.forget
        cases: list[tuple[str, ...]] = []
        for each in several if self.forget else ():
            count = 1 if each == "each" else each
            if isinstance(count, str):
                cases.append(tuple(domains_of([count], domain_names)))
            elif not 0 < count < len(domain_names):
                raise ValueError(
                    f"forget: {count} of {len(domain_names)} domains cannot be forgotten: say 1 "
                    f"to {len(domain_names) - 1}"
                )
            else:
                cases += combinations(domain_names, count)
        found = [Target(case, tuple(self.classes)) for case in cases or [()]]
        for one in found:
            one.check(class_names, domain_names)
        return found


def specs(
    template: Spec,
    *,
    methods: Sequence[Method],
    forget: Sequence[Target],
    seeds: Iterable[int],
    grid: Mapping[str, Sequence[Any]] | None = None,
) -> list[Spec]:
    """Every combination as a spec; ``grid`` varies settings of every method that has them.

    A method that lacks a setting of the grid is not varied in it: it runs once.
    """
    grid = grid or {}
    found = []
    for made, goal, seed, *values in product(methods, forget, seeds, *grid.values()):
        known = made.as_dict()["settings"]
        varied = {k: v for k, v in zip(grid, values, strict=True) if k in known}
        spec = replace(template, method=replace(made, **varied), forget=goal, seed=seed)
        found.append(spec)
    return list(dict.fromkeys(found))


def _read(made: Method, grid: Mapping[str, Sequence[Any]]) -> dict[str, list[Any]]:
    """The values of a grid as this method reads them: words as on the command line."""
    own = made.as_dict()["settings"]
    return {
        key: [parse(made, key, value) if isinstance(value, str) else value for value in values]
        for key, values in grid.items()
        if key in own
    }


def read_grids(path: str | Path) -> list[Grid]:
    """The grids of a YAML file: a mapping with ``Grid``'s fields, or a list of such mappings.

    Raises ``ValueError`` naming the file and what is wrong in it, ``FileNotFoundError`` if it is
    not there.
    """
    try:
        held = yaml.safe_load(Path(path).read_bytes())  # any Unicode
    except yaml.YAMLError as error:
        raise ValueError(f"{path} is no YAML: {' '.join(str(error).split())}") from None
    parts = held if isinstance(held, list) else [held]
    if not parts:
        raise ValueError(f"{path} holds no grid")
    return [_grid(part, path) for part in parts]


def _grid(values: Any, path: str | Path) -> Grid:
    known = [each.name for each in fields(Grid)]
    if not isinstance(values, dict) or not values.keys() <= set(known):
        unknown = sorted(values.keys() - set(known)) if isinstance(values, dict) else values
        raise ValueError(f"{path}: a grid has {', '.join(known)}, not {unknown!r}")
    read: dict[str, Any] = dict(values)
    for name, kind in _LISTS.items():
        if name in read:
            read[name] = _list(read[name], kind, f"{path}: {name}")
    if _whole(values.get("seeds")):
        read["seeds"] = range(values["seeds"])
    if "set" in read:
        if not isinstance(read["set"], dict) or not all(isinstance(k, str) for k in read["set"]):
            raise ValueError(f"{path}: set must hold settings and their values")
        read["set"] = {key: _values(value) for key, value in read["set"].items()}
    if "clip" in read:
        read["clip"] = _clip(read["clip"], path)
    if not isinstance(read.get("on", ""), str):
        raise ValueError(f"{path}: on must be a word, not {read['on']!r}")
    missing = [name for name in read.get("methods", ()) if name not in METHODS]
    if missing:
        raise ValueError(f"{path}: no method {missing[0]!r}: choose from {', '.join(METHODS)}")
    try:
        return Grid(**read)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


#: The fields that are lists, and of what.
_LISTS: dict[str, type | tuple[type, ...]] = {
    "methods": str,
    "data": str,
    "forget": (str, int),
    "classes": str,
    "seeds": int,
    "shots": int,
    "labels": str,
    "measure": str,
}


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _list(value: Any, kind: type | tuple[type, ...], where: str) -> list[Any]:
    """A list, or one value as a list of it; every part of the right kind."""
    parts = value if isinstance(value, list) else [value]
    for part in parts:
        if not isinstance(part, kind) or isinstance(part, bool):
            raise ValueError(f"{where} cannot hold {part!r}")
    return parts


def _values(value: Any) -> list[Any]:
    """The values of a setting; a list in a list is one value that is a tuple."""
    parts = value if isinstance(value, list) else [value]
    return [tuple(part) if isinstance(part, list) else part for part in parts]


def _clip(value: Any, path: str | Path) -> tuple[str, str | None]:
    if not isinstance(value, str):
        raise ValueError(f"{path}: clip must be said as for --clip, not {value!r}")
    try:
        return clip_from(value)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
