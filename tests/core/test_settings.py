"""Settings are typed and checked when they are made."""

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


def test_metadata_says_what_it_is_and_what_is_searched() -> None:
    found = {each.name: each.metadata for each in fields(Oven)}
    assert found["minutes"]["help"] == "how long"
    assert found["minutes"]["search"] == (5, 10)
    assert found["heat"]["search"] == ()
