"""Files of weights: what loads, and what is told in one line whatever else a file is."""

import json
import os
import struct
import time
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import open_clip
import pytest
import torch
from open_clip import factory
from safetensors.torch import save_file
from torch import Tensor

from adu_core import load_clip
from adu_core.cli import main
from adu_core.clips.grammar import clip_from
from adu_core.clips.load import MINI, build
from adu_core.machine.files import read_json, read_tensors

Weights = dict[str, Tensor]
NAME = "ViT-tiny"
TINY: dict[str, Any] = {
    "embed_dim": 32,
    "vision_cfg": {
        "image_size": 32, "layers": 2, "width": 64, "head_width": 32, "patch_size": 16,
    },
    "text_cfg": {
        "context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2,
    },
}  # fmt: skip


@pytest.fixture(autouse=True)
def _catalogue(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small CLIP of open_clip's own kind among its names, and one twice as fine."""
    more = {NAME: deepcopy(TINY), "ViT-tiny-64": larger("image_size", 64)}
    monkeypatch.setattr(factory, "_MODEL_CONFIGS", {**factory._MODEL_CONFIGS, **more})


def larger(key: str, value: int) -> dict[str, Any]:
    config = deepcopy(TINY)
    config["vision_cfg"][key] = value
    return config


@pytest.fixture(scope="module")
def weights() -> Weights:
    torch.manual_seed(0)
    state = build(TINY, "adu-tiny").state_dict()
    return {key: value.clone().contiguous() for key, value in state.items()}


def kept(weights: Weights, path: Path) -> str:
    save_file(weights, path)
    return str(path)


RIGHT: dict[str, Callable[[Weights], Weights]] = {
    "as they are": dict,
    "float16": lambda w: {k: v.half() for k, v in w.items()},
    "bfloat16": lambda w: {k: v.bfloat16() for k, v in w.items()},
    "float64": lambda w: {k: v.double() for k, v in w.items()},
    "of parallel training": lambda w: {f"module.{k}": v for k, v in w.items()},
    "a scale of one dimension": lambda w: w | {"logit_scale": w["logit_scale"][None]},
}


@pytest.mark.parametrize("kind", RIGHT)
def test_weights_of_a_file_are_those_of_the_model(
    kind: str, weights: Weights, tmp_path: Path
) -> None:
    clip = load_clip(NAME, kept(RIGHT[kind](weights), tmp_path / "w.safetensors"))
    for key, value in clip.model.state_dict().items():
        assert value.dtype == torch.float32
        torch.testing.assert_close(value, weights[key], rtol=0.01, atol=1e-3)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (NAME, rf"trained without QuickGELU \(if not, use {NAME}-quickgelu\)"),
        (f"{NAME}-quickgelu", rf"trained with QuickGELU \(if not, use {NAME}\)"),
    ],
)
def test_weights_of_a_file_may_have_another_activation(
    name: str, said: str, weights: Weights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick_gelu = deepcopy(TINY) | {"quick_gelu": True}
    monkeypatch.setitem(factory._MODEL_CONFIGS, f"{NAME}-quickgelu", quick_gelu)
    path = kept(weights, tmp_path / "w.safetensors")
    with pytest.warns(UserWarning, match=said) as caught:
        load_clip(name, path)
    assert len(caught) == 1
    assert path in str(caught[0].message)
    assert caught[0].filename == __file__


def test_the_command_line_takes_them_from_the_users_folder(
    weights: Weights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    kept(weights, tmp_path / "w.safetensors")
    words = ["run", "--clip", f"{NAME}:~/w.safetensors", "--method", "nullspace", "--limit", "1"]
    assert main([*words, "--shots", "1", "--json", str(tmp_path / "r.json")]) == 0
    used = read_json(tmp_path / "r.json")["config"]["clip"]
    assert used == {"name": NAME, "pretrained": str(tmp_path / "w.safetensors")}


def spoiled(key: str, number: float) -> Callable[[Weights], Weights]:
    def spoil(weights: Weights) -> Weights:
        value = weights[key].clone()
        value.view(-1)[0] = number
        return weights | {key: value}

    return spoil


def prefixed(prefix: str) -> Callable[[Weights], Weights]:
    return lambda w: {f"{prefix}{k}": v for k, v in w.items()}


def seen(weights: Weights, start: str = "visual.") -> Weights:
    return {start + k[7:]: v for k, v in weights.items() if k.startswith("visual.")}


def of_transformers(weights: Weights) -> Weights:
    layer = "vision_model.encoder.layers.0.self_attn.q_proj.weight"
    return {layer: torch.ones(2), "text_model.final_layer_norm.bias": torch.ones(2)}


def wider(_: Weights) -> Weights:
    state = build(larger("width", 96), "adu-wider").state_dict()
    return {key: value.clone() for key, value in state.items()}


def finer(_: Weights) -> Weights:
    state = build(larger("image_size", 64), "adu-finer").state_dict()
    return {key: value.half() for key, value in state.items()}


#: Tensors that are not this model's weights, and what is said of them.
WRONG: dict[str, tuple[Callable[[Weights], Weights], str]] = {
    "transformers": (of_transformers, "transformers' CLIP"),
    "SigLIP of transformers": (
        lambda w: of_transformers(w) | {"logit_bias": torch.ones(1)}, "transformers' SigLIP"
    ),
    "state_dict.": (prefixed("state_dict."), "begin with 'state_dict.': save it without"),
    "model.": (prefixed("model."), "begin with 'model.'"),
    "two prefixes": (prefixed("module.clip.model."), "begin with 'clip.model.'"),
    "no text tower": (seen, "vision tower alone"),
    "a bare vision tower": (lambda w: seen(w, ""), "vision tower alone, not named 'visual.'"),
    "LoRA": (lambda _: {"base.visual.lora_A.weight": torch.ones(2)}, "a LoRA"),
    "LoRA beside": (
        lambda w: seen(w) | {"visual.proj.lora_up.weight": torch.ones(2)}, "a LoRA"
    ),
    "ResNet": (lambda _: {"visual.layer1.0.conv1.weight": torch.ones(2)}, "a ResNet"),
    "timm": (lambda _: {"patch_embed.proj.weight": torch.ones(2)}, "a ViT of timm"),
    "SigLIP": (
        lambda _: {"visual.trunk.norm.weight": torch.ones(2), "logit_bias": torch.ones(1)},
        "a SigLIP: say which",
    ),
    "nothing": (lambda _: {}, "holds no tensors"),
    "one missing": (lambda w: {k: v for k, v in w.items() if k != "logit_scale"}, "it lacks logit"),
    "many besides": (
        lambda w: w | {f"extra.{i}": torch.ones(1) for i in range(900)}, "and 897 more"
    ),
    "others": (lambda _: {"a": torch.ones(1)}, "it has besides a"),
    "wider": (wider, "are of another CLIP, say whose"),
    "finer, in float16": (finer, "of another CLIP, as large as ViT-tiny-64"),
    "no numbers": (
        lambda w: w | {"visual.proj": torch.ones(0, 32)}, "visual.proj is 0×32, not 64×32"
    ),
    "whole numbers": (lambda w: {k: v.to(torch.int8) for k, v in w.items()}, "holds I8"),
    "truths": (lambda w: {k: v > 0 for k, v in w.items()}, "holds BOOL"),
    "NaN": (spoiled("visual.proj", float("nan")), "visual.proj holds a number that is not fin"),
    "infinite": (spoiled("ln_final.bias", float("-inf")), "ln_final.bias holds a number"),
    "too large for float32": (
        lambda w: w | {"visual.proj": torch.full((64, 32), 1e300, dtype=torch.float64)},
        "visual.proj holds a number",
    ),
    "too large": (spoiled("visual.proj", 1e38), "give no feature"),
    "zeros": (lambda w: {k: v * 0 for k, v in w.items()}, "give no feature"),
    "a scale, not its logarithm": (spoiled("logit_scale", 100), "must be the logarithm"),
    "of adu pretrain": (lambda _: read_tensors(MINI)[0], "give its path alone"),
}  # fmt: skip


def one_line(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """What a command that cannot be done says."""
    capsys.readouterr()
    assert main(words) == 2
    said = capsys.readouterr()
    assert not said.out
    assert len(said.err.strip().splitlines()) == 1, said.err
    assert len(said.err) < 600, said.err
    return said.err


@pytest.mark.parametrize("kind", WRONG)
def test_other_tensors_are_told_in_one_line(
    kind: str, weights: Weights, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make, said = WRONG[kind]
    path = kept(make(weights), tmp_path / "w.safetensors")
    error = one_line(["run", "--clip", f"{NAME}:{path}"], capsys)
    assert path in error
    assert said in error


def header(shape: list[int], kind: str = "F32", size: int = 8) -> bytes:
    entry = {"logit_scale": {"dtype": kind, "shape": shape, "data_offsets": [0, size]}}
    text = json.dumps(entry).encode()
    return struct.pack("<Q", len(text)) + text


#: Bytes that are no safetensors, and what is said of them.
OTHERS: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "but empty: fetch or copy it again"),
    "zeros": (bytes(5000), "holds zeros alone"),
    "git-lfs": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
    "zip": (b"PK\x03\x04archive/data.pkl", "but a pickle"),
    "pickle": (b"\x80\x02}q\x00.", "but a pickle"),
    "page": (b"<!DOCTYPE html>\n<html>", "but a web page"),
    "page with blanks": (b"\xef\xbb\xbf\r\n  <html>", "but a web page"),
    "answer of the hub": (b"Entry not found", "but the text 'Entry not found'"),
    "HDF5": (b"\x89HDF\r\n\x1a\n", "HDF5"),
    "numpy": (b"\x93NUMPY\x01\x00", "an array of numpy"),
    "packed": (b"\x1f\x8b\x08\x00", "packed by gzip"),
    "GGUF": (b"GGUF\x03\x00", "GGUF"),
    "cut off in the header": (header([2])[:30], "cut off or damaged"),
    "cut off in the numbers": (header([2]) + bytes(7), "cut off or damaged"),
    "too long": (header([2]) + bytes(9), "cut off or damaged"),
    "impossible shape": (header([2**40, 2**40]) + bytes(8), "cut off or damaged"),
    "unknown numbers": (header([2], "X9") + bytes(8), "cut off or damaged"),
    "noise": (bytes(range(128, 256)), "not a whole safetensors file"),
}


@pytest.mark.parametrize("named", [NAME, ""], ids=["named", "alone"])
@pytest.mark.parametrize("kind", OTHERS)
def test_a_file_that_is_no_safetensors_says_what_it_is(
    kind: str, named: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "w.safetensors"
    path.write_bytes(OTHERS[kind][0])
    error = one_line(["run", "--clip", f"{named}:{path}".lstrip(":")], capsys)
    assert str(path) in error
    assert OTHERS[kind][1] in error


def test_what_is_no_file_or_may_not_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    folder, pickle, secret = (tmp_path / f"{name}.safetensors" for name in ("d", "p", "s"))
    folder.mkdir()
    secret.write_bytes(b"x")
    secret.chmod(0)
    pickle.with_suffix(".pt").write_bytes(b"PK\x03\x04")
    wanted = {
        f"{NAME}:{folder}": "is a folder: name a file in it",
        str(folder): "is a folder: name a file in it",
        f"{NAME}:{pickle.with_suffix('.pt')}": "may be a pickle",
        str(pickle.with_suffix(".pt")): f"ViT-B-16-quickgelu:{pickle}",
        str(tmp_path): "it is a folder",
        f"{NAME}:nosuch/w.safetensors": f"is missing in {tmp_path}: say with --clip where it is",
        "nosuch.safetensors": f"is missing in {tmp_path}: say with --clip where it is",
    }
    if os.name == "posix" and os.geteuid() != 0:  # root may read everything
        wanted[str(secret)] = "may not be read"
    for clip, said in wanted.items():
        assert said in one_line(["run", "--clip", clip], capsys)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (dict, "say whose: --clip ViT-tiny:"),
        (wider, "say whose: --clip ViT-B-16-quickgelu:"),
        (of_transformers, "transformers' CLIP"),
        (prefixed("model."), "begin with 'model.'"),
        (seen, "vision tower alone"),
    ],
    ids=["fits a name", "fits none", "transformers", "prefix", "no text tower"],
)
def test_weights_without_a_name_are_asked_for_it(
    make: Callable[[Weights], Weights],
    said: str,
    weights: Weights,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = kept(make(weights), tmp_path / "w.safetensors")
    assert said in one_line(["run", "--clip", path], capsys)


def changed(change: Callable[[Weights, dict[str, Any]], None], path: Path) -> str:
    """A copy of the shipped CLIP with something changed in its tensors or its record."""
    tensors, record = read_tensors(MINI)[0], read_json(MINI.with_suffix(".json"))
    change(tensors, record)
    path.with_suffix(".json").write_text(json.dumps(record))
    return kept(tensors, path)


@pytest.mark.parametrize(
    "change",
    [
        lambda _, r: r.update(model=[]),
        lambda _, r: r.update(model={"embed_dim": 64}),
        lambda _, r: r["model"].update(embed_dim="64"),
        lambda _, r: r["model"].update(magic=1),
        lambda _, r: r["model"]["vision_cfg"].update(width=32),
        lambda _, r: r["model"]["vision_cfg"].update(patch_size=0),
        lambda _, r: r["model"]["text_cfg"].update(vocab_size=10),
        lambda w, _: w.pop("token_embedding.weight"),
        lambda w, _: w.pop("visual.proj"),
        lambda w, _: w.update(token_rows=w["token_rows"] + 10**6),
        lambda w, _: w.update(token_rows=w["token_rows"][:5]),
        lambda w, _: w.update(other=torch.ones(1)),
    ],
)
def test_a_small_clip_that_does_not_fit_its_record_is_refused(
    change: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = changed(change, tmp_path / "w.safetensors")
    assert "are not of one CLIP: make them anew" in one_line(["run", "--clip", path], capsys)


# Names of the hub, and a hub that is not to be reached.


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("openai/clip-vit-base-patch16", "ViT-B-16-quickgelu:openai"),
        ("https://huggingface.co/openai/clip-vit-large-patch14", "ViT-L-14-quickgelu:openai"),
        ("hf-hub:laion/CLIP-ViT-B-32-laion2B-s34B-b79K", "ViT-B-32:laion2b_s34b_b79k"),
        ("timm/vit_base_patch16_clip_224.openai", "ViT-B-16-quickgelu:openai"),
        ("someone/else", "ViT-B-16:FILE.safetensors"),
        ("clips/weights.pt", "ViT-B-16-quickgelu:clips/weights.safetensors"),
        ("", "as ViT-B-16-quickgelu:openai"),
    ],
)
def test_a_name_of_the_hub_is_told_as_it_is_said_here(text: str, said: str) -> None:
    with pytest.raises(ValueError, match="--clip") as caught:
        clip_from(text)
    assert said in str(caught.value)
    for word in str(caught.value).split():  # and what is proposed is understood
        if word.startswith("ViT-") and ":" in word:
            name, _ = clip_from(word.rstrip(","))
            assert name in open_clip.list_models()


def test_a_name_that_is_not_open_clips_is_told_its_neighbours() -> None:
    with pytest.raises(ValueError, match="near it are ViT-B-16-quickgelu, ") as caught:
        load_clip("ViT-B16-quickgelu", "openai")
    assert len(str(caught.value)) < 300


def test_a_hub_that_is_not_to_be_reached_is_said_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    started = time.perf_counter()
    error = one_line(["run", "--clip", "ViT-B-16-quickgelu:openai"], capsys)
    assert time.perf_counter() - started < 15
    assert "http://127.0.0.1:9 cannot be reached" in error
    assert "ViT-B-16-quickgelu:FILE.safetensors" in error


def test_a_missing_reference_is_asked_for_by_its_own_option(
    tiny_path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["run", "--clip", tiny_path, "--shots", "1", "--limit", "1", "--method", "nullspace"]
    assert main([*words, "--save", "saved"]) == 0
    for option in ("--clip", "--reference"):
        capsys.readouterr()
        assert main(["audit", "saved", option, "nosuch.safetensors"]) == 2
        assert f"say with {option} where it is" in capsys.readouterr().err
