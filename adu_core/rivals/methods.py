"""All methods by name. A new one is a file in this folder, its test, and one line here.

Importing this package costs nothing: a method's file is imported when it is first asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, get_args

if TYPE_CHECKING:
    from pathlib import Path

    from adu_core.dataset import Target
    from adu_core.task import Method

#: Where each method is: "module:name" of its class, or of an instance with its settings.
METHODS: Mapping[str, str] = {
    "zero-shot": "rivals.zero_shot:ZeroShot",
    "baseline": "adu:BASELINE",
    "instapg": "adu:INSTAPG",
    "ddl": "adu:DDL",
    "full": "adu:FULL",
    "coop": "rivals.coop:CoOp",
    "late-gate": "rivals.late_gate:LateGate",
    "gate": "rivals.gate:Gate",
    "door": "rivals.door:Door",
    "text-gate": "rivals.text_gate:TextGate",
    "nullspace": "rivals.nullspace:Nullspace",
    "salun": "rivals.salun:SalUn",
    "doco": "rivals.doco:DoCo",
    "slug": "rivals.slug:SLUG",
    "lp++": "rivals.lppp:LPPP",
    "clipfit": "rivals.clipfit:CLIPFit",
    "bbf": "rivals.bbf:BBF",
}

#: Settings to start from: for small CLIPs such as the shipped one, or for those of open_clip.
Preset = Literal["mini", "paper"]


def method(name: str, preset: Preset = "paper", **settings: Any) -> Method:
    """The method called ``name``, with the preset's settings and what ``settings`` change in them.

    Raises ``ValueError`` for an unknown name, preset, setting or a value out of range.
    """
    if name not in METHODS:
        raise ValueError(f"no method {name!r}: choose one of {', '.join(METHODS)}")
    if preset not in get_args(Preset):
        raise ValueError(f"no preset {preset!r}: choose one of {', '.join(get_args(Preset))}")
    where, _, what = METHODS[name].partition(":")
    found: Any = getattr(import_module(f"adu_core.{where}"), what)
    made: Method = found() if isinstance(found, type) else found
    if preset == "mini":
        made = replace(made, **made.small)
    unknown = sorted(settings.keys() - made.as_dict()["settings"].keys())
    if unknown:
        known = ", ".join(made.as_dict()["settings"]) or "none"
        raise ValueError(f"{name} has no setting {unknown[0]!r}: there are {known}")
    return replace(made, **settings)


def preset_for(clip: tuple[str, str | None]) -> Preset:
    """The preset that suits a CLIP: "paper" for open_clip's, which are named with weights."""
    return "mini" if clip[1] is None else "paper"


def from_dict(values: Any, where: str | Path) -> Method:
    """A method as ``as_dict`` gave it; a ``ValueError`` naming ``where`` if it is another thing."""
    if (
        not isinstance(values, dict)
        or values.keys() != {"name", "settings"}
        or not isinstance(values["name"], str)
        or values["name"] not in METHODS
    ):
        raise ValueError(
            f"{where}: a method is {{'name': one of {', '.join(METHODS)}, 'settings': {{…}}}}, "
            f"not {values!r}"
        )
    kind, settings = type(method(values["name"])), values["settings"]
    if not isinstance(settings, Mapping):
        raise ValueError(f"{where}: the settings must be a JSON object, not {settings!r}")
    unknown = sorted(map(str, settings.keys() - kind.checks().keys()))
    missing = [name for name in kind.checks() if name not in settings]
    if unknown or missing:  # another version's defaults may be others: all must be there
        raise ValueError(
            f"{where}: unknown settings {unknown}, missing settings {missing}; "
            "written by another version?"
        )
    try:
        made = kind(**{key: tuple(v) if isinstance(v, list) else v for key, v in settings.items()})
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None
    if made.name != values["name"]:
        raise ValueError(f"{where}: these are the settings of {made.name}, not {values['name']}")
    return made


def target_from_dict(values: Any, where: str | Path) -> Target:
    """A target as ``as_dict`` gave it; a ``ValueError`` naming ``where`` if it is another thing."""
    from adu_core.dataset import Target

    names = values.values() if isinstance(values, dict) else ()
    whole = isinstance(values, dict) and values.keys() == {"domains", "classes"}
    if not whole or not all(
        isinstance(some, list) and all(isinstance(name, str) for name in some) for some in names
    ):
        raise ValueError(
            f"{where}: what to forget is {{'domains': [names], 'classes': [names]}}, not {values!r}"
        )
    return Target(tuple(values["domains"]), tuple(values["classes"]))


def parse(made: Method, name: str, text: str) -> Any:
    """The value that ``text`` gives the setting ``name``, as in ``--set name=text``."""
    from pydantic import ValidationError

    from adu_core.settings import in_words

    checks = made.checks()
    if name not in checks:
        raise ValueError(f"no setting {name!r}: there are {', '.join(checks) or 'none'}")
    try:
        if isinstance(getattr(made, name), tuple):
            return checks[name].validate_python(tuple(map(float, text.split("+"))))
        return checks[name].validate_strings(text)
    except ValidationError as error:
        raise ValueError(f"{name}={text}: {in_words(error, name)}") from None
    except ValueError:
        raise ValueError(f"{name}={text}: it takes numbers joined by +") from None
