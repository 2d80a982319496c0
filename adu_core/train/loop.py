"""The one training loop: gradient steps over the shots, for every method that takes any."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from tqdm import tqdm

from adu_core.clip.frozen import FrozenCLIP
from adu_core.data.dataset import DomainDataset, batch_indices
from adu_core.data.target import Target
from adu_core.files import plain, read_tensors, write_checkpoint
from adu_core.measure.accuracy import Measurable, predictions
from adu_core.measure.evaluate import result_of
from adu_core.precision import Precision, tf32
from adu_core.settings import Settings, differences, setting
from adu_core.train.augment import random_crop_and_flip

#: One entry per epoch: the mean of each loss, and Mem, For, H if there were validation pictures.
History = list[dict[str, float]]


@dataclass(frozen=True)
class Steps(Settings):
    """The settings of gradient steps; those of methods that learn by them are among theirs.

    What the paper's text at hand does not say is marked [choice].
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

    def sgd(self, learned: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """SGD with these settings; ``train`` sets its rate."""
        return torch.optim.SGD(
            list(learned), lr=0.0, momentum=self.momentum, weight_decay=self.weight_decay
        )


@dataclass(frozen=True)
class Batch:
    """What a step sees: B augmented pictures, normalised (B, 3, S, S), and what is known of each.

    index: (B,) their places among the shots; labels, domains (B,); forgotten (B,) bool
    """

    pictures: Tensor
    index: Tensor
    labels: Tensor
    domains: Tensor
    forgotten: Tensor


class Trainable(Measurable, Protocol):
    """A model that learns: its parameters, and the frozen CLIP that normalises its pictures."""

    @property
    def clip(self) -> FrozenCLIP:
        """The frozen CLIP."""
        ...

    def named_parameters(self) -> Iterable[tuple[str, nn.Parameter]]:
        """What learns."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """What is saved."""
        ...

    def load_state_dict(self, state: Mapping[str, Any]) -> Any:
        """Take what was saved."""
        ...


@dataclass
class Loop:
    """How a run is watched and kept; none of it changes what is learned.

    checkpoint:  a file written after every epoch; if it is there at the start, training goes on
                 from it and ends as if it had never stopped. Whoever named it removes it, once
                 the result is saved
    after_epoch: called with the number of epochs done and the model as it is
    validation:  if given, Mem, For and H on it enter the history after every epoch
    """

    progress: bool = True
    checkpoint: str | Path | None = None
    after_epoch: Callable[[int, Any], None] | None = None
    validation: DomainDataset | None = None
    history: History = field(default_factory=list)


def learning_rate(epoch: int, steps: Steps) -> float:
    """One warm-up epoch at ``warmup_rate``, then half a cosine from ``learning_rate`` towards 0."""
    if epoch == 0 and steps.epochs > 1:
        return steps.warmup_rate
    return steps.learning_rate * (1 + math.cos(math.pi * epoch / steps.epochs)) / 2


def backward(losses: Any, learned: list[nn.Parameter]) -> None:  # noqa: ARG001
    """The gradient of the total loss, at every learned parameter."""
    losses.total.backward()


def train(
    model: Trainable,
    shots: DomainDataset,
    forgotten: Tensor,
    steps: Steps,
    loss: Callable[[Batch], Any],
    optimizer: torch.optim.Optimizer,
    *,
    seed: int,
    run: Loop,
    about: Mapping[str, Any],
    backward: Callable[[Any, list[nn.Parameter]], None] = backward,
) -> None:
    """Teach ``model`` for ``steps.epochs`` epochs; the history grows in ``run.history``.

    loss:      the losses of a batch, a named tuple of scalars with ``total`` among them
    optimizer: over all that learns; each group's rate is the schedule's times its ``scale`` (1)
    about:     what tells this run from others, for the checkpoint
    backward:  puts gradients at the parameters, given the losses; a method may change them

    Raises ``FloatingPointError`` if the loss is no longer finite, ``ValueError`` if the
    checkpoint is another run's. The same seed gives the same bits on the same machine.
    """
    clip, device = model.clip, model.clip.device
    learned = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    pictures, labels, domains, gone = (
        x.to(device) for x in (shots.pictures, shots.labels, shots.domains, forgotten)
    )
    about = {
        **about, "seed": seed, "shots": shots.fingerprint(), "clip": clip.fingerprint
    }  # fmt: skip
    half = steps.precision == "bfloat16"
    history = run.history
    history[:] = _resume(run.checkpoint, about, model, optimizer) if run.checkpoint else []

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
            seen = Batch(batch, place, labels[place], domains[place], gone[place])
            with tf32(steps.precision == "tf32"):
                with torch.autocast(device.type, torch.bfloat16, enabled=half):
                    losses = loss(seen)
                optimizer.zero_grad()
                backward(losses, learned)
            optimizer.step()
            sums, names = sums + torch.stack(losses).detach() * len(index), losses._fields

        means = (torch.as_tensor(sums) / len(shots)).tolist()
        entry = dict(zip(names, means, strict=True))
        if not math.isfinite(entry["total"]):
            raise FloatingPointError(
                f"the loss became {entry['total']} in epoch {epoch + 1}: lower the learning rate "
                f"or the losses' weights (now {_rates(steps)})"
            )
        if run.validation is not None:
            entry |= _validated(model, run.validation, about)
        history.append(entry)
        bar.set_postfix({name: f"{value:.2f}" for name, value in entry.items()})
        if run.checkpoint:
            _store(run.checkpoint, about, model, optimizer, history)
        if run.after_epoch:
            run.after_epoch(epoch + 1, model)


def _validated(
    model: Trainable, validation: DomainDataset, about: Mapping[str, Any]
) -> dict[str, float]:
    goal = Target.from_dict(about["forget"], "the run")
    return result_of(predictions(model, validation), validation, goal)["metrics"]


def _rates(steps: Steps) -> str:
    named = {name: getattr(steps, name, None) for name in ("learning_rate", "gamma", "lam")}
    return ", ".join(f"{name} {value}" for name, value in named.items() if value is not None)


def _store(
    path: str | Path,
    about: Mapping[str, Any],
    model: Trainable,
    optimizer: torch.optim.Optimizer,
    history: History,
) -> None:
    """Everything that training goes on from, in one file that is never half written."""
    tensors = {f"model.{key}": value for key, value in model.state_dict().items()}
    for name, parameter in model.named_parameters():
        for key, value in optimizer.state.get(parameter, {}).items():
            if value is not None:
                tensors[f"optimizer.{key}.{name}"] = torch.as_tensor(value)
    write_checkpoint(path, tensors, {"run": about, "history": history})


def _resume(
    path: str | Path,
    about: Mapping[str, Any],
    model: Trainable,
    optimizer: torch.optim.Optimizer,
) -> History:
    """Fill model and optimizer from ``path`` if it exists; the history so far."""
    if not Path(path).exists():
        return []
    tensors, stored = read_tensors(path)
    found = stored.get("run")
    known = found if isinstance(found, dict) else {}
    # Through JSON and back, tuples are lists: compare what was written with what would be.
    differing = differences(known, plain(about))
    if differing:
        raise ValueError(
            f"{path} belongs to another run ({'; '.join(differing)}): "
            "remove it to start anew, or give another file"
        )
    model.load_state_dict(
        {k.removeprefix("model."): v for k, v in tensors.items() if k.startswith("model.")}
    )
    for name, parameter in model.named_parameters():
        for key, value in tensors.items():
            kind, _, rest = key.partition(".")
            what, _, whose = rest.partition(".")
            if kind == "optimizer" and whose == name:
                optimizer.state[parameter][what] = value.to(parameter.device)
    history: History = stored["history"]
    return history
