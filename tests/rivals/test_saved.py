import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from adu_core import MINI, Adapter, FrozenCLIP, Splits, fit, load_model, save_model
from adu_core.cli import main
from adu_core.clips.load import build, frozen, mini_config
from adu_core.machine.files import write_tensors


@pytest.fixture(scope="module")
def adapter(tiny_clip: FrozenCLIP, few: Splits) -> Adapter:
    settings = replace(MINI, epochs=2, text_tokens=2, learning_rate=0.05)
    return fit(tiny_clip, few.shots, ["sketch", "real"], settings, progress=False)[0]


def test_saved_and_loaded_it_says_the_same(
    adapter: Adapter, tiny_clip: FrozenCLIP, few: Splits, tmp_path: Path
) -> None:
    save_model(adapter, tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["adapter.json", "adapter.safetensors"]
    loaded = load_model(tmp_path, tiny_clip, few.shots.class_names)
    assert loaded.method == adapter.method
    assert loaded.forget == ("sketch", "real")
    with torch.inference_mode():
        before, after = (a.logits(a(few.test.pictures)) for a in (adapter, loaded))
    assert torch.equal(before, after)


def test_the_wrong_clip_or_classes_are_refused(
    adapter: Adapter, tiny_clip: FrozenCLIP, tmp_path: Path
) -> None:
    save_model(adapter, tmp_path)
    other = frozen(build(mini_config(60), "adu-mini"), tiny_clip.tokenizer, "another")
    with pytest.raises(ValueError, match=f"{tiny_clip.fingerprint}, not for 'another'"):
        load_model(tmp_path, other)
    names = list(adapter.class_names)
    with pytest.raises(ValueError, match=r"lacks \['zebra'\] and knows \['fish'\]"):
        load_model(tmp_path, tiny_clip, [*names[:3], "zebra"])
    with pytest.raises(ValueError, match="only the order differs"):
        load_model(tmp_path, tiny_clip, names[::-1])


def with_settings(method: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {**method, "settings": {**method["settings"], **changes}}


def test_broken_files_are_named(adapter: Adapter, tiny_clip: FrozenCLIP, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"adapter\.json is missing"):
        load_model(tmp_path, tiny_clip)
    save_model(adapter, tmp_path)
    weights, about = tmp_path / "adapter.safetensors", tmp_path / "adapter.json"
    whole, text = weights.read_bytes(), about.read_text()
    weights.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="not a whole safetensors file"):
        load_model(tmp_path, tiny_clip)
    weights.write_bytes(whole)
    method = json.loads(text)["method"]
    for change, message in (
        ({"schema": 99}, "schema 99"),
        ({"method": with_settings(method, magic=1)}, "unknown settings"),
        ({"method": with_settings(method, prompt_tokens=3)}, "does not fit"),
    ):
        about.write_text(json.dumps({**json.loads(text), **change}))
        with pytest.raises(ValueError, match=message):
            load_model(tmp_path, tiny_clip)
    about.write_text("{}")
    with pytest.raises(ValueError, match="does not describe an adapter"):
        load_model(tmp_path, tiny_clip)


def test_weights_that_are_no_numbers_are_refused(
    adapter: Adapter, tiny_clip: FrozenCLIP, tmp_path: Path
) -> None:
    save_model(adapter, tmp_path)
    weights = adapter.state_dict()
    last = list(weights)[-1]
    for wrong in (float("nan"), float("inf"), float("-inf")):
        spoilt = weights[last].clone()
        spoilt.view(-1)[-1] = wrong
        write_tensors(tmp_path / "adapter.safetensors", {**weights, last: spoilt})
        with pytest.raises(ValueError, match=rf"safetensors: {last} holds a number that is not"):
            load_model(tmp_path, tiny_clip)


def at(*keys: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(found: dict[str, Any]) -> None:
        for key in keys[:-1]:
            found = found[key]
        found[keys[-1]] = value

    return change


@pytest.mark.parametrize(
    "tamper",
    [
        at("schema", value="2"),
        at("schema", value=None),
        at("schema", value=[]),
        at("clip", value="mini"),
        at("clip", value=[]),
        at("clip", "name", value=3),
        at("clip", "pretrained", value=None),
        at("clip", "fingerprint", value=["0"]),
        at("classes", value="car"),
        at("classes", value=[]),
        at("classes", value=[1, 2, 3, 4]),
        at("classes", value=[["car"], ["house"]]),
        at("classes", value=["car", "car"]),
        at("classes", value={"car": 1}),
        at("classes", value=["car", ""]),
        at("domains", value=None),
        at("domains", value=[0, 1, 2, 3]),
        at("domains", value=["real", "sketch", "real"]),
        at("forget", value="sketch"),
        at("forget", value=["sketch"]),
        at("forget", "domains", value="sketch"),
        at("forget", "domains", value=[]),
        at("forget", "domains", value=["sketch", "sketch"]),
        at("forget", "domains", value=["moon"]),
        at("forget", "domains", value=[3]),
        at("forget", "classes", value=["moon"]),
        at("method", value="full"),
        at("method", value={}),
        at("method", "name", value=[]),
        at("method", "name", value=3),
        at("method", "name", value="magic"),
        at("method", "name", value="baseline"),
        at("method", "settings", value={}),
        at("method", "settings", value=[]),
        at("method", "settings", value=None),
        at("method", "settings", "prompt_tokens", value="8"),
        at("method", "settings", "prompt_tokens", value=8.0),
        at("method", "settings", "prompt_tokens", value=True),
        at("method", "settings", "prompt_tokens", value=100_000),
        at("method", "settings", "prompt_tokens", value=-1),
        at("method", "settings", "momentum", value=7),
        at("method", "settings", "prompt_std", value=-1),
        at("method", "settings", "warmup_rate", value=-1),
        at("method", "settings", "bandwidths", value=[-1.0]),
        at("method", "settings", "bandwidths", value=1.0),
        at("method", "settings", "bandwidths", value=[]),
        at("method", "settings", "instapg", value="yes"),
        at("method", "settings", "instapg_wiring", value="zzz"),
        at("method", "settings", "instapg_wiring", value={}),
        at("method", "settings", "instapg_block", value=100),
        at("method", "settings", "precision", value=16),
    ],
)
def test_right_keys_and_wrong_values_are_refused(
    tamper: Callable[[dict[str, Any]], None],
    adapter: Adapter,
    tiny_clip: FrozenCLIP,
    tmp_path: Path,
) -> None:
    save_model(adapter, tmp_path)
    about = json.loads((tmp_path / "adapter.json").read_text())
    tamper(about)
    (tmp_path / "adapter.json").write_text(json.dumps(about))
    with pytest.raises(ValueError, match=re.escape(str(tmp_path))):
        load_model(tmp_path, tiny_clip)
    picture = tmp_path / "picture.png"
    Image.new("L", (60, 60)).save(picture)
    clip = str(tiny_clip.name)
    assert main(["predict", "--adapter", str(tmp_path), "--clip", clip, str(picture)]) == 2


def test_tensors_of_another_model_are_refused(
    adapter: Adapter, tiny_clip: FrozenCLIP, tmp_path: Path
) -> None:
    save_model(adapter, tmp_path)
    tensors = {key: value.clone() for key, value in adapter.state_dict().items()}
    key = "vision.tokens"
    for wrong in (
        {k: v for k, v in tensors.items() if k != key},
        tensors | {"magic": torch.zeros(1)},
        tensors | {key: tensors[key][:, :3]},
        {},
    ):
        write_tensors(tmp_path / "adapter.safetensors", wrong)
        with pytest.raises(ValueError, match="does not fit its JSON"):
            load_model(tmp_path, tiny_clip)
