"""The audit: an attack finds what is there, nothing where nothing is, and harms no model."""

import json
import math
import re
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pytest
import torch
from markdown_it import MarkdownIt
from quick import quick
from torch import Tensor

from adu_core import METHODS, FrozenCLIP, Splits, Target, Task, save_model, world
from adu_core.audit.audit import PARTS, SCORES, audit, intervals, scores, spread, undo
from adu_core.audit.audits import read_audits
from adu_core.audit.card import cannot, card
from adu_core.audit.disguises import disguises, pasted, recoloured, smaller
from adu_core.audit.effects import between, calibration_error, effects
from adu_core.audit.gather import gather, run_of
from adu_core.audit.materials import Materials
from adu_core.audit.ranks import ranks
from adu_core.audit.recovery import few as draw_few
from adu_core.audit.recovery import places, probe, prototypes, recovery
from adu_core.audit.relearning import easiest, relearned, relearning
from adu_core.audit.requirements import Requirement, failed, requirement
from adu_core.audit.search import REACH, gradients, mixture, queries, resampled
from adu_core.audit.words import other_classes, retrieval, words
from adu_core.cli import main
from adu_core.data.sources import load_shots
from adu_core.data.world import HELD_OUT
from adu_core.machine.files import read_json, write_json
from adu_core.runs.intervals import of_mean
from adu_core.show.audit_figure import audit_figure

GOAL = Target(("sketch",))


@cache
def extra() -> dict[str, Any]:
    """Pictures that an attacker stole, and classes that were never met."""
    classes = ("car", "house", "tree", "fish")
    return {
        "stolen": world("train", 4, classes=classes, seed=77),
        "held_out": world("test", 2, classes=HELD_OUT[:2]),
    }


def materials(clip: FrozenCLIP, few: Splits, made: Any) -> Materials:
    """An audit of a model made from two shots, on the world's own pictures."""
    model = made.fit(Task(clip, few.shots, GOAL), 0)
    return Materials(model, few.test, **extra(), drawn=True)


@pytest.fixture(scope="module")
def nothing(mini: FrozenCLIP, few: Splits) -> Materials:
    """The frozen CLIP, said to have forgotten."""
    return materials(mini, few, quick("zero-shot"))


@pytest.fixture(scope="module")
def door(mini: FrozenCLIP, few: Splits) -> Materials:
    """A door that takes every picture for a sketch: nothing goes on behind it."""
    found = materials(mini, few, quick("door"))
    assert found.model.classifier is not None
    found.model.classifier.threshold.fill_(-1.0)
    return found


# Reading features.


def planted(noise: float) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(40) % 4
    return torch.eye(8)[labels] + noise * torch.randn(40, 8, generator=generator), labels


@pytest.mark.parametrize("read", [prototypes, probe])
def test_readers_read_what_is_there_and_nothing_else(read: Any) -> None:
    features, labels = planted(0.05)
    assert torch.equal(read(features[:20], labels[:20], features[20:]), labels[20:])
    blind, _ = planted(0.0)
    blind[:] = torch.randn(40, 8, generator=torch.Generator().manual_seed(1))
    hits = (read(blind[:20], labels[:20], blind[20:]) == labels[20:]).float().mean().item()
    assert hits < 0.7


def test_a_class_that_no_picture_shows_is_never_named() -> None:
    features, labels = planted(0.05)
    known = labels != 2
    assert 2 not in prototypes(features[known], labels[known], features)


def test_few_takes_as_many_of_each_class(few: Splits) -> None:
    index = draw_few(few.test, 3, seed=1)
    counts = torch.bincount(few.test.labels[index])
    assert counts.tolist() == [3, 3, 3, 3]
    assert torch.equal(index, draw_few(few.test, 3, seed=1))
    assert not torch.equal(index, draw_few(few.test, 3, seed=2))


def test_places_are_the_models_own_forward_pass(door: Materials) -> None:
    """Before the door a picture is what it was, behind it all pictures are one."""
    pictures = door.forgotten.pictures
    there, before = places(door.model, pictures), places(door.frozen, pictures)
    assert list(there) == [f"block {n}" for n in range(1, len(door.clip.blocks))] + ["feature"]
    assert torch.equal(there["block 1"], before["block 1"])
    stands = door.model.blocks
    behind = there[f"block {stands + 1}"]
    assert behind.shape == (len(pictures), 2 * door.clip.width)
    torch.testing.assert_close(behind, behind[:1].expand_as(behind))
    assert before[f"block {stands + 1}"].std(dim=0).mean() > 0.01


def test_recovery_reads_the_frozen_clip_and_not_what_is_behind_a_door(door: Materials) -> None:
    found = recovery(door, shots=(1, 2, 4, 400))
    assert found["shots"] == [1, 2, 4], "an attacker has no more than there are"
    assert found["frozen"]["feature"]["probe"][-1] > 90
    assert found["model"]["feature"]["probe"][-1] == 25, "one answer for four classes"
    assert found["model"]["block 1"] == found["frozen"]["block 1"]
    assert "reference" not in found


# Learning again.


def test_relearning_brings_it_back_and_leaves_the_model_alone(
    mini: FrozenCLIP, few: Splits
) -> None:
    found = materials(mini, few, quick("full", forget_weight=10.0, epochs=4, learning_rate=0.05))
    state = {name: value.clone() for name, value in found.model.state_dict().items()}
    before = mini.model.visual.conv1.weight.clone()
    curves = relearning(found, shots=(4,), steps=12, draws=2)
    assert curves["shots"] == [0, 4]
    assert curves["parts"][0] == curves["weights"][0]
    assert max(curves["parts"][1], curves["weights"][1]) > curves["parts"][0]
    low, high = curves["spread"]["parts"][1]
    assert curves["parts"][1] == pytest.approx((low + high) / 2), "there are two draws"
    assert curves["reference"] is None
    assert curves["off"] is None, "it refuses nothing"
    for whole in (False, True):  # parts learn without the weights, and the weights with them
        taught = relearned(found.model, found.attack, 2, 0, whole=whole)
        assert torch.equal(taught.clip.model.visual.conv1.weight, before) != whole
        assert not torch.equal(taught.vision.tokens, found.model.vision.tokens)
    assert all(torch.equal(found.model.state_dict()[name], value) for name, value in state.items())
    assert torch.equal(mini.model.visual.conv1.weight, before)
    assert not any(weight.requires_grad for weight in mini.model.parameters())


def test_what_was_learned_in_closed_form_has_no_parts_to_train_and_a_reference_is_taught(
    nothing: Materials, tiny_clip: FrozenCLIP
) -> None:
    found = replace(nothing, reference=tiny_clip)
    curves = relearning(found, shots=(1,), steps=1, draws=1)
    assert curves["parts"] is None
    assert len(curves["weights"]) == len(curves["reference"]) == 2
    read = recovery(found, shots=(1,))
    assert read["reference"].keys() == read["model"].keys()


def test_a_gate_is_taken_off_and_not_learned_away(door: Materials) -> None:
    """Its refusals give training no gradient: that is no strength."""
    curves = relearning(door, shots=(1,), steps=1, draws=1)
    assert curves["off"] == [door.right(door.forgotten)["frozen"]]
    assert curves["off"][0] > 90 > curves["weights"][-1]
    assert easiest(curves) == curves["off"][0]


# Questions.


def test_ranks_of_answers_known_by_hand(nothing: Materials) -> None:
    found = ranks(nothing)
    assert found["guessing"] == 25
    assert found["frozen"] == found["model"]
    assert sum(found["model"]["ranks"]) == pytest.approx(100)
    assert found["model"]["ranks"][0] == found["model"]["among_first"]["1"]
    assert found["model"]["among_first"].keys() == {"1", "3"}, "there are four classes"
    assert found["model"]["flat"] == found["model"]["refused"] == 0
    assert found["model"]["right_though_flat"] is None


def test_a_flat_answer_may_still_be_right(mini: FrozenCLIP, few: Splits) -> None:
    """Logits shrunk to nothing keep their order: For stays, the distribution says nothing."""
    found = materials(mini, few, quick("zero-shot"))
    sharp = found.model.logits
    found.model.logits = lambda features, names=None: sharp(features, names) / 1000  # type: ignore[method-assign]
    flat = ranks(found)["model"]
    assert flat["flat"] == 100
    assert flat["entropy"] > 99
    assert flat["right_though_flat"] == flat["among_first"]["1"] > 90


def test_words_classes_and_search_of_an_untouched_model(nothing: Materials) -> None:
    asked = words(nothing)
    assert "a sketch of a {}" in asked
    assert all(each["frozen"] == each["model"] for each in asked.values())
    met = other_classes(nothing)
    assert met is not None
    assert met["frozen"] == met["model"]
    found = retrieval(nothing)
    assert found["frozen"] == found["model"]
    assert found["model"]["caption_to_picture"] > 50


def test_a_refusal_is_no_answer(door: Materials) -> None:
    """Whatever class the blank feature is nearest to."""
    found = ranks(door)["model"]
    assert found["refused"] == found["flat"] == found["entropy"] == 100
    assert found["among_first"] == {"1": 0, "3": 0}
    assert all(each["model"] == 0 < each["frozen"] for each in words(door).values())
    met, kept = other_classes(door), effects(door)
    assert met is not None
    assert met["model"] == {"kept": 0, "forgotten": 0}
    assert kept["unchanged"] == 0
    assert set(kept["model"]["refused"].values()) == {100}
    assert kept["model"]["refused_changed"] == {"JPEG 15": 100, "noise 24": 100}
    assert set(kept["frozen"]["refused"].values()) == {0}


def test_search_finds_nothing_behind_a_door(door: Materials) -> None:
    found = retrieval(door)
    assert found["frozen"]["picture_to_caption"] > 90
    assert found["model"]["picture_to_caption"] <= 25


def test_a_head_of_its_own_is_not_asked_for_other_classes(mini: FrozenCLIP, few: Splits) -> None:
    assert other_classes(materials(mini, few, quick("lp++"))) is None


# Side effects.


def test_the_calibration_error_by_hand() -> None:
    confidence = torch.tensor([0.95, 0.95, 0.55, 0.55])
    hits = torch.tensor([True, True, True, False])
    assert calibration_error(confidence, hits, bins=10) == pytest.approx(100 * (0.1 + 0.1) / 4)
    assert calibration_error(torch.ones(4), torch.ones(4, dtype=torch.bool)) == 0


def test_an_untouched_model_has_no_effects(nothing: Materials) -> None:
    found = effects(nothing)
    assert found["cosine"] == pytest.approx(1, abs=1e-5)
    assert found["unchanged"] == 100
    assert found["frozen"] == found["model"]
    assert found["model"]["accuracy"].keys() == {"real", "painting", "clipart"}


def test_the_ways_between_styles(door: Materials) -> None:
    ways = between(door, per_class=1)
    assert ways is not None
    assert ways.keys() == {"real → sketch", "painting → sketch", "clipart → sketch"}
    for way in ways.values():
        assert len(way["frozen"]) == len(way["model"]) == len(way["strength"])
        assert set(way["model"]) == {0.0}  # all are refused
    assert between(replace(door, drawn=False)) is None


# Disguises.


def test_disguises_keep_shape_and_type() -> None:
    generator = torch.Generator().manual_seed(0)
    pictures = torch.randint(0, 256, (3, 3, 20, 20), dtype=torch.uint8, generator=generator)
    others = torch.randint(60, 90, (5, 3, 20, 20), dtype=torch.uint8, generator=generator)
    ways = (smaller(pictures), resampled(pictures), recoloured(pictures, others))
    for changed in (*ways, pasted(pictures, others[:3])):
        assert changed.shape == pictures.shape
        assert changed.dtype == torch.uint8
    for channel in range(3):
        moved = recoloured(pictures, others).float()[:, channel]
        assert moved.mean().item() == pytest.approx(others.float()[:, channel].mean().item(), abs=1)
        assert moved.std().item() == pytest.approx(
            others.float()[:, channel].std().item(), rel=0.05
        )
    white, black = torch.full_like(pictures, 255), torch.zeros_like(pictures)
    assert torch.equal(pasted(white, pictures), pictures), "white lets all through"
    assert torch.equal(pasted(black, pictures), black), "ink nothing"


def test_each_disguise_is_tried_on_both_models(door: Materials) -> None:
    found = disguises(door, per_class=1, tries=2)
    assert {"none", "blurred", "noise 32", "colours of real", "clipart behind"} <= found.keys()
    assert "sketch 50% to painting" in found
    families = {each["family"] for each in found.values()}
    assert {"noise", "compression", "scale", "combined", "queries", "gradients"} <= families
    assert all(each["model"] == 0 for each in found.values())
    assert found["none"]["frozen"] > 90
    undrawn = disguises(replace(door, drawn=False), per_class=1, tries=1)
    assert not any("% to" in name for name in undrawn)


def test_what_hides_the_thing_or_was_trained_on_does_not_count(
    mini: FrozenCLIP, few: Splits, tiny_clip: FrozenCLIP
) -> None:
    made = materials(mini, few, quick("late-gate", noisy=1))
    found = disguises(replace(made, drawn=False), per_class=1, tries=1)
    assert not any(each["counts"] for each in found.values() if each["family"] == "noise")
    assert any(each["counts"] for each in found.values())
    blind = disguises(
        replace(materials(tiny_clip, few, quick("zero-shot")), drawn=False), per_class=1, tries=1
    )
    assert max(each["frozen"] for each in blind.values()) < 80
    assert not any(each["counts"] for each in blind.values())


def test_mixtures_are_the_seeds_and_queries_find_what_opens_a_gate(
    mini: FrozenCLIP, few: Splits
) -> None:
    pictures = few.test.pictures[:4]
    names, mixed = zip(
        *(mixture(pictures, torch.Generator().manual_seed(seed)) for seed in (3, 3, 4)), strict=True
    )
    assert names[0] == names[1] != names[2]
    assert torch.equal(mixed[0], mixed[1])
    assert mixed[2].shape == pictures.shape
    assert mixed[2].dtype == torch.uint8
    gate = materials(mini, few, quick("gate"))
    few_tries, many = (queries(gate, gate.attack, tries)[1] for tries in (1, 12))
    assert gate.right(many)["model"] >= gate.right(few_tries)["model"]
    assert gate.right(many)["frozen"] >= 70, "what the frozen CLIP cannot name is no disguise"


def test_gradients_of_a_twin_move_a_picture_little_and_away_from_its_domain(
    mini: FrozenCLIP, few: Splits
) -> None:
    gate = materials(mini, few, quick("late-gate"))
    assert gate.model.classifier is not None
    moved = gradients(gate, gate.attack)
    apart = moved.pictures.int() - gate.attack.pictures.int()
    assert 0 < apart.abs().max() <= REACH
    before, after = (gate.model.probability(x.pictures).mean() for x in (gate.attack, moved))
    assert after < before - 0.1
    assert gate.right(moved)["frozen"] > 90


# The whole.


@pytest.fixture(scope="module")
def record(nothing: Materials) -> dict[str, Any]:
    """Of a model that forgot nothing, so that every attack succeeds; with JSON's own types."""
    quicker = {
        "relearning": lambda m: relearning(m, shots=(1, 4), steps=4, draws=1),
        "recovery": lambda m: recovery(m, shots=(1, 4)),
        "disguises": lambda m: disguises(m, per_class=2, tries=2),
        "between": lambda m: between(m, per_class=1),
    }
    made = audit(nothing, {"data": "world"}, parts=PARTS | quicker)
    found: dict[str, Any] = json.loads(json.dumps(made))
    return found


def test_every_score_is_there_and_says_that_nothing_is_forgotten(record: dict[str, Any]) -> None:
    assert PARTS.keys() < record.keys()
    scores = record["scores"]
    assert scores.keys() == SCORES.keys()
    assert scores["for"] < 10
    assert scores["probe"] > 80
    assert scores["words"] > 90
    assert scores["held_out_for"] < 20
    assert scores["refused_mem"] == 0
    rows = {row["does"]: row["right"] for row in record["undo"]}
    assert rows["asks"] == pytest.approx(100 - scores["for"])
    assert rows["nothing to undo"] == pytest.approx(100 - scores["for"])


def test_the_card_says_what_cannot_be_promised(record: dict[str, Any]) -> None:
    text = card(record)
    assert text.startswith("# zero-shot: mini without sketch")
    assert all(f"`{name}`" in text for name in SCORES)
    assert "That an answer is no better than a guess" in text
    assert "| sketch (forget) |" in text
    good = json.loads(json.dumps(record))
    good["scores"] |= {"for": 75.0, "inside": 25.0}
    for each in good["disguises"].values():
        each["model"] = 26.0
    assert len(cannot(good)) == 1, "only that the weights are public is left"


#: The line of the card's table of attacks that says a score, and what it says first.
ATTACKS = {
    "words": ("answers", "asks in other words"),
    "disguised": ("answers", "disguises pictures"),
    "probe": ("features", "nearest prototypes, 4 pictures a class"),
    "inside": ("weights", "nearest prototypes at block 2, 4 pictures a class"),
    "relearned": ("weights", "trains all weights"),
}


@pytest.mark.parametrize("name", SCORES)
def test_the_card_says_every_score_as_the_record_has_it(name: str, record: dict[str, Any]) -> None:
    """Whichever reader and place is the best, not the probe's alone."""
    found = json.loads(json.dumps(record))
    found["recovery"]["model"] = {
        place: {"prototypes": [5.0, right], "probe": [5.0, 10.0]}
        for place, right in (("feature", 11.1), ("block 1", 22.2), ("block 2", 33.3))
    }
    found["effects"]["cosine"] = 0.98251
    found["undo"] = undo(found, "takes it off")
    found["scores"] = scores(found)
    found["intervals"] = intervals(found)
    score, text = found["scores"][name], rendered(card(found))
    said = "0.983" if name == "cosine" else f"{score:.1f}"
    assert [name, said, spread(found["intervals"][name]), SCORES[name]] in text
    if name in ATTACKS:
        holder, does = ATTACKS[name]
        assert [row[2] for row in text if row[0] == holder and row[1].startswith(does)] == [said]
    elif name == "for":
        assert ["answers", "asks", f"{100 - score:.1f}"] in text


def rendered(markdown: str) -> list[list[str]]:
    """The rows of all tables of a page of Markdown, as a reader sees them."""
    rows: list[list[str]] = []
    for token in MarkdownIt().enable("table").parse(markdown):
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "inline" and token.level > 3:
            kinds = {each.type for each in token.children or ()}
            assert kinds <= {"text", "text_special", "code_inline"}, token.content
            rows[-1].append("".join(each.content for each in token.children or ()))
    return rows


@pytest.mark.parametrize(
    "name",
    ["a|b", "_x_", "*x*", "`x`", "<b>", "$x$ $y$", "[x](y)", "\\", "~~x~~", "日本 été", "#&amp;"],
)
def test_a_card_shows_names_of_any_characters(name: str, record: dict[str, Any]) -> None:
    found = json.loads(json.dumps(record).replace("painting", json.dumps(name)[1:-1]))
    found["undo"] = undo(found, "takes it off")
    found["undo"][2]["does"] = f"disguises pictures: {name} behind"
    rows = rendered(card(found))
    assert name in [row[0] for row in rows]
    assert f"disguises pictures: {name} behind" in [row[1] for row in rows]


def test_a_card_names_the_clip_that_never_knew_it(record: dict[str, Any]) -> None:
    with_one = json.loads(json.dumps(record))
    with_one["relearning"]["reference"] = [30.0, 40.0, 50.0]
    with_one["recovery"]["reference"] = with_one["recovery"]["model"]
    assert "A CLIP that never saw it gets 30.0 right" in card(with_one)


def test_the_figure_has_six_panels(record: dict[str, Any]) -> None:
    figure = audit_figure(record)
    assert len(figure.axes) == 6
    assert all(axes.get_title() for axes in figure.axes)
    plt.close(figure)


def test_many_audits_in_one_table(
    record: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = record | {"scores": record["scores"] | {"probe": 12.345, "held_out_for": None}}
    for name, values in (("a", record), ("b/c", gone)):
        write_json(tmp_path / name / "audit.json", values)
    found = read_audits(tmp_path)
    assert found["probe"].tolist() == [record["scores"]["probe"], 12.345]
    assert math.isnan(found["held_out_for"][1])
    assert main(["report", str(tmp_path), "--audits"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["forget", "method", *SCORES]
    second = dict(zip(lines[0].split(), lines[2].split(), strict=True))
    assert (second["probe"], second["held_out_for"], second["cosine"]) == ("12.3", "–", "1.000")


@pytest.mark.parametrize(
    "words", ["--by forget", "--also h", "--figure x.png", "--fronts", "--against mmd2.after"]
)
def test_audits_have_no_means(
    words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", str(tmp_path), "--audits", *words.split()]) == 2
    assert capsys.readouterr().err == (
        f"adu report: --audits prints scores, not means: leave out {words.split()[0]}\n"
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"schema": 1}, "not an audit of schema 2: run `adu audit` anew"),
        ({"method": "gate"}, "method must say its name"),
        ({"forget": {}}, "what to forget is"),
        ({"scores": {"mem": 1.0}}, "scores must be those of"),
        ({"scores": dict.fromkeys(SCORES, True)}, "scores: mem cannot be 'True'"),
        ({"scores": dict.fromkeys(SCORES, 10**400)}, "scores: mem cannot be '1000"),
    ],
    ids=str,
)
def test_a_tampered_audit_is_refused(
    record: dict[str, Any], change: dict[str, Any], said: str, tmp_path: Path
) -> None:
    path = tmp_path / "audit.json"
    write_json(path, record | change)
    with pytest.raises(ValueError, match=f"{path}.*({said})"):
        read_audits(path)


def test_a_folder_without_audits_says_what_makes_one(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no audit to read: run `adu audit` first"):
        read_audits(tmp_path)


def test_requirements() -> None:
    assert requirement(" for >= 70 ") == Requirement("for", ">=", 70.0)
    assert str(requirement("probe<40.5")) == "probe<40.5"
    for wrong, why in (
        ("for", "say a score"),
        ("for=70", "say a score"),
        ("nosuch>=1", "no score 'nosuch'"),
        ("for>=x", "say a score"),
    ):
        with pytest.raises(ValueError, match=why):
            requirement(wrong)
    scores = dict.fromkeys(SCORES, 50.0) | {"held_out_for": None}
    bounds = dict.fromkeys(SCORES, (45.0, 55.0)) | {"ece": None, "held_out_for": None}
    found = {"scores": scores, "intervals": bounds}
    asked = ("for>=50", "probe<50", "held_out_for>0", "h>44", "probe<=55", "ece<=50")
    wanted = [requirement(text) for text in asked]
    assert failed(wanted, found) == [(wanted[0], 45.0), (wanted[1], 55.0), (wanted[2], None)]


def test_intervals_of_scores_are_of_the_pictures_they_are_of(record: dict[str, Any]) -> None:
    found, pictures = record["intervals"], record["pictures"]
    assert found.keys() == SCORES.keys()
    assert found["ece"] is found["cosine"] is None
    for name, interval in found.items():
        if interval is not None and name not in {"h", "selectivity"}:
            assert 0 <= interval[0] < interval[1] <= 100, name
            assert interval[0] - 15 < record["scores"][name] < interval[1] + 15, name
    gone = sum(pictures["forgotten"].values())
    assert gone == len(extra()["stolen"].class_names) * 2
    assert found["probe"] == pytest.approx(of_mean([record["scores"]["probe"]], [gone]))


@pytest.mark.parametrize("name", METHODS)
def test_every_method_can_be_audited(name: str, tiny_clip: FrozenCLIP, few: Splits) -> None:
    quicker = {
        "relearning": lambda m: relearning(m, shots=(1,), steps=1, draws=1),
        "recovery": lambda m: recovery(m, shots=(1,)),
        "disguises": lambda m: disguises(m, per_class=1, tries=1),
    }
    asked = materials(tiny_clip, few, quick(name))
    asked = replace(asked, stolen=asked.stolen.few_shot(1), drawn=False)  # drawing takes long
    found = audit(asked, parts=PARTS | quicker)
    for score, value in found["scores"].items():
        assert value is None or math.isfinite(value), score
    assert card(found).count("\n| ") > 20


# From disk, and from the command line.


def test_pictures_get_the_adapters_numbers(
    tiny_clip: FrozenCLIP, picture_folder: Path, tmp_path: Path
) -> None:
    """Classes and domains of the same names in another order are the same."""
    data = world("train", 2, classes=("house", "car"), domains=("sketch", "real", "clipart"))
    save_model(quick("gate").fit(Task(tiny_clip, data, GOAL), 0), tmp_path)
    spec = run_of(tmp_path, data=f"folder:{picture_folder}", shots=1)
    found = gather(tmp_path, spec, stolen=2)
    assert found.test.class_names == ("house", "car")
    assert found.test.domain_names == ("sketch", "real", "clipart")
    assert not found.drawn
    assert found.held_out is None
    shots = load_shots(f"folder:{picture_folder}", size=tiny_clip.preprocess, shots=2)
    save_model(quick("gate").fit(Task(tiny_clip, shots, GOAL), 0), tmp_path / "straight")
    straight = gather(tmp_path / "straight", spec, stolen=2)
    assert torch.equal(found.test.pictures, straight.test.pictures)
    names = [
        [data.class_names[label] for label in data.labels.tolist()]
        for data in (found.test, straight.test)
    ]
    assert names[0] == names[1]


def test_other_pictures_than_the_adapters_are_refused(
    tiny_clip: FrozenCLIP, few: Splits, picture_folder: Path, tmp_path: Path
) -> None:
    save_model(quick("gate").fit(Task(tiny_clip, few.shots, GOAL), 0), tmp_path)
    with pytest.raises(ValueError, match=r"other classes than folder:.* lacks .*fish"):
        gather(tmp_path, run_of(tmp_path, data=f"folder:{picture_folder}"))


def test_the_command(
    tiny_path: str,
    picture_folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """0 when all is met, 1 when a score is not, 2 for a bad word, and nothing done for that."""
    monkeypatch.setitem(PARTS, "relearning", partial(relearning, steps=2, draws=1))
    words = ["--data", f"folder:{picture_folder}", "--clip", tiny_path, "--shots", "2"]
    words += ["--method", "gate", "--set", "copies=2", "--forget", "sketch"]
    assert main(["run", *words, "--save", str(tmp_path / "saved")]) == 0
    audit = ["audit", str(tmp_path / "saved"), "--limit", "1", "--tries", "5"]
    assert main([*audit, "--require", "nosuch>=1"]) == 2
    assert "no score 'nosuch'" in capsys.readouterr().err
    assert not (tmp_path / "saved" / "audit.json").exists()
    assert main([*audit, "--require", "mem>=0"]) == 0
    assert {"audit.json", "audit.png", "MODEL_CARD.md"} < {
        path.name for path in (tmp_path / "saved").iterdir()
    }
    record = read_json(tmp_path / "saved" / "audit.json")
    assert record["pictures"]["shots"] == 2
    # Of ten pictures a class, six are to train on: an attacker has those, and it is said.
    assert record["pictures"]["stolen"] == 6
    assert (record["recovery"]["shots"], record["relearning"]["shots"]) == (
        [1, 2, 4, 6],
        [0, 1, 6],
    )
    assert "has 6 pictures of each class in each domain, not 16 (--stolen)" in (
        capsys.readouterr().err
    )
    assert record["between"] is None
    elsewhere = str(tmp_path / "elsewhere")
    audit += ["--stolen", "1", "--reference", tiny_path, "--save", elsewhere]
    assert main([*audit, "--require", "mem>100"]) == 1
    printed = capsys.readouterr().out
    assert "not met: mem>100, but mem is" in printed
    assert re.search(r"^ +\d\.\d{3} +cosine: ", printed, re.MULTILINE)
    assert read_json(f"{elsewhere}/audit.json")["reference"] is not None
    # The folder can still be read as records: what the audit wrote is none.
    assert main(["report", str(tmp_path / "saved")]) == 0


def test_what_is_no_adapter_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", str(tmp_path)]) == 2
    assert "adapter.json" in capsys.readouterr().err
