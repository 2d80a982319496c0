"""The domain labels that a method sees."""

from dataclasses import replace

import pytest
import torch
from quick import quick

from adu_core import FrozenCLIP, Splits, Target, Task, unlearn, world
from adu_core.runs import labels
from adu_core.runs.spec import Spec

SKETCH = Target(("sketch",))


@pytest.fixture(scope="module")
def shots() -> Splits:
    """Pure styles: what tells them apart without labels can be found."""
    parts = [
        world(part, 4, classes=("car", "house", "tree"), mix=0.0) for part in ("train", "test")
    ]
    return Splits(parts[0], parts[1], parts[1])


def test_the_truth_is_the_task_itself(tiny_clip: FrozenCLIP, few: Splits) -> None:
    task = labels.relabel(Task(tiny_clip, few.shots, SKETCH), "true", 0)
    assert task.shots is few.shots
    assert torch.equal(task.forgotten, SKETCH.mask(few.shots))


def test_a_placebo_moves_labels_and_not_what_is_forgotten(
    tiny_clip: FrozenCLIP, few: Splits
) -> None:
    task = labels.relabel(Task(tiny_clip, few.shots, SKETCH), "shuffled", 0)
    assert torch.equal(task.forgotten, SKETCH.mask(few.shots))
    assert not torch.equal(task.shots.domains, few.shots.domains)
    assert torch.equal(task.shots.domains.bincount(), few.shots.domains.bincount())
    again = labels.relabel(Task(tiny_clip, few.shots, SKETCH), "shuffled", 0)
    assert torch.equal(again.shots.domains, task.shots.domains)


@pytest.mark.parametrize("share", [0.25, 0.5])
def test_just_so_many_labels_are_wrong(tiny_clip: FrozenCLIP, few: Splits, share: float) -> None:
    task = labels.relabel(Task(tiny_clip, few.shots, SKETCH), f"wrong:{share}", 1)
    differ = task.shots.domains != few.shots.domains
    assert int(differ.sum()) == round(share * len(few.shots))
    assert torch.equal(task.forgotten, SKETCH.mask(task.shots))  # it goes by these labels


@pytest.mark.parametrize("way", ["sentences", "k-means"])
def test_domains_are_found_without_labels(mini: FrozenCLIP, shots: Splits, way: str) -> None:
    task = labels.relabel(Task(mini, shots.shots, SKETCH), way, 0)
    right = (task.shots.domains == shots.shots.domains).float().mean()
    assert right > 0.5  # guessing: 0.25
    mixed = replace(shots.shots, domains=shots.shots.domains.flip(0))
    blind = labels.relabel(Task(mini, mixed, SKETCH), way, 0)
    assert torch.equal(blind.shots.domains, task.shots.domains)  # the labels were not looked at


def test_labels_that_do_not_tell_the_target_are_an_error(
    tiny_clip: FrozenCLIP, few: Splits
) -> None:
    two = few.shots.subset(torch.stack([torch.where(few.shots.domains == k)[0][0] for k in (0, 3)]))
    # Of two labels one is wrong: for some seed it is the sketch's.
    with pytest.raises(ValueError, match=r"^by the labels 'wrong:0.5', none of the 2 shots is to"):
        _ = [labels.relabel(Task(tiny_clip, two, SKETCH), "wrong:0.5", k) for k in range(20)]


def test_a_run_says_its_labels(tiny_clip: FrozenCLIP, few: Splits) -> None:
    spec = Spec(quick("gate"), SKETCH, data="pictures", shots=2, measure=(), labels="wrong:0.5")
    wrong = unlearn(tiny_clip, few, spec, progress=False)
    assert wrong.record["config"]["labels"] == "wrong:0.5"
    assert Spec.from_dict(wrong.record["config"], "it") == spec
    true = unlearn(tiny_clip, few, replace(spec, labels="true"), progress=False)
    assert "labels" not in true.record["config"]
    state, other = (run.model.state_dict() for run in (wrong, true))
    assert any(not torch.equal(state[key], other[key]) for key in state)
