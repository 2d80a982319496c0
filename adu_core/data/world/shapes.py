"""The classes of the world in their order: first those seen in unlearning, then those held out."""

from __future__ import annotations

from adu_core.data.world import shapes_home as home
from adu_core.data.world import shapes_nature as nature
from adu_core.data.world import shapes_outdoors as outdoors
from adu_core.data.world.parts import Drawing

DRAWINGS: dict[str, Drawing] = {
    "car": outdoors.car,
    "house": outdoors.house,
    "tree": nature.tree,
    "fish": nature.fish,
    "cup": home.cup,
    "umbrella": home.umbrella,
    "key": home.key,
    "flower": nature.flower,
    "chair": home.chair,
    "clock": home.clock,
    "boat": outdoors.boat,
    "guitar": home.guitar,
    "bird": nature.bird,
    "lamp": home.lamp,
    "bottle": home.bottle,
    "glasses": home.glasses,
    "bicycle": outdoors.bicycle,
    "apple": nature.apple,
    "rocket": outdoors.rocket,
    "cat": nature.cat,
    "hammer": home.hammer,
    "mushroom": nature.mushroom,
    "ladder": home.ladder,
    "butterfly": nature.butterfly,
    "snowman": outdoors.snowman,
    "ice cream": home.ice_cream,
}

CLASSES = tuple(DRAWINGS)
