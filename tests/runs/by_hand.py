"""Records made by hand, with the Mem and For that a test asks for."""

from collections.abc import Sequence
from typing import Any

from adu_core import Spec

DOMAINS = ["real", "painting", "clipart", "sketch"]


def result(mem: float, error: float, forget: Sequence[str], domains: Sequence[str]) -> Any:
    kept = {name: mem for name in domains if name not in forget}
    gone = dict.fromkeys(forget, 100 - error)
    h = 2 * mem * error / (mem + error) if mem + error else 0.0
    return {
        "metrics": {"mem": mem, "for": error, "h": h, "selectivity": mem + error - 100},
        "accuracy": {name: kept.get(name, gone.get(name)) for name in domains},
        "kept": kept,
        "forgotten": gone,
    }


def record(spec: Spec, mem: float, error: float, **found: Any) -> dict[str, Any]:
    forget, domains = spec.forget.domains, found.get("domains", DOMAINS)
    before = result(99.0, 1.0, forget, domains)
    before["entanglement"] = {"silhouette_class": 0.5, "mmd2": {"a|b": 0.1, "a|c": 0.3}}
    return {
        "schema": 2,
        "spec": spec.hash,
        "config": spec.as_dict(),
        "before": before,
        "after": result(mem, error, forget, domains),
        "found": {
            "classes": ["car"],
            "domains": DOMAINS,
            "clip_fingerprint": "c" * 16,
            "pictures_fingerprint": "p" * 16,
            "shots_fingerprint": "s" * 16,
            "learned_numbers": 7,
            "fit_seconds": 1.5,
            **found,
        },
        "provenance": {"seconds": 2.5, "device": "cpu", "peak_memory_mb": 300},
    }
