import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from adu_core import MINI, Adapter, FrozenCLIP, Splits, fit
from adu_core.clip.load import build, mini_config


@pytest.fixture(scope="module")
def adapter(tiny_clip: FrozenCLIP, few: Splits) -> Adapter:
    settings = replace(MINI, epochs=2, text_tokens=2, learning_rate=0.05)
    return fit(tiny_clip, few.shots, ["sketch", "real"], settings, progress=False)[0]


def test_saved_and_loaded_it_says_the_same(
    adapter: Adapter, tiny_clip: FrozenCLIP, few: Splits, tmp_path: Path
) -> None:
    adapter.save(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["adapter.json", "adapter.safetensors"]
    loaded = Adapter.load(tmp_path, tiny_clip, few.shots.class_names)
    assert loaded.settings == adapter.settings
    assert loaded.forget == ("sketch", "real")
    with torch.inference_mode():
        before, after = (a.logits(a(few.test.pictures)) for a in (adapter, loaded))
    assert torch.equal(before, after)


def test_the_wrong_clip_or_classes_are_refused(
    adapter: Adapter, tiny_clip: FrozenCLIP, tmp_path: Path
) -> None:
    adapter.save(tmp_path)
    other = FrozenCLIP(build(mini_config(60), "adu-mini"), tiny_clip.tokenizer, "another")
    with pytest.raises(ValueError, match=f"{tiny_clip.fingerprint}, not for 'another'"):
        Adapter.load(tmp_path, other)
    names = list(adapter.class_names)
    with pytest.raises(ValueError, match=r"lacks \['zebra'\] and knows \['fish'\]"):
        Adapter.load(tmp_path, tiny_clip, [*names[:3], "zebra"])
    with pytest.raises(ValueError, match="only the order differs"):
        Adapter.load(tmp_path, tiny_clip, names[::-1])


def test_broken_files_are_named(adapter: Adapter, tiny_clip: FrozenCLIP, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"adapter\.json is missing"):
        Adapter.load(tmp_path, tiny_clip)
    adapter.save(tmp_path)
    weights, about = tmp_path / "adapter.safetensors", tmp_path / "adapter.json"
    whole, text = weights.read_bytes(), about.read_text()
    weights.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="not a whole safetensors file"):
        Adapter.load(tmp_path, tiny_clip)
    weights.write_bytes(whole)
    for change, message in (
        ({"schema": 99}, "schema 99"),
        ({"settings": {**json.loads(text)["settings"], "magic": 1}}, "unknown settings"),
        ({"settings": {**json.loads(text)["settings"], "prompt_tokens": 3}}, "does not fit"),
    ):
        about.write_text(json.dumps({**json.loads(text), **change}))
        with pytest.raises(ValueError, match=message):
            Adapter.load(tmp_path, tiny_clip)
    about.write_text("{}")
    with pytest.raises(ValueError, match="does not describe an adapter"):
        Adapter.load(tmp_path, tiny_clip)


def test_zero_shot_has_no_adapter(tiny_clip: FrozenCLIP) -> None:
    with pytest.raises(ValueError, match="learns nothing"):
        Adapter(tiny_clip, ["a"], ["x", "y"], ["x"], replace(MINI, method="zero-shot"))
