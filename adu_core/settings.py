"""Settings: typed, checked when they are made, with the range that a search draws from."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import field, fields
from pathlib import Path
from typing import Annotated, Any, Self, cast, get_args, get_origin, get_type_hints

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

_STRICT = ConfigDict(strict=True, allow_inf_nan=False)


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
    limits = Field(ge=least, gt=above, le=most)
    return field(default=default, metadata={"help": help, "search": search, "limits": limits})


class Settings:
    """Base of dataclasses whose fields are settings; a wrong value is a ``ValueError`` at once."""

    def __post_init__(self) -> None:
        for name, adapter in self.checks().items():
            try:
                value = adapter.validate_python(getattr(self, name))
            except ValidationError as error:
                raise ValueError(in_words(error, name)) from None
            object.__setattr__(self, name, value)  # 3 where any number will do is 3.0

    @classmethod
    def checks(cls) -> Mapping[str, TypeAdapter[Any]]:
        """What checks each setting, by name."""
        return _checks(cast("Any", cls))

    @classmethod
    def from_dict(cls, values: Any, where: str | Path) -> Self:
        """Settings as JSON keeps them; a ``ValueError`` naming ``where`` for unknown or wrong ones.

        All of them must be there: another version's defaults may be others.
        """
        if not isinstance(values, Mapping):
            raise ValueError(f"{where}: the settings must be a JSON object, not {values!r}")
        unknown = sorted(map(str, values.keys() - cls.checks().keys()))
        missing = [name for name in cls.checks() if name not in values]
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
        if name not in cls.checks():
            raise ValueError(f"no setting {name!r}: there are {', '.join(cls.checks()) or 'none'}")
        check = cls.checks()[name]
        try:
            if get_origin(get_type_hints(cls)[name]) is tuple:
                return check.validate_python(tuple(map(float, text.split("+"))))
            return check.validate_strings(text)
        except ValidationError as error:
            raise ValueError(f"{name}={text}: {in_words(error, name)}") from None
        except ValueError:
            raise ValueError(f"{name}={text}: it takes numbers joined by +") from None


@functools.cache
def _checks(cls: Any) -> dict[str, TypeAdapter[Any]]:
    found: dict[str, TypeAdapter[Any]] = {}
    kinds = get_type_hints(cls)
    for each in fields(cls):
        kind, limits = kinds[each.name], each.metadata["limits"]
        if get_origin(kind) is tuple:
            number: Any = Annotated[get_args(kind)[0], limits]
            kind, limits = tuple[number, ...], Field(min_length=1)
        checked: Any = Annotated[kind, limits]
        found[each.name] = TypeAdapter(checked, config=_STRICT)
    return found


#: What is wanted, by the first word of pydantic's name for what is wrong.
_WANTED = {
    "int": "a whole number", "float": "a number", "bool": "true or false", "string": "a text",
    "tuple": "numbers joined by +", "list": "a list", "dict": "an object", "finite": "finite",
    "too": "longer",
}  # fmt: skip


def in_words(error: ValidationError, name: str = "") -> str:
    """The first fault that pydantic found, in one line: where, what is wanted, what is there."""
    fault = error.errors()[0]
    where = ".".join(
        part for part in (name, *map(str, fault["loc"])) if part and not part.isdigit()
    )
    kind, context, value = fault["type"], fault.get("ctx", {}), fault["input"]
    if kind == "value_error":
        return f"{where}: {context['error']}" if where else str(context["error"])
    if kind.startswith("missing"):
        return f"{where} is missing"
    limits = {"ge": "at least", "gt": "above", "le": "at most"}
    told = [f"{word} {context[key]:g}" for key, word in limits.items() if key in context]
    known = context.get("expected") or _WANTED.get(kind.partition("_")[0], kind)
    return f"{where} must be {' and '.join(told) or known}, not {value!r}"
