"""The training loop of all methods with gradient steps."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm import tqdm

from adu_core.dataset import DomainDataset
from adu_core.precision import Precision, tf32
from adu_core.settings import Settings, setting
from adu_core.task import Model

#: One entry per epoch: the mean of each loss.
History = list[dict[str, float]]


@dataclass(frozen=True)
class Steps(Settings):
    """The settings of gradient steps, for all methods that take them.

    What the paper's text, as far as available to us, does not say is marked [choice].
    """

    epochs: int = setting(50, "passes over the shots", least=1, most=10_000)
    batch_size: int = setting(32, "pictures in a step [choice]", least=1, most=4096)
    balanced: bool = setting(True, "every batch holds the domains in equal parts [choice]")
    learning_rate: float = setting(0.0025, "the highest, after one epoch", least=0)
    warmup_rate: float = setting(1e-5, "the learning rate of the first epoch", least=0)
    momentum: float = setting(0.9, "of SGD", least=0, most=0.9999)
    weight_decay: float = setting(5e-4, "of what learns", least=0)
    crop: float = setting(
        0.7, "smallest side of a random crop, a share of the picture's [choice]", above=0, most=1
    )
    flip: bool = setting(True, "mirror every second picture")
    precision: Precision = setting("float32", "of the forward pass; tf32 is for GPUs that have it")

    def sgd(self, learned: Iterable[Any]) -> torch.optim.Optimizer:
        """SGD of parameters, or of groups of them, with these settings; ``train`` sets its rate."""
        return torch.optim.SGD(
            list(learned), lr=0.0, momentum=self.momentum, weight_decay=self.weight_decay
        )


@dataclass(frozen=True)
class Batch:
    """The input of a step: B augmented pictures, normalised (B, 3, S, S), with their labels.

    index: (B,) their positions in the shots; labels, domains (B,); forgotten (B,) bool
    epoch: how many epochs are done
    """

    pictures: Tensor
    index: Tensor
    labels: Tensor
    domains: Tensor
    forgotten: Tensor
    epoch: int


@dataclass
class Loop:
    """Progress, checkpoint and callback of a training; none of them changes what is learned.

    checkpoint:  an ``adu_core.runs.checkpoint.Checkpoint``, written after every epoch; if there is
                 one at the start, training continues from it, with the same result
    after_epoch: called with the number of finished epochs and the model
    """

    progress: bool = True
    checkpoint: Any = None
    after_epoch: Callable[[int, Any], None] | None = None
    history: History = field(default_factory=list)


def learning_rate(epoch: int, steps: Steps) -> float:
    """One warm-up epoch at ``warmup_rate``, then half a cosine from ``learning_rate`` towards 0."""
    if epoch == 0 and steps.epochs > 1:
        return steps.warmup_rate
    return steps.learning_rate * (1 + math.cos(math.pi * epoch / steps.epochs)) / 2


def batch_indices(
    domains: Tensor, batch_size: int, generator: torch.Generator, balanced: bool = True
) -> Iterator[Tensor]:
    """One epoch of batches over pictures whose domains are ``domains`` (N,): their indices.

    Every picture comes once, in an order drawn from ``generator``; the last batch may be
    smaller. ``balanced`` deals the domains out evenly: as long as every domain has pictures
    left, the numbers of pictures per domain in a batch differ by one at the most.
    """
    if batch_size < 1:
        raise ValueError(f"the batch size must be 1 or more, not {batch_size}")
    order = torch.randperm(len(domains), generator=generator)
    if balanced:
        # A picture's rank within its own domain is its turn. Sorted by turn, then by domain, the
        # domains take turns in one fixed cycle, and any batch is a stretch of that cycle.
        by_domain = order[torch.argsort(domains.cpu()[order], stable=True)]
        turn = torch.cat([torch.arange(int(count)) for count in torch.bincount(domains.cpu())])
        order = by_domain[torch.argsort(turn, stable=True)]
    yield from order.split(batch_size)


def random_crop_and_flip(
    pictures: Tensor, generator: torch.Generator, *, crop: float, flip: bool
) -> Tensor:
    """Crop each picture at random, stretch it back to its size, mirror every second one.

    The crop's side is drawn evenly from ``crop`` to 1 times the picture's, its place evenly.
    ``generator`` must be a CPU one: the same draws on every device.

    pictures (B, 3, S, S) floating point → the same shape
    """
    count = len(pictures)
    draws = torch.rand(4, count, generator=generator)
    side = crop + (1 - crop) * draws[0]
    mirror = torch.where(draws[3] < 0.5, -1.0, 1.0) if flip else torch.ones(count)
    affine = torch.zeros(count, 2, 3)
    affine[:, 0, 0], affine[:, 1, 1] = side * mirror, side
    affine[:, :, 2] = ((2 * draws[1:3] - 1) * (1 - side)).T
    grid = F.affine_grid(
        affine.to(pictures.device, pictures.dtype, non_blocking=True),
        list(pictures.shape),
        align_corners=False,
    )
    return F.grid_sample(pictures, grid, padding_mode="reflection", align_corners=False)


def identity(model: Model, shots: DomainDataset, seed: int) -> dict[str, Any]:
    """What tells a run from others, for its checkpoint."""
    return {
        "method": model.method.as_dict(),
        "forget": model.target.as_dict(),
        "seed": seed,
        "shots": shots.fingerprint(),
        "clip": model.clip.fingerprint,
    }


def backward(losses: Any, learned: list[nn.Parameter]) -> None:  # noqa: ARG001
    """The gradient of the total loss, at every learned parameter."""
    losses.total.backward()


def train(
    model: Model,
    shots: DomainDataset,
    forgotten: Tensor,
    steps: Steps,
    loss: Callable[[Batch], Any],
    optimizer: torch.optim.Optimizer | None = None,
    *,
    seed: int,
    run: Loop | None = None,
    backward: Callable[[Any, list[nn.Parameter]], None] = backward,
) -> None:
    """Teach ``model`` for ``steps.epochs`` epochs; the history grows in ``run.history``.

    loss:      the losses of a batch, a named tuple of scalars with ``total`` among them
    optimizer: over all that learns, by default SGD over the model's parameters; each group's rate
               is the schedule's times its ``scale`` (1)
    backward:  puts gradients at the parameters, given the losses; a method may change them

    Raises ``FloatingPointError`` if the loss is no longer finite, ``ValueError`` if the
    checkpoint is another run's. The same seed gives the same bits on the same machine.
    """
    clip, device, run = model.clip, model.clip.device, run or Loop(progress=False)
    optimizer = optimizer or steps.sgd(model.parameters())
    learned = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    pictures, labels, domains, gone = (
        x.to(device) for x in (shots.pictures, shots.labels, shots.domains, forgotten)
    )
    half = {"bfloat16": torch.bfloat16, "float16": torch.float16}.get(steps.precision)
    # Small gradients would be 0 in float16: the losses are multiplied, and the gradients divided.
    scaler = torch.amp.GradScaler(device.type, enabled=half == torch.float16)
    history = run.history
    about = identity(model, shots, seed) if run.checkpoint else {}
    history[:] = run.checkpoint.resume(model, optimizer, about) if run.checkpoint else []

    done, epochs = len(history), steps.epochs
    bar = tqdm(
        range(done, epochs), "epochs", epochs, initial=done, disable=not run.progress, leave=False
    )
    for epoch in bar:
        # Every epoch draws from its own stream, so an interrupted run can go on at any epoch.
        generator = torch.Generator().manual_seed(seed * 100_003 + epoch)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(epoch, steps) * group.get("scale", 1.0)
        order = batch_indices(shots.domains, steps.batch_size, generator, steps.balanced)
        sums: Tensor | float = 0.0
        names: tuple[str, ...] = ()
        for index in order:
            place = index.to(device, non_blocking=True)  # nothing in a step waits for the GPU
            batch = random_crop_and_flip(
                clip.normalise(pictures[place]), generator, crop=steps.crop, flip=steps.flip
            )
            seen = Batch(batch, place, labels[place], domains[place], gone[place], epoch)
            with tf32(steps.precision == "tf32"):
                with torch.autocast(device.type, half, enabled=half is not None):
                    losses = loss(seen)
                optimizer.zero_grad()
                backward(losses._make(map(scaler.scale, losses)), learned)
            scaler.step(optimizer)
            scaler.update()
            sums, names = sums + torch.stack(losses).detach() * len(index), losses._fields

        means = (torch.as_tensor(sums) / len(shots)).tolist()
        entry = dict(zip(names, means, strict=True))
        if not math.isfinite(entry["total"]):
            raise FloatingPointError(
                f"the loss became {entry['total']} in epoch {epoch + 1}: lower the learning rate "
                f"(now {steps.learning_rate}) or the losses' weights"
            )
        history.append(entry)
        bar.set_postfix({name: f"{value:.2f}" for name, value in entry.items()})
        if run.checkpoint:
            run.checkpoint.store(model, optimizer, about, history)
        if run.after_epoch:
            run.after_epoch(epoch + 1, model)
