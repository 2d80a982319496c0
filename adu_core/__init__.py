"""Approximate Domain Unlearning: make a CLIP forget a visual domain and keep the others.

The core is the files in this folder. Read them in this order: ``block`` and ``clip``, the frozen
CLIP step by step; ``prompts``, vision prompts and InstaPG; ``losses``; ``dataset`` and
``task``, the nouns; ``measure``; ``loop``; and ``adu``, the method. ``settings`` and ``precision``
are small tools for them. The subfolders are built on the core.

Everything a chapter needs is a name of this package. A name is loaded when it is first used, so
that importing the package costs what importing torch costs, and ``adu --help`` far less.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

#: The public names of each module, and the modules that are public names themselves.
_NAMES = {
    "adu": "ABLATION ADU Adapter MINI PAPER objective",
    "clip": "FrozenCLIP Trace",
    "clips.load": "load_clip",
    "data.captioning": "captions",
    "data.sources": "Splits load_splits read_folder",
    "data.world": "world",
    "dataset": "DomainDataset Target",
    "loop": "Loop batch_indices",
    "losses": "ddl mmd2",
    "measure": "accuracies class_logits image_features mem_for_h",
    "pages.profiles": "Profile profile",
    "pages.timeline": "Timeline",
    "prompts": "InstaPG TextPrompts VisionPrompts",
    "rivals.methods": "METHODS method",
    "rivals.saved": "load_model save_model",
    "runs.entanglement": "entanglement",
    "runs.evaluate": "evaluate",
    "runs.pretrain": "pretrain",
    "runs.run": "Run fit unlearn",
    "runs.spec": "Spec",
    "task": "Method Model Task",
}
_MODULES = {
    "figures": "show.figures",
    "losses": "losses",
    "measure": "measure",
    "records": "runs.records",
}
_WHERE = {name: module for module, names in _NAMES.items() for name in names.split()}

__all__ = list(_WHERE | _MODULES)

if TYPE_CHECKING:
    from adu_core import losses, measure
    from adu_core.adu import ABLATION, ADU, MINI, PAPER, Adapter, objective
    from adu_core.clip import FrozenCLIP, Trace
    from adu_core.clips.load import load_clip
    from adu_core.data.captioning import captions
    from adu_core.data.sources import Splits, load_splits, read_folder
    from adu_core.data.world import world
    from adu_core.dataset import DomainDataset, Target
    from adu_core.loop import Loop, batch_indices
    from adu_core.losses import ddl, mmd2
    from adu_core.measure import accuracies, class_logits, image_features, mem_for_h
    from adu_core.pages.profiles import Profile, profile
    from adu_core.pages.timeline import Timeline
    from adu_core.prompts import InstaPG, TextPrompts, VisionPrompts
    from adu_core.rivals.methods import METHODS, method
    from adu_core.rivals.saved import load_model, save_model
    from adu_core.runs import records
    from adu_core.runs.entanglement import entanglement
    from adu_core.runs.evaluate import evaluate
    from adu_core.runs.pretrain import pretrain
    from adu_core.runs.run import Run, fit, unlearn
    from adu_core.runs.spec import Spec
    from adu_core.show import figures
    from adu_core.task import Method, Model, Task


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        value: Any = import_module(f"adu_core.{_MODULES[name]}")
    elif name in _WHERE:
        value = getattr(import_module(f"adu_core.{_WHERE[name]}"), name)
    else:
        raise AttributeError(f"module 'adu_core' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
