"""What every method promises, whatever it does: the same tests for all names of the list."""

import json
import random
from dataclasses import fields, replace
from functools import cache
from typing import Any, get_args, get_type_hints

import numpy as np
import pytest
import torch
from quick import quick
from torch import Tensor

from adu_core import (
    METHODS,
    FrozenCLIP,
    Loop,
    Method,
    Model,
    Splits,
    Target,
    Task,
    evaluate,
    fit,
    load_clip,
    load_model,
    method,
    save_model,
    world,
)
from adu_core.dataset import KINDS, Kind
from adu_core.machine.files import read_tensors
from adu_core.measure import accuracies
from adu_core.rivals.methods import from_dict, parse
from adu_core.task import Changes

TARGETS: dict[Kind, Target] = {
    "domains": Target(("sketch",)),
    "classes": Target((), ("car",)),
    "classes in domains": Target(("sketch", "real"), ("car", "house")),
}
ALL = pytest.mark.parametrize("name", METHODS)


def some_target(made: Method) -> Target:
    return next(TARGETS[kind] for kind in KINDS if kind in made.kinds)


@pytest.fixture(scope="module")
def fitted(tiny_clip: FrozenCLIP, few: Splits) -> Any:
    """Each method's quick model of the tests' few pictures, made when first asked for."""

    @cache
    def made(name: str, kind: Kind | None = None) -> Model:
        how = quick(name)
        goal = some_target(how) if kind is None else TARGETS[kind]
        model, _ = fit(tiny_clip, few.shots, goal, how, seed=3, progress=False)
        assert isinstance(model, Model)
        return model

    return made


@torch.no_grad()
def answers(model: Model, few: Splits) -> tuple[Tensor, Tensor]:
    features = model.features(few.test.pictures)
    return features, model.logits(features)


def same(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return first.keys() == second.keys() and all(
        torch.equal(value, second[key]) and value.dtype == second[key].dtype
        for key, value in first.items()
    )


@ALL
def test_it_says_what_it_is(name: str) -> None:
    for preset in ("mini", "paper"):
        made = method(name, preset)  # type: ignore[arg-type]
        assert made.name == name
        for text in (made.summary, made.source, made.undo, made.needs):
            assert text
            assert text == text.strip()
        assert made.changes in get_args(Changes)
        assert made.kinds
        assert made.kinds <= set(KINDS)
        values = json.loads(json.dumps(made.as_dict()))
        assert from_dict(values, "here") == made


@ALL
def test_all_values_of_a_search_are_settings(name: str) -> None:
    for preset in ("mini", "paper"):
        made = method(name, preset)  # type: ignore[arg-type]
        for key, values in made.search().items():
            assert len(set(values)) == len(values) > 1, key
            for value in values:
                assert getattr(replace(made, **{key: value}), key) == value
                text = str(value)
                assert parse(made, key, text) == value  # as `--set` says it
    with pytest.raises(ValueError, match="no setting 'magic'"):
        method(name, magic=1)


@ALL
def test_a_wrong_value_is_refused_before_any_work(name: str) -> None:
    made = method(name)
    kinds = get_type_hints(type(made))
    for each in fields(made):
        wrong: list[Any] = [None, object(), {}, [1], ("a",), float("nan")]
        wrong += [1.5, 10**12] if kinds[each.name] is int else []
        wrong += ["1"] if kinds[each.name] is not str else []
        for value in wrong:
            with pytest.raises(ValueError, match=each.name):
                replace(made, **{each.name: value})
        with pytest.raises(ValueError, match=f"^{each.name}="):
            parse(made, each.name, "a+b,c")


@ALL
def test_saved_and_loaded_it_is_the_same_bit_for_bit(
    name: str, fitted: Any, tiny_clip: FrozenCLIP, few: Splits, tmp_path: Any
) -> None:
    model = fitted(name)
    save_model(model, tmp_path)
    loaded = load_model(tmp_path, tiny_clip, few.shots.class_names)
    assert type(loaded) is type(model)
    assert loaded.method == model.method
    assert loaded.target == model.target
    assert (loaded.class_names, loaded.domain_names) == (model.class_names, model.domain_names)
    assert same(dict(model.state_dict()), dict(loaded.state_dict()))
    for before, after in zip(answers(model, few), answers(loaded, few), strict=True):
        assert torch.equal(before, after)
    stored, _ = read_tensors(tmp_path / "adapter.safetensors")
    assert model.learned_numbers() == sum(tensor.numel() for tensor in stored.values())


@ALL
def test_the_same_seed_gives_the_same_bits(
    name: str, fitted: Any, tiny_clip: FrozenCLIP, few: Splits
) -> None:
    first = fitted(name)
    # Whatever was drawn before from the streams that everything shares.
    random.seed(7)
    np.random.seed(7)  # noqa: NPY002
    torch.manual_seed(7)
    again, _ = fit(tiny_clip, few.shots, first.target, first.method, seed=3, progress=False)
    assert same(dict(first.state_dict()), dict(again.state_dict()))
    for one, two in zip(answers(first, few), answers(again, few), strict=True):
        assert torch.equal(one, two)


@ALL
def test_the_shared_clip_stays_as_it_was(
    name: str, fitted: Any, tiny_clip: FrozenCLIP, few: Splits
) -> None:
    known = tiny_clip.fingerprint
    model = fitted(name)
    evaluate(model, few.test, model.target, entangled=False)
    del tiny_clip.fingerprint  # it is kept: compute it anew
    assert tiny_clip.fingerprint == known
    assert model.clip is tiny_clip
    assert not tiny_clip.training
    for parameter in tiny_clip.parameters():
        assert not parameter.requires_grad
        assert parameter.grad is None
    assert not model.training


@pytest.mark.parametrize("kind", KINDS)
@ALL
def test_it_forgets_the_kinds_that_it_claims_and_no_other(
    name: str, kind: Kind, fitted: Any, tiny_clip: FrozenCLIP, few: Splits
) -> None:
    made, goal = quick(name), TARGETS[kind]
    if kind not in made.kinds:
        ran: list[int] = []
        with pytest.raises(ValueError, match=f"^{name} cannot forget {kind}, only "):
            made.fit(
                Task(tiny_clip, few.shots, goal),
                run=Loop(progress=False, after_epoch=lambda *_: ran.append(1)),
            )
        assert not ran
        return
    model = fitted(name, kind)
    result, features = evaluate(model, few.test, goal, entangled=False)
    assert model.target == goal
    assert torch.isfinite(features).all()
    assert 0 <= result["metrics"]["mem"] <= 100
    assert 0 <= result["metrics"]["for"] <= 100


@ALL
def test_features_and_logits_have_the_shapes_that_are_said(
    name: str, fitted: Any, tiny_clip: FrozenCLIP, few: Splits
) -> None:
    model = fitted(name)
    features, logits = answers(model, few)
    count, classes = len(few.test), len(few.test.class_names)
    assert features.shape == (count, tiny_clip.feature_size)
    assert features.dtype == torch.float32
    torch.testing.assert_close(features.norm(dim=1), torch.ones(count), atol=1e-4, rtol=0)
    assert logits.shape == (count, classes)
    assert logits.dtype == torch.float32
    assert torch.isfinite(logits).all()
    with torch.no_grad():
        assert torch.equal(model(few.test.pictures), features)
        assert torch.equal(model.logits(features, few.test.class_names), logits)
        # Pictures that are normalised already are the same pictures.
        normalised = model.features(tiny_clip.normalise(few.test.pictures))
        torch.testing.assert_close(normalised, features, atol=1e-4, rtol=0)
        if model.open_classes:
            assert model.logits(features, ["bird", "boat"]).shape == (count, 2)
            some = model.logits(features, few.test.class_names[:2])
            assert some.shape == (count, 2)


@ALL
def test_a_picture_alone_is_what_it_is_among_others(name: str, fitted: Any, few: Splits) -> None:
    model = fitted(name)
    features, logits = answers(model, few)
    with torch.no_grad():
        for number in range(0, len(few.test), 7):
            alone = model.features(few.test.pictures[number : number + 1])
            torch.testing.assert_close(alone[0], features[number], atol=1e-4, rtol=0)
            torch.testing.assert_close(model.logits(alone)[0], logits[number], atol=1e-2, rtol=0)


REFUSING = {"late-gate", "gate", "door", "text-gate"}


@pytest.mark.parametrize("kind", KINDS)
@ALL
def test_a_picture_is_refused_if_nothing_is_left_of_it(
    name: str, kind: Kind, fitted: Any, few: Splits
) -> None:
    """Refused pictures have one feature for all of them, every other one has its own."""
    if kind not in method(name).kinds:
        return
    model, pictures = fitted(name, kind), few.test.pictures
    with torch.no_grad():
        refused, features = model.refuses(pictures), model.features(pictures)
        frozen = model.clip.features(pictures)
    assert refused.shape == (len(pictures),)
    assert refused.dtype == torch.bool
    own = len(features.unique(dim=0)) - int(refused.any())
    assert own == int((~refused).sum())
    for one, other in zip(features[refused][:-1], features[refused][1:], strict=True):
        assert torch.equal(one, other)
    assert name in REFUSING or not refused.any()
    if name in REFUSING and kind == "domains":
        assert refused.any()
        assert name == "text-gate" or not refused.all()  # it tells no styles of a CLIP this small
        assert torch.equal(features[~refused], frozen[~refused])  # to the bit


@ALL
def test_names_alone_make_a_model_to_load_into(
    name: str, tiny_clip: FrozenCLIP, few: Splits
) -> None:
    made = quick(name)
    names = few.shots.class_names, few.shots.domain_names
    for kind in made.kinds:
        task = Task.of_names(tiny_clip, *names, TARGETS[kind])
        made.check(task)
        model = made.start(task)
        assert isinstance(model, Model)
        assert (model.class_names, model.domain_names) == names


@ALL
def test_interrupted_and_resumed_it_is_unbroken(
    name: str, fitted: Any, tiny_clip: FrozenCLIP, few: Splits, tmp_path: Any
) -> None:
    whole = fitted(name)
    if not whole.method.trained:
        pytest.skip("there is nothing to interrupt")
    file = tmp_path / "training.safetensors"

    def stop(done: int, _: Model) -> None:
        if done == 1:
            raise KeyboardInterrupt

    arguments = (tiny_clip, few.shots, whole.target, whole.method)
    with pytest.raises(KeyboardInterrupt):
        fit(*arguments, seed=3, checkpoint=file, after_epoch=stop, progress=False)
    if file.exists():  # a method of a second or two may do without
        with pytest.raises(ValueError, match="another run"):
            fit(*arguments, seed=4, checkpoint=file, progress=False)
    resumed, _ = fit(*arguments, seed=3, checkpoint=file, progress=False)
    assert same(dict(whole.state_dict()), dict(resumed.state_dict()))


#: Method, settings for a few steps, by how many points sketches fall below the mean of the rest.
FORGETS: list[tuple[str, dict[str, Any], int | None]] = [
    ("coop", {"epochs": 20, "batch_size": 16}, None),
    ("clipfit", {"epochs": 20, "batch_size": 16}, None),
    ("lp++", {"forget_weight": 10.0}, None),
    ("salun", {"epochs": 12, "batch_size": 8}, 15),
    ("doco", {"epochs": 12, "batch_size": 16, "learning_rate": 0.003}, 15),
    ("slug", {"keep": 0.6}, 15),
]


@pytest.mark.parametrize(("name", "settings", "apart"), FORGETS)
def test_it_forgets_a_domain(
    name: str, settings: dict[str, Any], apart: int | None, few: Splits
) -> None:
    """The mini CLIP is right about all of these pictures."""
    task = Task(load_clip("mini"), few.shots, Target(("sketch",)))
    model = method(name, "mini", **settings).fit(task)
    found = accuracies(model, world("test", 6, classes=few.test.class_names))
    sketch = found.pop("sketch")
    assert sketch < 95
    assert apart is None or sketch < sum(found.values()) / len(found) - apart


OUT_OF_RANGE: dict[str, list[tuple[str, Any]]] = {
    "gate": [
        ("blocks", 0), ("copies", -1), ("copies", 101), ("shift", 0.6), ("threshold", 1.0),
        ("shrinkage", 0.0), ("inverse_penalty", 0.0), ("classifier", "svm"),
    ],
    "door": [("blocks", 0), ("copies", -1), ("threshold", -0.1)],
    "nullspace": [
        ("protect", 0.0), ("alpha", 1.1), ("prototypes", "shots"), ("inversion_steps", 0),
    ],
    "late-gate": [("noisy", -1), ("copies", -1), ("threshold", -0.1), ("classifier", "tree")],
    "text-gate": [("threshold", -0.1), ("threshold", 1.0)],
    "salun": [("share", 0.0), ("share", 1.5), ("loss", "none"), ("forget_weight", -1.0)],
    "doco": [("hidden", 0), ("pace", -1.0), ("forget_weight", -1.0)],
    "slug": [("keep", 0.0), ("keep", 1.1), ("layers", 0), ("longest", 0.0), ("judged", 0)],
    "coop": [("tokens", 0), ("init_std", -1.0), ("views", 0), ("forget_weight", -1.0)],
    "lp++": [("alpha", -1.0), ("momentum", 1.0), ("views", 0)],
    "clipfit": [("lam", -1.0), ("forget_weight", -1.0)],
    "bbf": [("sigma", 0.0), ("population", 1), ("unique", 0)],
}  # fmt: skip


@pytest.mark.parametrize("name", OUT_OF_RANGE)
def test_values_out_of_range_are_refused(name: str) -> None:
    for key, value in OUT_OF_RANGE[name]:
        with pytest.raises(ValueError, match=f"^{key} must be"):
            method(name, **{key: value})


@pytest.mark.parametrize("name", ["coop", "bbf"])
def test_a_context_that_leaves_no_room_is_refused_before_the_work(
    name: str, tiny_clip: FrozenCLIP, few: Splits
) -> None:
    made = method(name)  # 16 tokens, too many for a CLIP that reads 16 in all
    with pytest.raises(ValueError, match="use fewer tokens or shorter names"):
        made.check(Task(tiny_clip, few.shots, Target(("sketch",))))


@pytest.mark.parametrize(
    ("name", "words"), [("doco", "a second class"), ("salun", "set loss to entropy")]
)
def test_some_need_a_second_class(
    name: str, words: str, tiny_clip: FrozenCLIP, few: Splits
) -> None:
    cars = few.shots.subset(few.shots.labels == 0)
    alone = Task(tiny_clip, replace(cars, class_names=("car",)), Target(("sketch",)))
    with pytest.raises(ValueError, match=words):
        method(name).fit(alone)
    if name == "salun":
        quick("salun", loss="entropy").fit(alone)


def test_unknown_names_and_presets_are_refused() -> None:
    with pytest.raises(ValueError, match="no method 'magic': choose one of zero-shot, baseline"):
        method("magic")
    with pytest.raises(ValueError, match="no preset 'huge': choose one of mini, paper"):
        method("full", "huge")  # type: ignore[arg-type]
    for wrong in (None, [], {"name": "full"}, {"name": ["full"], "settings": {}}):
        with pytest.raises(ValueError, match=r"^here: a method is"):
            from_dict(wrong, "here")


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("epochs", "5", 5),
        ("gamma", "12.5", 12.5),
        ("gamma", "1e2", 100.0),
        ("gamma", "7", 7),
        ("ddl", "true", True),
        ("ddl", "False", False),
        ("instapg_wiring", "each", "each"),
        ("bandwidths", "0.25+1", (0.25, 1.0)),
        ("bandwidths", "0.5", (0.5,)),
    ],
)
def test_words_become_settings(name: str, text: str, value: Any) -> None:
    found = parse(method("full"), name, text)
    assert found == value
    assert getattr(method("full", **{name: found}), name) == value


@pytest.mark.parametrize(
    ("name", "text", "error"),
    [
        ("epochs", "many", "epochs=many: epochs must be a whole number, not 'many'"),
        ("epochs", "1.5", "must be a whole number"),
        ("epochs", "99999", "epochs=99999: epochs must be at most 10000"),
        ("gamma", "hot", "must be a number"),
        ("gamma", "nan", "gamma must be finite"),
        ("ddl", "maybe", "must be true or false"),
        ("instapg_wiring", "floor", "must be 'every', 'add', 'each' or 'replace'"),
        ("bandwidths", "1,2", "it takes numbers joined by"),
        ("bandwidths", "1++2", "it takes numbers joined by"),
        ("colour", "red", "no setting 'colour': there are epochs, batch_size"),
    ],
)
def test_wrong_words_are_refused_saying_what_is_taken(name: str, text: str, error: str) -> None:
    with pytest.raises(ValueError, match=error):
        parse(method("full"), name, text)


def test_from_json_all_settings_must_be_there_and_no_other() -> None:
    plain = method("full").as_dict()["settings"]
    for settings, error in (
        ({}, r"missing settings \['epochs'"),
        ({k: v for k, v in plain.items() if k != "ddl"}, r"missing settings \['ddl'\]"),
        (plain | {"colour": "red"}, r"unknown settings \['colour'\]"),
        (plain | {"gamma": -1}, "gamma must be at least 0"),
        (plain | {"gamma": [1]}, "gamma must be a number"),
        (plain | {"ddl": {}}, "ddl must be true or false"),
        (plain | {"ddl": False}, "these are the settings of instapg, not full"),
        ([], "must be a JSON object"),
        (None, "must be a JSON object"),
    ):
        with pytest.raises(ValueError, match=f"^saved.json: .*{error}"):
            from_dict({"name": "full", "settings": settings}, "saved.json")
