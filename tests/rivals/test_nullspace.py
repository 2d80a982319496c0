from copy import deepcopy
from math import sqrt
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from adu_core import FrozenCLIP, Splits, Target, load_model, save_model, world
from adu_core.rivals.inversion import invert
from adu_core.rivals.nullspace import Nullspace, cells, class_basis, project
from adu_core.runs.evaluate import evaluate
from adu_core.task import Task

CLASSES, DOMAINS = ("car", "house"), ("sketch",)
THREE = [Target(DOMAINS), Target((), CLASSES), Target(DOMAINS, CLASSES)]


def unit(*rows: tuple[float, ...]) -> Tensor:
    return F.normalize(torch.tensor(rows, dtype=torch.float64), dim=1)


# The map.


def test_forgotten_directions_lose_their_energy_and_the_others_nothing() -> None:
    generator = torch.Generator().manual_seed(0)
    U = torch.linalg.qr(torch.randn(6, 2, generator=generator).double()).Q
    others = torch.linalg.svd(U, full_matrices=True).U[:, 2:]
    x = torch.randn(5, 6, dtype=torch.float64, generator=generator)
    assert (project(x, U, 1.0) @ U).abs().max() < 1e-12
    torch.testing.assert_close(project(x, U, 0.9) @ U, 0.1 * x @ U)
    torch.testing.assert_close(project(x, U, 1.0) @ others, x @ others)


# The basis.


@pytest.mark.parametrize("protect", [1e-3, 0.3, 100.0])
def test_between_two_kept_classes_the_forgotten_one_is_in_the_middle(protect: float) -> None:
    # Kept: e1 and e2. Forgotten: (1, 1) / √2, from whose direction symmetry lets U not turn.
    sentences = unit((1, 0), (0, 1), (1, 1))
    U = class_basis(sentences[None], torch.tensor([False, False, True]), protect)
    torch.testing.assert_close(U.abs(), torch.full((2, 1), sqrt(0.5), dtype=torch.float64))
    after = project(sentences, U, 1.0)
    wanted = [[0.5, -0.5], [-0.5, 0.5], [0, 0]]
    torch.testing.assert_close(after, torch.tensor(wanted, dtype=torch.float64))


def test_the_more_is_protected_the_less_is_forgotten() -> None:
    # The forgotten class lies almost in the plane of the kept ones. Its picture is a bit like e1.
    sentences = unit((1, 0, 0), (0, 1, 0), (1, 1, 0.5))
    gone = torch.tensor([False, False, True])
    pictures = unit((1, 0.1, 0), (0.1, 1, 0), (1.1, 1, 0.5))

    def answers(protect: float) -> list[int]:
        U = class_basis(sentences[None], gone, protect)
        return (project(pictures, U, 1.0) @ sentences.T).argmax(1).tolist()

    assert answers(10.0) == [0, 1, 0]
    assert answers(1e-9) == [0, 1, 2]
    # In the limit U is e3, orthogonal to what is kept: logits of kept classes do not change.
    U = class_basis(sentences[None], gone, 1e-9)
    torch.testing.assert_close(U.abs()[:, 0], torch.tensor([0, 0, 1.0]).double())


def test_a_direction_that_is_there_twice_counts_once() -> None:
    sentences = unit((1, 0, 0), (0, 1, 0), (1, 1, 1), (1, 1, 1))
    gone = torch.tensor([False, False, True, True])
    U = class_basis(sentences[None], gone, 0.3)
    assert U.shape == (3, 2)
    torch.testing.assert_close((U.T @ U).diag(), torch.tensor([1.0, 0]).double())
    once = class_basis(sentences[None, :3], gone[:3], 0.3)
    twice = class_basis(sentences[:3].expand(2, -1, -1), gone[:3], 0.3)
    torch.testing.assert_close(U @ U.T, once @ once.T)
    torch.testing.assert_close(twice @ twice.T, once @ once.T)
    alike = class_basis(unit((1, 0, 0)).expand(1, 4, -1), gone, 0.3)  # nothing to tell them by
    assert not alike.any()


# The method.


def test_what_is_to_be_forgotten_is_a_set_of_cells(mini: FrozenCLIP, few: Splits) -> None:
    """Classes alone are asked for by their plain sentences, all else by style and class."""
    names, styles = few.shots.class_names, few.shots.domain_names
    for target, count in zip(THREE, (len(names), 2, 2), strict=True):
        sentences, gone = cells(Task(mini, few.shots, target))
        places = len(names) * (len(styles) if target.domains else 1)
        assert (len(sentences), int(gone.sum())) == (places, count)
    everywhere = Target(styles, CLASSES)
    assert torch.equal(cells(Task(mini, few.shots, everywhere))[0], mini.class_features(names))


def test_classes_are_forgotten_and_the_others_kept(mini: FrozenCLIP) -> None:
    pictures, target = world("validation", 2), Target((), CLASSES)
    task = Task.of_names(mini, pictures.class_names, pictures.domain_names, target)
    model = Nullspace().fit(task)
    metrics = evaluate(model, pictures, target, entangled=False)[0]["metrics"]
    assert metrics["for"] > 95
    assert metrics["mem"] > 95
    assert model.learned_numbers() == 2 * mini.feature_size


def test_sentences_that_say_the_same_leave_nothing_to_take_out(
    tiny_clip: FrozenCLIP, few: Splits
) -> None:
    deaf = deepcopy(tiny_clip)  # whatever is said, its text tower ends in the same numbers
    with torch.no_grad():
        deaf.model.ln_final.weight.zero_()
        deaf.model.ln_final.bias.copy_(torch.eye(deaf.text_width)[0])
    for target in THREE:
        model = Nullspace().fit(Task(deaf, few.shots, target))
        before, after = (m.features(few.test.pictures) for m in (deaf, model))
        torch.testing.assert_close(after, before)


def test_the_map_can_be_folded_into_the_final_projection(mini: FrozenCLIP, few: Splits) -> None:
    model = Nullspace(alpha=0.9).fit(Task(mini, few.shots, Target((), ("car",))))
    edited = deepcopy(mini)
    with torch.no_grad():
        edited.model.visual.proj.copy_(project(mini.model.visual.proj, model.basis, 0.9))
    pictures = few.test.pictures
    torch.testing.assert_close(edited.features(pictures), model.features(pictures))


def test_pictures_are_found_for_sentences(mini: FrozenCLIP) -> None:
    sentences = mini.class_features(("car", "tree"))
    start, found = (invert(mini, sentences, steps, seed=50) for steps in (1, 15))
    with torch.no_grad():
        before, after = ((mini.encode_image(x) * sentences).sum(1) for x in (start, found))
    assert (after > before + 0.2).all()
    assert torch.equal(invert(mini, sentences, 2, seed=50), invert(mini, sentences, 2, seed=50))


@pytest.mark.parametrize("target", THREE, ids=str)
def test_with_synthesised_pictures(
    target: Target, tiny_clip: FrozenCLIP, few: Splits, tmp_path: Path
) -> None:
    method = Nullspace(prototypes="inverted", inversion_steps=2, alpha=0.9)
    task = Task(tiny_clip, few.shots, target)
    model, again, other = (method.fit(task, seed) for seed in (50, 50, 51))
    assert torch.equal(model.basis, again.basis)
    assert not torch.equal(model.basis, other.basis)
    assert model.basis.shape[1] <= 2 * int(cells(task)[1].sum())
    save_model(model, tmp_path)
    loaded = load_model(tmp_path, tiny_clip)
    pictures = few.test.pictures
    assert torch.equal(loaded.features(pictures), model.features(pictures))
    assert not any(p.requires_grad for p in model.parameters())
