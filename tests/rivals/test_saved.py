import json
import re
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


#: Where in adapter.json, and what must not stand there.
WRONG: list[tuple[str, list[Any]]] = [
    ("schema", ["2", None, []]),
    ("clip", ["mini", []]),
    ("clip.name", [3]),
    ("clip.pretrained", [None]),
    ("clip.fingerprint", [["0"]]),
    ("classes", ["car", [], [1, 2, 3, 4], [["car"], ["house"]], ["car", "car"], {"car": 1}]),
    ("classes", [["car", ""]]),
    ("domains", [None, [0, 1, 2, 3], ["real", "sketch", "real"]]),
    ("forget", ["sketch", ["sketch"]]),
    ("forget.domains", ["sketch", [], ["sketch", "sketch"], ["moon"], [3]]),
    ("forget.classes", [["moon"]]),
    ("method", ["full", {}]),
    ("method.name", [[], 3, "magic", "baseline"]),
    ("method.settings", [{}, [], None]),
    ("method.settings.prompt_tokens", ["8", 8.0, True, 100_000, -1]),
    ("method.settings.momentum", [7]),
    ("method.settings.prompt_std", [-1]),
    ("method.settings.warmup_rate", [-1]),
    ("method.settings.bandwidths", [[-1.0], 1.0, []]),
    ("method.settings.instapg", ["yes"]),
    ("method.settings.instapg_wiring", ["zzz", {}]),
    ("method.settings.instapg_block", [100]),
    ("method.settings.precision", [16]),
]


@pytest.mark.parametrize(("place", "values"), WRONG)
def test_right_keys_and_wrong_values_are_refused(
    place: str, values: list[Any], adapter: Adapter, tiny_clip: FrozenCLIP, tmp_path: Path
) -> None:
    save_model(adapter, tmp_path)
    path, picture = tmp_path / "adapter.json", tmp_path / "picture.png"
    text = path.read_text()
    Image.new("L", (60, 60)).save(picture)
    for value in values:
        about = part = json.loads(text)
        *parents, last = place.split(".")
        for key in parents:
            part = part[key]
        part[last] = value
        path.write_text(json.dumps(about))
        with pytest.raises(ValueError, match=re.escape(str(tmp_path))):
            load_model(tmp_path, tiny_clip)
        words = ["predict", "--adapter", str(tmp_path), "--clip", tiny_clip.name, str(picture)]
        assert main(words) == 2


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
