"""The file from which an interrupted training continues: safetensors, never half written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from adu_core.machine.files import plain, read_tensors, write_tensors

#: One entry per epoch.
History = Sequence[Any]


@dataclass(frozen=True)
class Checkpoint:
    """The file at ``path``. The caller that named it removes it, once the result is saved."""

    path: Path

    def write(
        self, tensors: Mapping[str, Tensor], about: Mapping[str, Any], history: History
    ) -> None:
        """Keep all that training goes on from; if that fails, the error says what is not lost."""
        try:
            write_tensors(self.path, tensors, {"run": about, "history": history})
        except OSError as error:
            raise OSError(
                f"{error}; the same command then goes on after the last epoch that was kept"
            ) from None

    def read(self, about: Mapping[str, Any]) -> tuple[dict[str, Tensor], list[Any]]:
        """What ``write`` kept; nothing and an empty history if there is no file.

        Raises ``ValueError`` if the file is of another run than ``about`` says.
        """
        if not self.path.exists():
            return {}, []
        tensors, stored = read_tensors(self.path)
        found = stored.get("run")
        # Through JSON and back, tuples are lists: compare what was written with what would be.
        differing = differences(found if isinstance(found, dict) else {}, plain(about))
        if differing:
            raise ValueError(
                f"{self.path} belongs to another run ({'; '.join(differing)}): "
                "remove it to start anew, or give another file"
            )
        return tensors, stored["history"]

    def store(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        about: Mapping[str, Any],
        history: History,
    ) -> None:
        """``write`` the model's tensors, and the optimizer's of each parameter."""
        tensors = {f"model.{key}": value for key, value in model.state_dict().items()}
        for name, parameter in model.named_parameters():
            for key, value in optimizer.state.get(parameter, {}).items():
                if value is not None:
                    tensors[f"optimizer.{key}.{name}"] = torch.as_tensor(value)
        self.write(tensors, about, history)

    def resume(
        self, model: nn.Module, optimizer: torch.optim.Optimizer, about: Mapping[str, Any]
    ) -> list[Any]:
        """Give model and optimizer what ``store`` kept, if it did; the history so far."""
        tensors, history = self.read(about)
        known, start = dict(model.named_parameters()), "model."
        weights = {k.removeprefix(start): v for k, v in tensors.items() if k.startswith(start)}
        if weights:
            model.load_state_dict(weights)
        for key, value in tensors.items():
            kind, _, rest = key.partition(".")
            what, _, name = rest.partition(".")
            if kind == "optimizer":
                optimizer.state[known[name]][what] = value.to(known[name].device)
        return history


def differences(there: Mapping[str, Any], asked: Mapping[str, Any]) -> list[str]:
    """What differs between two descriptions, by name, with both values: "epochs 12, now 20"."""
    found: list[str] = []
    for key, now in asked.items():
        then = there.get(key)
        if isinstance(now, Mapping) and isinstance(then, Mapping):
            found += differences(then, now)
        elif then != now:
            found.append(f"{key} {_said(then)}, now {_said(now)}")
    return found


def _said(value: Any) -> str:
    """A value in few words."""
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= 60 else f"{text[:59]}…"
