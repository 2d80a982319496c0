"""A spec is all that a result depends on: the same spec, the same hash, and no other."""

import json
from dataclasses import fields, replace
from typing import Any, get_args, get_origin, get_type_hints

import pytest
from quick import put

from adu_core import MINI, Spec, Target
from adu_core.machine.files import plain
from adu_core.rivals.zero_shot import ZeroShot

SPEC = Spec(MINI, Target(("sketch",)))

OTHERS: dict[str, dict[str, Any]] = {
    "method": {"method": ZeroShot()},
    "forget": {"forget": Target(("real",))},
    "forget classes": {"forget": Target(("sketch",), ("car",))},
    "data": {"data": "folder:pictures"},
    "clip": {"clip": ("clip.safetensors", None)},
    "pretrained": {"clip": ("mini", "openai")},
    "shots": {"shots": 4},
    "mix": {"data": "world?mix=0.25"},
    "limit": {"limit": 10},
    "seed": {"seed": 1},
    "on": {"on": "validation"},
    "measure": {"measure": ()},
    "labels": {"labels": "wrong:0.2"},
}


def another(value: Any, kind: Any) -> Any:
    """A value of the same kind that is not the same."""
    if get_args(kind) and get_origin(kind) is not tuple:
        return next(choice for choice in get_args(kind) if choice != value)
    if isinstance(value, bool):
        return not value
    if isinstance(value, tuple):
        return (*value, 8.0)
    return value + 1 if isinstance(value, int) else value / 2


def test_every_field_has_another_value_here() -> None:
    assert {each.name for each in fields(Spec)} <= OTHERS.keys()


@pytest.mark.parametrize("change", OTHERS.values(), ids=OTHERS.keys())
def test_the_hash_changes_with_every_field(change: dict[str, Any]) -> None:
    other = replace(SPEC, **change)
    assert other.hash != SPEC.hash
    assert other.name != SPEC.name


def test_the_hash_changes_with_every_setting_of_the_method() -> None:
    kinds = get_type_hints(type(MINI))
    hashes = {SPEC.hash}
    for each in fields(MINI):
        value = another(getattr(MINI, each.name), kinds[each.name])
        hashes.add(replace(SPEC, method=replace(MINI, **{each.name: value})).hash)
    assert len(hashes) == 1 + len(fields(MINI))


def test_what_is_said_in_another_way_is_the_same() -> None:
    same = [
        replace(SPEC, method=replace(MINI, gamma=3, lam=10)),  # whole numbers are numbers
        replace(SPEC, forget=Target(("Sketch",))),
        replace(SPEC, measure=("entanglement", "entanglement")),
    ]
    for spec in same:
        assert spec == SPEC
        assert spec.hash == SPEC.hash
    both = replace(SPEC, measure=("validation", "entanglement"))
    assert both == replace(SPEC, measure=("entanglement", "validation"))
    assert replace(SPEC, data="world?mix=0.5") == SPEC
    assert replace(SPEC, data="world?mix=0") == replace(SPEC, data="world?mix=0.0")


def test_the_hash_does_not_move_from_version_to_version() -> None:
    # If this fails, every record that is stored somewhere is of "another spec" from now on.
    bare = Spec(ZeroShot(), Target(("sketch",)))
    assert json.dumps(bare.as_dict(), sort_keys=True, separators=(",", ":")) == (
        '{"clip":{"name":"mini","pretrained":null},"data":"world",'
        '"forget":{"classes":[],"domains":["sketch"]},"limit":null,'
        '"measure":["entanglement"],"method":{"name":"zero-shot","settings":{}},'
        '"on":"test","seed":0,"shots":8}'
    )
    assert bare.hash == "09159d81833fb192"


@pytest.mark.parametrize("change", [{}, *OTHERS.values()], ids=["as it is", *OTHERS])
def test_through_json_and_back_it_is_the_same(change: dict[str, Any]) -> None:
    spec = replace(SPEC, **change)
    values = json.loads(json.dumps(spec.as_dict()))
    assert values == plain(spec.as_dict())
    assert Spec.from_dict(values, "here") == spec
    assert Spec.from_dict(dict(reversed(values.items())), "here").hash == spec.hash


def test_the_name_is_a_file_name_everywhere() -> None:
    names = tuple(f"a class/with: a long name {number}" for number in range(65))
    long = replace(SPEC, forget=Target(("real world", "sketch"), names))
    assert len(f"{long.name}.json") < 200
    assert not set(long.name) & set('/\\:*?"<>| ,')
    assert long.name.endswith(f"-full-seed0-{long.hash[:8]}")
    two = replace(SPEC, forget=Target(("real world", "sketch")))
    assert two.name.startswith("real_world+sketch-full-seed0-")


@pytest.mark.parametrize(
    "wrong",
    [
        {"shots": 0},
        {"shots": 1.5},
        {"shots": True},
        {"limit": 0},
        {"seed": -1},
        {"seed": None},
        {"data": "world?mix=0.6"},
        {"data": "world?mix=nan"},
        {"data": "world?mix=much"},
        {"on": "training"},
        {"measure": ("magic",)},
    ],
    ids=str,
)
def test_wrong_values_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        replace(SPEC, **wrong)


#: Places in a spec, and what must not stand there.
WRONG: dict[str, list[Any]] = {
    "shots": ["8"],
    "seed": [1.0],
    "limit": [[]],
    "mix": [0.5],
    "data": ["world?mix=1", None],
    "on": [["test"]],
    "measure": ["entanglement", [["entanglement"]]],
    "clip": ["mini"],
    "clip.name": [3],
    "clip.pretrained": [3],
    "forget": [["sketch"]],
    "forget.domains": ["sketch", []],
    "forget.classes": [[1]],
    "method": ["full"],
    "method.name": ["magic", ["full"], "baseline"],
    "method.settings": [{}, []],
    "method.settings.epochs": ["12", None],
    "method.settings.bandwidths": [[], ["1"]],
    "method.settings.flip": [1],
    "method.settings.magic": [1],
    "magic": [1],
}


@pytest.mark.parametrize(
    ("place", "value"), [(place, value) for place, some in WRONG.items() for value in some], ids=str
)
def test_tampered_values_are_refused_naming_the_file(place: str, value: Any) -> None:
    values = json.loads(json.dumps(SPEC.as_dict()))
    put(values, place, value)
    with pytest.raises(ValueError, match=r"^record\.json: "):
        Spec.from_dict(values, "record.json")


@pytest.mark.parametrize("values", [None, [], "full", {}])
def test_what_is_no_spec_is_refused(values: Any) -> None:
    with pytest.raises(ValueError, match=r"^record\.json: "):
        Spec.from_dict(values, "record.json")
