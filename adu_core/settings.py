"""Settings: typed, checked when created, with the values that a search tries."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import field, fields
from typing import Annotated, Any, cast, get_args, get_origin, get_type_hints

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
    """Base class of dataclasses whose fields are settings; a wrong value raises ``ValueError``."""

    def __post_init__(self) -> None:
        for name, adapter in self.checks().items():
            try:
                value = adapter.validate_python(getattr(self, name))
            except ValidationError as error:
                raise ValueError(in_words(error, name)) from None
            object.__setattr__(self, name, value)  # 3 where any number will do is 3.0

    @classmethod
    @functools.cache
    def checks(cls) -> Mapping[str, TypeAdapter[Any]]:
        """What checks each setting, by name."""
        found: dict[str, TypeAdapter[Any]] = {}
        kinds = get_type_hints(cls)
        for each in fields(cast("Any", cls)):
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
    if kind.startswith("extra"):
        return f"{where} has no place here"
    if kind.startswith("missing"):
        return f"{where} is missing"
    limits = {"ge": "at least", "gt": "above", "le": "at most"}
    told = [f"{word} {context[key]:g}" for key, word in limits.items() if key in context]
    known = context.get("expected") or _WANTED.get(kind.partition("_")[0], kind)
    return f"{where} must be {' and '.join(told) or known}, not {value!r}".lstrip()
