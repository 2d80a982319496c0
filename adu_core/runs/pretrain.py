"""Trains a small CLIP on pictures and captions, with CLIP's contrastive loss."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from open_clip.model import resize_pos_embed
from torch import Tensor
from tqdm import tqdm

from adu_core.clip import FrozenCLIP
from adu_core.clips.load import build, frozen, load_clip, mini_config, save_clip
from adu_core.data.captioning import captions
from adu_core.dataset import DomainDataset
from adu_core.loop import batch_indices, random_crop_and_flip
from adu_core.machine.files import write_json
from adu_core.machine.provenance import provenance
from adu_core.measure import accuracies
from adu_core.runs.checkpoint import Checkpoint

BATCH_SIZE = 128
PEAK_RATE = 1e-3
WARMUP_STEPS = 200
WEIGHT_DECAY = 0.05
CROP = 0.8


def pretrain(
    pictures: DomainDataset,
    validation: DomainDataset,
    path: str | Path,
    *,
    epochs: int,
    seed: int = 0,
    width: int = 1,
    depth: int = 6,
    start: FrozenCLIP | None = None,
    device: str = "cpu",
    about: Mapping[str, Any] | None = None,
    progress: bool = True,
) -> FrozenCLIP:
    """Train on ``pictures``, write the CLIP to ``path`` (``….safetensors``) and return it.

    Contrastive loss over batches of pictures and captions drawn anew every epoch; AdamW with
    warm-up and cosine. Beside ``path`` stands its training record, with the zero-shot accuracy on
    ``validation``. ``width`` is a multiple of the mini CLIP's, ``depth`` how many vision blocks
    there are. ``start`` is a small CLIP whose weights training begins with: from few pictures it
    learns more that way. After every epoch the state is kept in ``….partial.safetensors``; the
    same call goes on from there after an interruption. ``about`` says in the record what the data
    is.
    """
    path, started = Path(path), time.perf_counter()
    checkpoint = Checkpoint(path.with_suffix(".partial.safetensors"))
    config = mini_config(pictures.picture_size, width=width, depth=depth)
    torch.manual_seed(seed)  # open_clip draws a new model's weights from the global generator
    clip = frozen(build(config, "adu-mini"), None, str(path)).to(device)
    model: Any = clip.model
    if start is not None:
        check_start(start, width, depth)
        weights = start.model.state_dict()
        resize_pos_embed(weights, model)
        model.load_state_dict(weights)

    # Only words of the captions get a row in the table: 49,408 would cost more than the model.
    texts = [captions(pictures, seed=seed * 100_003 + epoch) for epoch in range(epochs)]
    tokens, rows = _tokenize(sorted({text for epoch in texts for text in epoch}))
    number = {text: i for i, text in enumerate(tokens)}
    token_ids = torch.stack(list(tokens.values())).to(device)
    model.token_embedding = torch.nn.Embedding.from_pretrained(
        model.token_embedding.weight[rows.to(device)].clone()
    )
    optimizer = _optimizer(model.requires_grad_(True))
    steps_per_epoch = math.ceil(len(pictures) / BATCH_SIZE)
    run = {"pictures": pictures.fingerprint(), "epochs": epochs, "seed": seed, "model": config}
    if start is not None:
        run["start"] = start.fingerprint
    history = checkpoint.resume(model, optimizer, run)
    step = len(history) * steps_per_epoch
    with tqdm(total=epochs * steps_per_epoch, initial=step, disable=not progress) as bar:
        for epoch in range(len(history), epochs):
            generator = torch.Generator().manual_seed(seed * 100_003 + epoch)
            caption = torch.tensor([number[text] for text in texts[epoch]])
            total = 0.0
            for index in batch_indices(pictures.domains, BATCH_SIZE, generator, balanced=False):
                for group in optimizer.param_groups:
                    group["lr"] = learning_rate(step, epochs * steps_per_epoch)
                batch = random_crop_and_flip(
                    clip.normalise(pictures.pictures[index]), generator, crop=CROP, flip=True
                )
                loss = _step(clip, optimizer, batch, token_ids[caption[index]])
                total += loss * len(index)
                step += 1
                bar.update()
            history.append(total / len(pictures))
            bar.set_postfix(loss=f"{history[-1]:.3f}")
            checkpoint.store(model, optimizer, run, history)

    record = {
        "schema": 1,
        "model": config,
        "data": {**(about or {}), "pictures": len(pictures), "fingerprint": run["pictures"]},
        "training": {
            "epochs": epochs,
            "seed": seed,
            "batch_size": BATCH_SIZE,
            "learning_rate": PEAK_RATE,
            "weight_decay": WEIGHT_DECAY,
            "start": start and {"name": start.name, "fingerprint": start.fingerprint},
            "loss": history,
        },
    }
    save_clip(path, model.state_dict(), rows, record)
    trained = load_clip(str(path), device=device)
    record |= _measured(trained, validation)
    record["provenance"] = provenance(trained.device, started)
    write_json(path.with_suffix(".json"), record)
    checkpoint.path.unlink(missing_ok=True)
    return trained


def check_start(start: FrozenCLIP, width: int, depth: int) -> None:
    """Raise ``ValueError`` if a CLIP of this width and depth cannot begin with ``start``'s weights.

    Pictures may be of another size: where they lie is interpolated.
    """
    narrow = mini_config(start.picture_size)["vision_cfg"]["width"]
    if (start.width, len(start.blocks)) != (width * narrow, depth):
        raise ValueError(
            f"{start.name} has {len(start.blocks)} blocks of width {start.width}, the CLIP to be "
            f"trained {depth} of width {width * narrow}: begin with one that `adu pretrain` made "
            "with the same --width and --depth"
        )


def _optimizer(model: torch.nn.Module) -> torch.optim.Optimizer:
    """AdamW; only matrices decay."""
    matrices = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim <= 1]
    return torch.optim.AdamW(
        [{"params": matrices, "weight_decay": WEIGHT_DECAY}, {"params": others, "weight_decay": 0}],
        lr=PEAK_RATE,
        fused=True,
    )


def _step(
    clip: FrozenCLIP, optimizer: torch.optim.Optimizer, batch: Tensor, tokens: Tensor
) -> float:
    """One step on pictures (B, 3, S, S) and their captions' tokens (B, T): its loss, in nats."""
    model: Any = clip.model
    words = model.encode_text(tokens, normalize=True)
    loss = contrastive(clip.encode_image(batch), words, clip.logit_scale)
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    with torch.no_grad():
        model.logit_scale.clamp_(0, math.log(100))
    return loss.item()


def _measured(clip: FrozenCLIP, validation: DomainDataset) -> dict[str, Any]:
    """What a record says of a CLIP that was trained."""
    accuracy = accuracies(clip, validation)
    return {
        "zero_shot": {"split": "validation", "pictures": len(validation), "accuracy": accuracy},
        "fingerprint": clip.fingerprint,
        "sha256": hashlib.sha256(Path(clip.name).read_bytes()).hexdigest(),
        "logit_scale": clip.logit_scale.item(),
    }


def contrastive(pictures: Tensor, words: Tensor, scale: Tensor) -> Tensor:
    """CLIP's loss: each picture finds its caption among the batch's, each caption its picture.

    pictures, words: (B, E) features of length 1; scale: scalar → scalar, in nats
    """
    logits = scale * pictures @ words.T
    own = torch.arange(len(logits), device=logits.device)
    return (F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own)) / 2


def learning_rate(step: int, steps: int) -> float:
    """Linear warm-up to the peak, then half a cosine to 0."""
    warmup = min(WARMUP_STEPS, max(1, steps // 10))
    if step < warmup:
        return PEAK_RATE * (step + 1) / warmup
    return PEAK_RATE * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup))) / 2


def _tokenize(texts: list[str]) -> tuple[dict[str, Tensor], Tensor]:
    """Each text's tokens, numbered among the tokens in use, and the rows these have in the table.

    The order is kept, so the end token stays the highest, which is how CLIP finds it.
    """
    import open_clip

    tokens = open_clip.get_tokenizer("adu-mini")(texts)
    rows, numbered = tokens.unique(return_inverse=True)
    return dict(zip(texts, numbered, strict=True)), rows
