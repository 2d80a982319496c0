"""Approximate Domain Unlearning: make a CLIP forget a visual domain and keep the others.

The core lies flat beside this file. Read it in this order: ``block`` and ``clip``, the frozen CLIP
walked through in plain sight; ``prompts``, vision prompts and InstaPG; ``losses``; ``task``, the
nouns; ``measure``; ``loop``; and ``adu``, the method. ``settings`` and ``precision`` are their
small tools. The folders are rooms built on it.

Everything a chapter needs is a name of this package. A name is loaded when it is first used, so
that importing the package costs what importing torch costs, and ``adu --help`` far less.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

#: Where each public name is; without a colon it is the module itself.
_WHERE = {
    "ABLATION": "adu:ABLATION",
    "ADU": "adu:ADU",
    "METHODS": "rivals.methods:METHODS",
    "MINI": "adu:MINI",
    "PAPER": "adu:PAPER",
    "Adapter": "adu:Adapter",
    "DomainDataset": "task:DomainDataset",
    "FrozenCLIP": "clip:FrozenCLIP",
    "InstaPG": "prompts:InstaPG",
    "Loop": "loop:Loop",
    "Method": "task:Method",
    "Model": "task:Model",
    "Profile": "pages.profiles:Profile",
    "Run": "runs.run:Run",
    "Spec": "runs.spec:Spec",
    "Splits": "data.sources:Splits",
    "Target": "task:Target",
    "Task": "task:Task",
    "TextPrompts": "prompts:TextPrompts",
    "Timeline": "pages.timeline:Timeline",
    "Trace": "clip:Trace",
    "VisionPrompts": "prompts:VisionPrompts",
    "accuracies": "measure:accuracies",
    "batch_indices": "loop:batch_indices",
    "captions": "data.captioning:captions",
    "class_logits": "measure:class_logits",
    "ddl": "losses:ddl",
    "entanglement": "runs.entanglement:entanglement",
    "evaluate": "runs.evaluate:evaluate",
    "figures": "show.figures",
    "fit": "runs.run:fit",
    "image_features": "measure:image_features",
    "load_clip": "clips.load:load_clip",
    "load_model": "rivals.saved:load_model",
    "load_splits": "data.sources:load_splits",
    "losses": "losses",
    "measure": "measure",
    "mem_for_h": "measure:mem_for_h",
    "method": "rivals.methods:method",
    "mmd2": "losses:mmd2",
    "objective": "adu:objective",
    "pretrain": "runs.pretrain:pretrain",
    "profile": "pages.profiles:profile",
    "read_folder": "data.folder:read_folder",
    "records": "runs.records",
    "save_model": "rivals.saved:save_model",
    "unlearn": "runs.run:unlearn",
    "world": "data.world:world",
}

__all__ = list(_WHERE)

if TYPE_CHECKING:
    from adu_core import losses, measure
    from adu_core.adu import ABLATION, ADU, MINI, PAPER, Adapter, objective
    from adu_core.clip import FrozenCLIP, Trace
    from adu_core.clips.load import load_clip
    from adu_core.data.captioning import captions
    from adu_core.data.folder import read_folder
    from adu_core.data.sources import Splits, load_splits
    from adu_core.data.world import world
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
    from adu_core.task import DomainDataset, Method, Model, Target, Task


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'adu_core' has no attribute {name!r}")
    module, _, what = _WHERE[name].partition(":")
    found = import_module(f"adu_core.{module}")
    value = getattr(found, what) if what else found
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_WHERE])
