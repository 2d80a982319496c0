"""Approximate Domain Unlearning: make a CLIP forget a visual domain and keep the others.

Everything a chapter needs is a name of this package; the modules say more.
"""

from adu_core import losses, metrics
from adu_core.adapter import Adapter
from adu_core.checkpoints import load_clip
from adu_core.clip import FrozenCLIP, Trace
from adu_core.data import DomainDataset, Splits, batch_indices, captions, load_splits, read_folder
from adu_core.data.world import world
from adu_core.evaluation import accuracies, class_logits, evaluate, image_features
from adu_core.experiment import Run, unlearn
from adu_core.instapg import InstaPG
from adu_core.losses import ddl, mmd2
from adu_core.methods import METHODS, MINI, PAPER, Settings, objective
from adu_core.metrics import entanglement, mem_for_h
from adu_core.pretraining import pretrain
from adu_core.profiles import Profile, profile
from adu_core.prompts import TextPrompts, VisionPrompts
from adu_core.timeline import Timeline
from adu_core.training import fit

__all__ = [
    "METHODS",
    "MINI",
    "PAPER",
    "Adapter",
    "DomainDataset",
    "FrozenCLIP",
    "InstaPG",
    "Profile",
    "Run",
    "Settings",
    "Splits",
    "TextPrompts",
    "Timeline",
    "Trace",
    "VisionPrompts",
    "accuracies",
    "batch_indices",
    "captions",
    "class_logits",
    "ddl",
    "entanglement",
    "evaluate",
    "fit",
    "image_features",
    "load_clip",
    "load_splits",
    "losses",
    "mem_for_h",
    "metrics",
    "mmd2",
    "objective",
    "pretrain",
    "profile",
    "read_folder",
    "unlearn",
    "world",
]
