"""A method's settings: typed, checked when they are made, with the range a search draws from."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import Field, field, fields
from pathlib import Path
from typing import Any, Literal, Self, get_args, get_origin, get_type_hints


def setting(
    default: Any,
    help: str,  # noqa: A002
    *,
    least: float | None = None,
    above: float | None = None,
    most: float | None = None,
    search: tuple[Any, ...] = (),
) -> Any:
    """A field of a method: its default, what it is, its limits, and the values a search tries.

    ``least`` and ``most`` may be reached, ``above`` may not. Of a tuple, each number is checked.
    """
    limits = {"least": least, "above": above, "most": most}
    return field(default=default, metadata={"help": help, "search": search, **limits})


class Settings:
    """Base of dataclasses whose fields are settings; a wrong value is a ``ValueError`` at once."""

    def __post_init__(self) -> None:
        cls: Any = type(self)
        types = _types(cls)
        for each in fields(self):  # type: ignore[arg-type]
            value, kind = getattr(self, each.name), types[each.name]
            _check(each, kind, value)
            # A whole number where any will do is written as JSON has it then: 3 and 3.0 are one.
            object.__setattr__(self, each.name, _as_kind(kind, value))

    @classmethod
    def from_dict(cls, values: Any, where: str | Path) -> Self:
        """Settings as JSON keeps them; a ``ValueError`` naming ``where`` for unknown or wrong ones.

        All of them must be there: another version's defaults may be others.
        """
        names = [each.name for each in fields(cls)]  # type: ignore[arg-type]
        if not isinstance(values, Mapping):
            raise ValueError(f"{where}: the settings must be a JSON object, not {values!r}")
        unknown = sorted(map(str, values.keys() - set(names)))
        missing = [name for name in names if name not in values]
        if unknown or missing:
            raise ValueError(
                f"{where}: unknown settings {unknown}, missing settings {missing}; "
                "written by another version?"
            )
        plain = {key: tuple(v) if isinstance(v, list) else v for key, v in values.items()}
        try:
            return cls(**plain)
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from None

    @classmethod
    def parse(cls, name: str, text: str) -> Any:
        """The value that ``text`` says for the setting ``name``, as in ``--set name=text``."""
        known: Any = cls
        types = _types(known)
        if name not in types:
            raise ValueError(f"no setting {name!r}: there are {', '.join(types) or 'none'}")
        try:
            value = _read(types[name], text)
            _check(next(f for f in fields(cls) if f.name == name), types[name], value)  # type: ignore[arg-type]
        except ValueError as error:
            raise ValueError(f"{name}={text}: {error}") from None
        return value


@functools.cache
def _types(cls: type) -> dict[str, Any]:
    hints = get_type_hints(cls)
    return {each.name: hints[each.name] for each in fields(cls)}


def _as_kind(kind: Any, value: Any) -> Any:
    if get_origin(kind) is tuple:
        return tuple(_as_kind(get_args(kind)[0], part) for part in value)
    return float(value) if kind is float else value


def _called(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return " or ".join(map(repr, get_args(kind)))
    if get_origin(kind) is tuple:
        return "numbers joined by +"
    names = {int: "a whole number", float: "a number", bool: "true or false", str: "a word"}
    return names[kind]


def _read(kind: Any, text: str) -> Any:
    try:
        if kind is bool:
            return {"true": True, "false": False}[text.lower()]
        if get_origin(kind) is Literal:
            return next(choice for choice in get_args(kind) if str(choice) == text)
        if get_origin(kind) is tuple:
            return tuple(get_args(kind)[0](part) for part in text.split("+"))
        return kind(text)
    except (KeyError, StopIteration, ValueError):
        raise ValueError(f"it takes {_called(kind)}") from None


def _check(each: Field[Any], kind: Any, value: Any) -> None:
    """Raise ``ValueError`` unless ``value`` is of the field's type and within its limits."""
    wrong = f"{each.name} must be {_called(kind)}, not {value!r}"
    if get_origin(kind) is Literal:
        if value not in get_args(kind):
            raise ValueError(wrong)
        return
    if get_origin(kind) is tuple:
        if not isinstance(value, tuple) or not value:
            raise ValueError(wrong)
        numbers, number_kind = value, get_args(kind)[0]
    else:
        numbers, number_kind = (value,), kind
    for number in numbers:
        fits = isinstance(number, number_kind) or (number_kind is float and isinstance(number, int))
        if not fits or (isinstance(number, bool) and number_kind is not bool):
            raise ValueError(wrong)
        if number_kind in (int, float):
            _check_range(each, number)


def _check_range(each: Field[Any], number: float) -> None:
    limits = each.metadata
    least, above, most = limits.get("least"), limits.get("above"), limits.get("most")
    inside = (
        math.isfinite(number)
        and (least is None or number >= least)
        and (above is None or number > above)
        and (most is None or number <= most)
    )
    if not inside:
        said = [
            f"{words} {limit}"
            for words, limit in (("at least", least), ("above", above), ("at most", most))
            if limit is not None
        ]
        raise ValueError(f"{each.name} must be {' and '.join(said) or 'finite'}, not {number}")
