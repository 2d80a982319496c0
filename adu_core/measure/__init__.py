"""What is measured: accuracy, Mem, For and H; entanglement; intervals and fronts."""

from adu_core.measure.accuracy import accuracy_per_domain, harmonic_mean, mem_for_h, scores
from adu_core.measure.entanglement import entanglement
from adu_core.measure.fronts import confidence_interval, for_at_mem, hypervolume

__all__ = [
    "accuracy_per_domain",
    "confidence_interval",
    "entanglement",
    "for_at_mem",
    "harmonic_mean",
    "hypervolume",
    "mem_for_h",
    "scores",
]
