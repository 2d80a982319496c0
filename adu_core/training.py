"""The one training loop of the book."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from adu_core.adapter import Adapter
from adu_core.augment import random_crop_and_flip
from adu_core.clip import FrozenCLIP
from adu_core.data.dataset import DomainDataset, batch_indices
from adu_core.evaluation import accuracies
from adu_core.files import read_tensors, write_tensors
from adu_core.methods import Settings, objective
from adu_core.metrics import mem_for_h

#: One entry per epoch: the mean of each loss, and Mem, For, H if there were validation pictures.
History = list[dict[str, float]]


def learning_rate(epoch: int, settings: Settings) -> float:
    """One warm-up epoch at ``warmup_rate``, then half a cosine from ``learning_rate`` towards 0."""
    if epoch == 0 and settings.epochs > 1:
        return settings.warmup_rate
    return settings.learning_rate * (1 + math.cos(math.pi * epoch / settings.epochs)) / 2


def fit(
    clip: FrozenCLIP,
    shots: DomainDataset,
    forget: Sequence[str],
    settings: Settings,
    *,
    seed: int = 0,
    validation: DomainDataset | None = None,
    checkpoint: str | Path | None = None,
    progress: bool = True,
    after_epoch: Callable[[int, Adapter], None] | None = None,
) -> tuple[Adapter, History]:
    """Unlearn: teach prompts to forget the domains ``forget`` and to memorize the others.

    shots:       the few training pictures, of every domain
    validation:  if given, Mem, For and H on it enter the history after every epoch
    checkpoint:  a file written after every epoch; if it is there at the start, training goes on
                 from it and ends as if it had never stopped, and it is removed at the end
    after_epoch: called with the number of epochs done and the adapter as it is

    Raises ``ValueError`` if all domains are to be forgotten or none, or if ``checkpoint`` is
    another run's. The same seed gives the same bits on the same machine.
    """
    device = clip.device
    forgotten = shots.forgotten(forget).to(device)
    forget = [shots.domain_names[shots.domain_index(name)] for name in forget]
    adapter = Adapter(clip, shots.class_names, shots.domain_names, forget, settings, seed)
    learned = list(adapter.parameters())
    optimizer = torch.optim.SGD(
        learned, lr=0.0, momentum=settings.momentum, weight_decay=settings.weight_decay
    )
    pictures, labels, domains = (
        x.to(device) for x in (shots.pictures, shots.labels, shots.domains)
    )
    run = {
        "settings": asdict(settings),
        "seed": seed,
        "forget": list(forget),
        "shots": shots.fingerprint(),
        "clip": clip.fingerprint,
    }
    history = _resume(checkpoint, run, adapter, optimizer) if checkpoint else []

    epochs = range(len(history), settings.epochs)
    for epoch in (bar := tqdm(epochs, settings.method, disable=not progress, leave=False)):
        # Every epoch draws from its own stream, so an interrupted run can go on at any epoch.
        generator = torch.Generator().manual_seed(seed * 100_003 + epoch)
        optimizer.param_groups[0]["lr"] = learning_rate(epoch, settings)
        sums: Tensor | float = 0.0
        for index in batch_indices(
            shots.domains, settings.batch_size, generator, settings.balanced
        ):
            batch = random_crop_and_flip(
                clip.normalise(pictures[index]), generator, crop=settings.crop, flip=settings.flip
            )
            with torch.autocast(
                device.type, torch.bfloat16, enabled=settings.precision == "bfloat16"
            ):
                features = adapter(batch)
                classifier = adapter.domain_classifier
                losses = objective(
                    settings,
                    features=features,
                    logits=adapter.logits(features),
                    domain_logits=None if classifier is None else classifier(features),
                    labels=labels[index],
                    domains=domains[index],
                    forgotten=forgotten[index],
                )
            optimizer.zero_grad()
            losses.total.backward()
            optimizer.step()
            sums = sums + torch.stack(losses).detach() * len(index)

        means = (torch.as_tensor(sums) / len(shots)).tolist()
        entry = dict(zip(losses._fields, means, strict=True))
        if not math.isfinite(entry["total"]):
            raise FloatingPointError(
                f"the loss became {entry['total']} in epoch {epoch + 1}: lower the learning rate, "
                f"gamma or lam (now {settings.learning_rate}, {settings.gamma}, {settings.lam})"
            )
        if validation is not None:
            entry |= mem_for_h(accuracies(clip, validation, adapter), adapter.forget)
        history.append(entry)
        bar.set_postfix({name: f"{value:.2f}" for name, value in entry.items()})
        if checkpoint:
            _store(checkpoint, run, adapter, optimizer, history)
        if after_epoch:
            after_epoch(epoch + 1, adapter)
    if checkpoint:
        Path(checkpoint).unlink(missing_ok=True)
    return adapter.eval(), history


def _store(
    path: str | Path,
    run: dict[str, Any],
    adapter: Adapter,
    optimizer: torch.optim.Optimizer,
    history: History,
) -> None:
    """Everything that training goes on from, in one file that is never half written."""
    tensors = {f"adapter.{key}": value for key, value in adapter.state_dict().items()}
    for name, parameter in adapter.named_parameters():
        momentum = optimizer.state[parameter].get("momentum_buffer")
        if momentum is not None:
            tensors[f"momentum.{name}"] = momentum
    write_tensors(path, tensors, {"run": run, "history": history})


def _resume(
    path: str | Path, run: dict[str, Any], adapter: Adapter, optimizer: torch.optim.Optimizer
) -> History:
    """Fill adapter and optimizer from ``path`` if it exists; the history so far."""
    if not Path(path).exists():
        return []
    tensors, about = read_tensors(path)
    stored = about.get("run", {})
    # Through JSON and back, tuples are lists: compare what was written with what would be.
    differing = [key for key in run if _plain(run[key]) != stored.get(key)]
    if differing:
        raise ValueError(
            f"{path} belongs to another run ({', '.join(differing)} differ): "
            "remove it to start anew, or give another file"
        )
    adapter.load_state_dict(
        {k.removeprefix("adapter."): v for k, v in tensors.items() if k.startswith("adapter.")}
    )
    for name, parameter in adapter.named_parameters():
        momentum = tensors.get(f"momentum.{name}")
        if momentum is not None:
            optimizer.state[parameter]["momentum_buffer"] = momentum.to(parameter.device)
    history: History = about["history"]
    return history


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return list(value) if isinstance(value, tuple) else value
