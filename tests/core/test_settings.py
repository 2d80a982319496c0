"""Settings are typed and checked when they are made, and read from words."""

from dataclasses import dataclass, fields, replace
from typing import Any, Literal

import pytest

from adu_core.settings import Settings, setting


@dataclass(frozen=True)
class Oven(Settings):
    minutes: int = setting(10, "how long", least=1, most=60, search=(5, 10))
    heat: float = setting(180.0, "how hot", above=0, most=300)
    fan: bool = setting(False, "blow")
    shelf: Literal["top", "middle"] = setting("middle", "where")
    stages: tuple[float, ...] = setting((0.5, 1.0), "shares of the heat", above=0, most=1)
    label: str = setting("cake", "what it is")


OVEN = Oven()


@pytest.mark.parametrize(
    "wrong",
    [
        {"minutes": 0},
        {"minutes": 61},
        {"minutes": 100_000},
        {"minutes": 1.5},
        {"minutes": 10.0},
        {"minutes": "10"},
        {"minutes": None},
        {"minutes": True},
        {"heat": 0.0},
        {"heat": 301},
        {"heat": -1},
        {"heat": float("nan")},
        {"heat": float("inf")},
        {"heat": "180"},
        {"heat": False},
        {"fan": 1},
        {"fan": "true"},
        {"shelf": "bottom"},
        {"shelf": None},
        {"shelf": ["top"]},
        {"stages": ()},
        {"stages": 0.5},
        {"stages": [0.5]},
        {"stages": (0.5, 0.0)},
        {"stages": (0.5, 2.0)},
        {"stages": ("0.5",)},
        {"stages": (True,)},
        {"label": 3},
    ],
    ids=str,
)
def test_a_wrong_value_is_refused_at_once_and_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"^{next(iter(wrong))} must be "):
        replace(OVEN, **wrong)


def test_limits_may_be_reached_where_they_may() -> None:
    assert replace(OVEN, minutes=1).minutes == 1
    assert replace(OVEN, minutes=60, heat=300, stages=(1,)).minutes == 60
    with pytest.raises(ValueError, match="heat must be above 0, not 0"):
        Oven(heat=0)
    with pytest.raises(ValueError, match="minutes must be at least 1, not 0"):
        Oven(minutes=0)


def test_whole_numbers_are_numbers_and_the_same_ones() -> None:
    whole = replace(OVEN, heat=180, stages=(1,))
    assert isinstance(whole.heat, float)
    assert whole == replace(OVEN, heat=180.0, stages=(1.0,))
    assert repr(whole) == repr(replace(OVEN, heat=180.0, stages=(1.0,)))


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("minutes", "5", 5),
        ("heat", "12.5", 12.5),
        ("heat", "1e2", 100.0),
        ("heat", "7", 7),
        ("fan", "true", True),
        ("fan", "False", False),
        ("shelf", "top", "top"),
        ("stages", "0.25+1", (0.25, 1.0)),
        ("stages", "0.5", (0.5,)),
        ("label", "pie", "pie"),
    ],
)
def test_words_are_read(name: str, text: str, value: Any) -> None:
    assert Oven.parse(name, text) == value
    assert getattr(replace(OVEN, **{name: Oven.parse(name, text)}), name) == value


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("minutes", "many", "minutes=many: minutes must be a whole number, not 'many'"),
        ("minutes", "1.5", "must be a whole number"),
        ("minutes", "99", "minutes=99: minutes must be at most 60"),
        ("heat", "hot", "must be a number"),
        ("heat", "nan", "heat must be finite"),
        ("fan", "maybe", "must be true or false"),
        ("shelf", "floor", "must be 'top' or 'middle'"),
        ("stages", "1,2", "it takes numbers joined by"),
        ("stages", "1++2", "it takes numbers joined by"),
        ("colour", "red", "no setting 'colour': there are minutes, heat, fan, shelf, stages"),
    ],
)
def test_wrong_words_are_refused_saying_what_is_taken(name: str, text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Oven.parse(name, text)


def test_from_json_all_must_be_there_and_no_other() -> None:
    plain = {each.name: getattr(OVEN, each.name) for each in fields(OVEN)}
    plain["stages"] = list(OVEN.stages)
    assert Oven.from_dict(plain, "here") == OVEN
    for values, said in (
        ({}, r"missing settings \['minutes'"),
        ({k: v for k, v in plain.items() if k != "fan"}, r"missing settings \['fan'\]"),
        (plain | {"colour": "red"}, r"unknown settings \['colour'\]"),
        (plain | {"heat": -1}, "heat must be above 0"),
        (plain | {"heat": [1]}, "heat must be a number"),
        (plain | {"fan": {}}, "fan must be true or false"),
        ([], "must be a JSON object"),
        (None, "must be a JSON object"),
    ):
        with pytest.raises(ValueError, match=f"^oven.json: .*{said}"):
            Oven.from_dict(values, "oven.json")


def test_metadata_says_what_it_is_and_what_is_searched() -> None:
    found = {each.name: each.metadata for each in fields(Oven)}
    assert found["minutes"]["help"] == "how long"
    assert found["minutes"]["search"] == (5, 10)
    assert found["heat"]["search"] == ()
