"""A grid of runs: every combination of the varied values, from Python or from a YAML file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cache
from itertools import combinations, product
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import yaml
from pydantic import AfterValidator, BeforeValidator, ConfigDict, TypeAdapter, ValidationError

from adu_core.clips.grammar import clip_from
from adu_core.data.sources import source_names
from adu_core.dataset import Target, readable
from adu_core.rivals.methods import METHODS, Preset, method, parse, preset_for
from adu_core.runs.spec import Extra, Spec, Split
from adu_core.settings import in_words
from adu_core.task import Method

#: A grid that lies beside its records, and is run if nothing else is said.
GRID = "grid.yml"

#: More seeds than this are a slip of the pen.
MOST_SEEDS = 10_000

Names = tuple[Sequence[str], Sequence[str]]  # of classes, of domains


def domains_of(texts: Iterable[str], known: Sequence[str]) -> list[str]:
    """Domains that are forgotten at once; ``A+B`` names two of them, unless one is called so."""
    parts = ([text] if readable(text) in known else text.split("+") for text in texts)
    return [name for part in parts for name in part]


# How the fields of a grid are read: a single value is a list of one.


def _many(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, list | tuple | range) else (value,)


def _seeds(value: Any) -> Any:
    alone = isinstance(value, int) and not isinstance(value, bool)
    count = value if alone else len(_many(value))
    if not 0 < count <= MOST_SEEDS:
        raise ValueError(f"{count} of them; say 1 to {MOST_SEEDS:,}")
    return tuple(range(value)) if alone else _many(value)


def _cases(value: Any) -> tuple[Any, ...]:
    for each in (found := _many(value)):
        if not isinstance(each, int | str) or isinstance(each, bool):
            raise ValueError(f"a case is a domain, A+B or a number of domains, not {each!r}")
    return found


def _variants(value: Any) -> Any:
    """Values of each setting; a list in a list is one value that is a tuple."""
    if not isinstance(value, Mapping):
        return value
    return {
        key: tuple(tuple(one) if isinstance(one, list) else one for one in _many(values))
        for key, values in value.items()
    }


def _clip(value: Any) -> Any:
    return clip_from(value) if isinstance(value, str) else value


def _known(name: str) -> str:
    if name not in METHODS:
        raise ValueError(f"no method {name!r}: choose from {', '.join(METHODS)}")
    return name


Many = BeforeValidator(_many)
Texts = Annotated[Sequence[str], Many]


@dataclass(frozen=True)
class Grid:
    """What a sweep varies, as plain values; all combinations of the lists are run.

    methods:  names of methods
    set:      settings; a list is varied. A method without such a setting runs once
    preset:   the settings to start from; None takes "paper" for a CLIP with ``pretrained``
    forget:   domains, joined by "+" where several are forgotten at once; a number n is all
              combinations of n domains, "each" is the same as 1
    classes:  classes to forget in those domains, or everywhere if ``forget`` is empty
    seeds:    a number n means 0 to n - 1

    The others are the fields of ``Spec``; ``data``, ``shots`` and ``labels`` may be lists. Raises
    ``ValueError`` naming the field for a value of another kind.
    """

    methods: Annotated[Sequence[Annotated[str, AfterValidator(_known)]], Many] = (
        "baseline", "instapg", "ddl", "full",
    )  # fmt: skip
    set: Annotated[Mapping[str, Sequence[Any]], BeforeValidator(_variants)] = field(
        default_factory=dict
    )
    preset: Preset | None = None
    forget: Annotated[Sequence[str | int] | int, BeforeValidator(_cases)] = ("each",)
    classes: Texts = ()
    seeds: Annotated[Sequence[int], BeforeValidator(_seeds)] = (0, 1, 2)
    data: Texts = ("world",)
    clip: Annotated[tuple[str, str | None], BeforeValidator(_clip)] = ("mini", None)
    shots: Annotated[Sequence[int], Many] = (8,)
    labels: Texts = ("true",)
    limit: int | None = None
    on: Split = "test"
    measure: Annotated[Sequence[Extra], Many] = ("entanglement",)

    def __post_init__(self) -> None:
        for name, adapter in _adapters().items():
            try:
                value = adapter.validate_python(getattr(self, name))
            except ValidationError as error:
                raise ValueError(in_words(error, name)) from None
            object.__setattr__(self, name, value)

    def specs(self, names: Callable[[str], Names] = source_names) -> list[Spec]:
        """Every combination as a spec; ``names`` finds the class names and domain names of data.

        Raises ``ValueError`` for what no spec can be, and for a setting that no method has.
        """
        preset = self.preset or preset_for(self.clip)
        bare = [method(name, preset) for name in dict.fromkeys(self.methods)]
        known = {key for one in bare for key in one.as_dict()["settings"]}
        if unknown := [key for key in self.set if key not in known]:
            raise ValueError(f"{unknown[0]}: none of {', '.join(self.methods)} has such a setting")
        methods = [made for one in bare for made in self._varied(one)]
        found: list[Spec] = []
        for data, shots, labels in product(self.data, self.shots, self.labels):
            targets = self.targets(names(data))
            template = Spec(
                methods[0],
                targets[0],
                data=data,
                clip=self.clip,
                shots=shots,
                labels=labels,
                limit=self.limit,
                on=self.on,
                measure=tuple(self.measure),
            )
            found += specs(template, methods=methods, forget=targets, seeds=self.seeds)
        for spec in found:
            spec.method.check_kind(spec.forget.kind)
        return list(dict.fromkeys(found))

    def _varied(self, made: Method) -> list[Method]:
        """A method with every combination of what ``set`` varies in it."""
        own = made.as_dict()["settings"]
        varied = {
            key: [parse(made, key, value) if isinstance(value, str) else value for value in values]
            for key, values in self.set.items()
            if key in own
        }
        return [
            replace(made, **dict(zip(varied, values, strict=True)))
            for values in product(*varied.values())
        ]

    def targets(self, names: Names) -> list[Target]:
        """What is forgotten by turns."""
        class_names, domain_names = names
        cases: list[tuple[str, ...]] = []
        for each in _many(self.forget):
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


@cache
def _adapters() -> dict[str, TypeAdapter[Any]]:
    """What checks each field, by name."""
    strict = ConfigDict(strict=True)
    hints = get_type_hints(Grid, include_extras=True)
    return {each.name: TypeAdapter(hints[each.name], config=strict) for each in fields(Grid)}


def specs(
    template: Spec, *, methods: Sequence[Method], forget: Sequence[Target], seeds: Iterable[int]
) -> list[Spec]:
    """Every combination as a spec; all else is the template's."""
    return [
        replace(template, method=made, forget=goal, seed=seed)
        for made, goal, seed in product(methods, forget, seeds)
    ]


def read_grids(path: str | Path) -> list[Grid]:
    """The grids of a YAML file: a mapping with ``Grid``'s fields, or a list of such mappings.

    Raises ``ValueError`` naming the file and what is wrong in it, ``FileNotFoundError`` if it is
    not there.
    """
    try:
        held = yaml.safe_load(Path(path).read_bytes())  # any Unicode
    except yaml.YAMLError as error:
        raise ValueError(f"{path} is not YAML: {' '.join(str(error).split())}") from None
    parts = held if isinstance(held, list) else [held]
    if not parts:
        raise ValueError(f"{path} holds no grid")
    known = [each.name for each in fields(Grid)]
    found = []
    for part in parts:
        if not isinstance(part, dict) or not part.keys() <= set(known):
            unknown = [key for key in part if key not in known] if isinstance(part, dict) else part
            raise ValueError(f"{path}: a grid has {', '.join(known)}, not {unknown!r}")
        try:
            found.append(Grid(**part))
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None
    return found
