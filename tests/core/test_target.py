"""What is to be forgotten: three kinds, told apart by which names are given."""

import pytest
import torch

from adu_core import DomainDataset, FrozenCLIP, Splits, Target, Task
from adu_core.dataset import KINDS, target
from adu_core.rivals.methods import target_from_dict

CLASSES, DOMAINS = ("car", "alarm clock"), ("photo", "art painting", "sketch")
# car and alarm clock in photo, art painting and sketch, one picture each, in that order.
DATA = DomainDataset(
    torch.zeros(6, 3, 2, 2, dtype=torch.uint8),
    torch.tensor([0, 1] * 3),
    torch.tensor([0, 0, 1, 1, 2, 2]),
    CLASSES,
    DOMAINS,
)


@pytest.mark.parametrize(
    ("goal", "kind", "said", "mask"),
    [
        (Target(("sketch",)), "domains", "sketch", [0, 0, 0, 0, 1, 1]),
        (Target(("sketch", "photo")), "domains", "sketch, photo", [1, 1, 0, 0, 1, 1]),
        (Target((), ("car",)), "classes", "car", [1, 0, 1, 0, 1, 0]),
        (Target(("sketch",), ("car",)), "classes in domains", "car in sketch", [0, 0, 0, 0, 1, 0]),
        (
            Target(("art_painting", "photo"), ("Alarm-Clock",)),
            "classes in domains",
            "alarm clock in art painting, photo",
            [0, 1, 0, 1, 0, 0],
        ),
        # All domains and one class, or all classes and one domain: something is left.
        (Target(DOMAINS, ("car",)), "classes in domains", None, [1, 0, 1, 0, 1, 0]),
        (Target(("photo",), CLASSES), "classes in domains", None, [1, 1, 0, 0, 0, 0]),
    ],
    ids=str,
)
def test_the_three_kinds(goal: Target, kind: str, said: str | None, mask: list[int]) -> None:
    assert goal.kind == kind
    assert goal.kind in KINDS
    assert said is None or str(goal) == said
    assert goal.mask(DATA).tolist() == list(map(bool, mask))
    assert target_from_dict(goal.as_dict(), "here") == goal


@pytest.mark.parametrize(
    ("domains", "classes", "said"),
    [
        (("moon",), (), "no domain 'moon': the domains are photo, art painting, sketch"),
        ((), ("moon",), "no class 'moon': the classes are car, alarm clock"),
        (("sketch",), ("moon",), "no class 'moon'"),
        (DOMAINS, (), "cannot forget every domain: leave at least one of photo, art painting"),
        ((), CLASSES, "cannot forget everything: leave at least one of car, alarm clock"),
        (DOMAINS, CLASSES, "cannot forget everything"),
    ],
)
def test_unknown_names_and_everything_are_refused(
    domains: tuple[str, ...], classes: tuple[str, ...], said: str
) -> None:
    goal = Target(domains, classes)
    for ask in (lambda: goal.check(CLASSES, DOMAINS), lambda: goal.mask(DATA)):
        with pytest.raises(ValueError, match=said):
            ask()


def test_nothing_and_the_same_twice_are_refused() -> None:
    with pytest.raises(ValueError, match="name at least one domain or class"):
        Target()
    with pytest.raises(ValueError, match="named twice"):
        Target(("art_painting", "Art Painting"))
    with pytest.raises(ValueError, match="named twice"):
        Target((), ("car", "car"))


def test_a_list_of_domains_is_a_target() -> None:
    assert target(["sketch"]) == Target(("sketch",))
    goal = Target((), ("car",))
    assert target(goal) is goal
    with pytest.raises(TypeError, match=r"as a list, \['sketch'\]"):
        target("sketch")


@pytest.mark.parametrize(
    "values",
    [
        None,
        "sketch",
        ["sketch"],
        {"domains": ["sketch"]},
        {"domains": "sketch", "classes": []},
        {"domains": [1], "classes": []},
        {"domains": [["sketch"]], "classes": []},
        {"domains": [], "classes": [], "more": []},
    ],
    ids=str,
)
def test_other_json_is_refused_naming_the_file(values: object) -> None:
    with pytest.raises(ValueError, match=r"^adapter\.json: what to forget is"):
        target_from_dict(values, "adapter.json")


def test_shots_of_one_side_alone_are_no_task(tiny_clip: FrozenCLIP, few: Splits) -> None:
    """Nothing would be forgotten, or nothing kept, and no method would say so."""
    sketch = few.shots.domains == few.shots.domain_names.index("sketch")
    for part, wanted in ((sketch, "8 shots is to be kept"), (~sketch, "24 shots is to be forgot")):
        with pytest.raises(ValueError, match=rf"^none of the {wanted}.* \(forget sketch\)$"):
            Task(tiny_clip, few.shots.subset(part), Target(("sketch",)))
    names = few.shots.class_names, few.shots.domain_names
    assert len(Task.of_names(tiny_clip, *names, Target(("sketch",))).shots) == 0
