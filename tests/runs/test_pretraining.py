"""Pretraining a small CLIP: it learns, goes on where it stopped, and stores no unused words."""

import hashlib
import json
import math
from pathlib import Path

import open_clip
import pytest
import torch

from adu_core.clip import FrozenCLIP
from adu_core.clips.load import TOKEN_ROWS, load_clip
from adu_core.data.captioning import captions
from adu_core.data.world import world
from adu_core.dataset import DomainDataset
from adu_core.machine.files import read_json, read_tensors
from adu_core.measure import accuracies
from adu_core.runs import pretrain as pretraining

EPOCHS = 2


def pretrain(pictures, path, epochs: int = EPOCHS, seed: int = 0) -> FrozenCLIP:
    return pretraining.pretrain(
        pictures, pictures, path, epochs=epochs, seed=seed, about={"source": "w"}, progress=False
    )


@pytest.fixture(scope="module")
def pictures() -> DomainDataset:
    return world("pretrain", 5, classes=("car", "cat", "tree", "cup"), size=20)


@pytest.fixture(scope="module")
def unbroken(pictures, tmp_path_factory) -> FrozenCLIP:
    return pretrain(pictures, tmp_path_factory.mktemp("whole") / "clip.safetensors")


@pytest.fixture
def interrupted(pictures, tmp_path, monkeypatch) -> Path:
    """Where a pretraining was to go that was stopped after its first epoch."""
    path = tmp_path / "clip.safetensors"
    replace = Path.replace

    def replace_and_stop(self: Path, target: Path) -> None:
        replace(self, target)
        raise KeyboardInterrupt  # Ctrl-C comes when the first file is in its place

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", replace_and_stop)
        with pytest.raises(KeyboardInterrupt):
            pretrain(pictures, path)
    return path


def test_the_record_tells_what_was_done(pictures, unbroken):
    record = read_json(unbroken.name.replace(".safetensors", ".json"))
    wanted = {"source": "w", "pictures": 80, "fingerprint": pictures.fingerprint()}
    assert record["data"] == wanted
    assert len(record["training"]["loss"]) == EPOCHS
    assert record["model"]["vision_cfg"]["image_size"] == 20
    assert record["zero_shot"]["accuracy"] == accuracies(unbroken, pictures)
    assert record["fingerprint"] == unbroken.fingerprint
    assert record["sha256"] == hashlib.sha256(Path(unbroken.name).read_bytes()).hexdigest()


def test_it_learns(tmp_path):
    pictures = world("pretrain", 16, classes=("car", "cat"), domains=("clipart", "sketch"), size=20)
    clip = pretrain(pictures, tmp_path / "clip.safetensors", epochs=12)
    loss = read_json(tmp_path / "clip.json")["training"]["loss"]
    assert loss[-1] < loss[0] - 0.3
    assert not any(parameter.requires_grad for parameter in clip.parameters())


def test_it_begins_with_what_another_clip_has_learned(mini, tmp_path):
    """The pictures may be of another size; the record says which it was."""
    pictures = world("pretrain", 5, classes=("car", "cat", "tree", "cup"), seed=1, size=30)
    first = {}
    for name, start in {"nothing": None, "another": mini}.items():
        path = tmp_path / f"{name}.safetensors"
        pretraining.pretrain(pictures, pictures, path, epochs=1, start=start, progress=False)
        first[name] = read_json(path.with_suffix(".json"))["training"]
    assert first["another"]["loss"][0] < first["nothing"]["loss"][0] - 0.3
    assert first["nothing"]["start"] is None
    assert first["another"]["start"]["fingerprint"] == mini.fingerprint
    with pytest.raises(ValueError, match=r"has 6 blocks of width 96, .* 3 of width 96"):
        pretraining.pretrain(pictures, pictures, path, epochs=1, start=mini, depth=3)


def test_interrupted_and_resumed_is_unbroken(pictures, unbroken, interrupted):
    assert [file.name for file in interrupted.parent.iterdir()] == ["clip.partial.safetensors"]
    resumed = pretrain(pictures, interrupted)
    assert resumed.fingerprint == unbroken.fingerprint
    left = {file.name for file in interrupted.parent.iterdir()}
    assert left == {"clip.json", "clip.safetensors"}


def test_the_rest_of_another_pretraining_is_refused(pictures, interrupted):
    with pytest.raises(
        ValueError, match=r"clip.partial.safetensors belongs to another .*\(seed 0, now 1\)"
    ):
        pretrain(pictures, interrupted, seed=1)


def test_only_words_in_use_are_stored_and_each_in_its_row(pictures, unbroken):
    weights, _ = read_tensors(unbroken.name)
    rows, table = weights[TOKEN_ROWS], weights["token_embedding.weight"]
    lines = {line for epoch in range(EPOCHS) for line in captions(pictures, seed=epoch)}
    used = open_clip.get_tokenizer("adu-mini")(sorted(lines)).unique()
    assert rows.tolist() == used.tolist()
    assert table.shape == (len(rows), unbroken.text_width)
    whole = unbroken.model.token_embedding.weight
    assert whole.shape[0] == 49408
    assert whole[rows].equal(table)
    others = torch.ones(len(whole), dtype=torch.bool)
    others[rows] = False
    assert whole[others].eq(0).all()


def test_a_file_of_other_origin_is_refused(unbroken, tmp_path):
    weights, _ = read_tensors(unbroken.name)
    path = tmp_path / "other.safetensors"
    record = read_json(unbroken.name.replace(".safetensors", ".json"))
    pretraining.save_clip(path, weights, weights[TOKEN_ROWS], record)
    assert load_clip(str(path)).fingerprint == unbroken.fingerprint
    (tmp_path / "other.json").write_text(json.dumps({"name": "no model"}))
    with pytest.raises(ValueError, match="was not written by `adu pretrain`"):
        load_clip(str(path))
    (tmp_path / "other.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"other.json is missing"):
        load_clip(str(path))


def test_the_contrastive_loss_by_hand():
    eye = torch.eye(3)
    scale = torch.tensor(2.0)
    wanted = -math.log(math.exp(2) / (math.exp(2) + 2))
    assert pretraining.contrastive(eye, eye, scale).item() == pytest.approx(wanted, abs=1e-6)
    mixed = pretraining.contrastive(eye, eye.roll(1, 0), scale)
    assert mixed.item() == pytest.approx(wanted + 2, abs=1e-6)


def test_warm_up_then_half_a_cosine():
    rates = [pretraining.learning_rate(step, 1000) for step in range(1000)]
    top = rates.index(max(rates))
    assert rates[top] == pretraining.PEAK_RATE
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)
    assert 0 < rates[-1] < 1e-6 < rates[0]


def test_twice_as_wide_is_twice_as_wide_in_every_tower(pictures, unbroken, tmp_path):
    """And so it comes back from its file."""
    path, size = tmp_path / "wide.safetensors", {"width": 2, "depth": 3}
    wide = pretraining.pretrain(pictures, pictures, path, epochs=1, progress=False, **size)
    assert wide.width == 2 * unbroken.width
    assert (len(wide.blocks), len(unbroken.blocks)) == (3, 6)
    assert wide.text_width == 2 * unbroken.text_width
    assert wide.feature_size == 2 * unbroken.feature_size
    assert wide.heads == 2 * unbroken.heads, "each head stays as wide as it was"
