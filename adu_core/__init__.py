"""Approximate Domain Unlearning: make a CLIP forget a visual domain and keep the others.

Everything a chapter needs is a name of this package; the modules say more. A name is loaded
when it is first used, so that importing the package costs what importing torch costs, and
``adu --help`` far less.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

#: Where each public name is; without a colon it is the module itself.
_WHERE = {
    "ABLATION": "methods.adu.method:ABLATION",
    "ADU": "methods.adu.method:ADU",
    "METHODS": "methods:METHODS",
    "MINI": "methods.adu.method:MINI",
    "PAPER": "methods.adu.method:PAPER",
    "Adapter": "methods.adu.adapter:Adapter",
    "DomainDataset": "data.dataset:DomainDataset",
    "FrozenCLIP": "clip.frozen:FrozenCLIP",
    "InstaPG": "methods.adu.instapg:InstaPG",
    "Loop": "train.loop:Loop",
    "Method": "methods.base:Method",
    "Model": "methods.base:Model",
    "Profile": "runs.profiles:Profile",
    "Run": "runs.run:Run",
    "Settings": "methods.adu.method:ADU",  # what the first edition called it
    "Spec": "runs.spec:Spec",
    "Splits": "data.sources:Splits",
    "Target": "data.target:Target",
    "Task": "methods.base:Task",
    "TextPrompts": "methods.adu.prompts:TextPrompts",
    "Timeline": "show.timeline:Timeline",
    "Trace": "clip.frozen:Trace",
    "VisionPrompts": "methods.adu.prompts:VisionPrompts",
    "accuracies": "measure.accuracy:accuracies",
    "batch_indices": "data.dataset:batch_indices",
    "captions": "data.captioning:captions",
    "class_logits": "measure.accuracy:class_logits",
    "ddl": "train.losses:ddl",
    "entanglement": "measure.entanglement:entanglement",
    "evaluate": "measure.evaluate:evaluate",
    "figures": "show.figures",
    "fit": "runs.run:fit",
    "image_features": "measure.accuracy:image_features",
    "load_clip": "clip.load:load_clip",
    "load_model": "methods.saved:load_model",
    "load_splits": "data.sources:load_splits",
    "losses": "train.losses",
    "mem_for_h": "measure.accuracy:mem_for_h",
    "method": "methods:method",
    "metrics": "measure",
    "mmd2": "measure.mmd:mmd2",
    "objective": "methods.adu.method:objective",
    "pretrain": "runs.pretrain:pretrain",
    "profile": "runs.profiles:profile",
    "read_folder": "data.folder:read_folder",
    "records": "runs.records",
    "save_model": "methods.saved:save_model",
    "unlearn": "runs.run:unlearn",
    "world": "data.world:world",
}

__all__ = list(_WHERE)

if TYPE_CHECKING:
    from adu_core.clip.frozen import FrozenCLIP, Trace
    from adu_core.clip.load import load_clip
    from adu_core.data.captioning import captions
    from adu_core.data.dataset import DomainDataset, batch_indices
    from adu_core.data.folder import read_folder
    from adu_core.data.sources import Splits, load_splits
    from adu_core.data.target import Target
    from adu_core.data.world import world
    from adu_core.measure.accuracy import accuracies, class_logits, image_features, mem_for_h
    from adu_core.measure.entanglement import entanglement
    from adu_core.measure.evaluate import evaluate
    from adu_core.measure.mmd import mmd2
    from adu_core.methods import METHODS, method
    from adu_core.methods.adu.adapter import Adapter
    from adu_core.methods.adu.instapg import InstaPG
    from adu_core.methods.adu.method import ABLATION, ADU, MINI, PAPER, objective
    from adu_core.methods.adu.prompts import TextPrompts, VisionPrompts
    from adu_core.methods.base import Method, Model, Task
    from adu_core.methods.saved import load_model, save_model
    from adu_core.runs import records
    from adu_core.runs.pretrain import pretrain
    from adu_core.runs.profiles import Profile, profile
    from adu_core.runs.run import Run, fit, unlearn
    from adu_core.runs.spec import Spec
    from adu_core.show import figures
    from adu_core.show.timeline import Timeline
    from adu_core.train import losses
    from adu_core.train.loop import Loop
    from adu_core.train.losses import ddl


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
