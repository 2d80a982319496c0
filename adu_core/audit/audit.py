"""All parts of an audit in one record, and its scores with their intervals."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from adu_core.audit.disguises import disguises
from adu_core.audit.effects import between, effects
from adu_core.audit.materials import Materials
from adu_core.audit.ranks import ranks
from adu_core.audit.recovery import FINAL, recovery
from adu_core.audit.relearning import easiest, relearning
from adu_core.audit.words import other_classes, retrieval, words
from adu_core.clip import TEMPLATE
from adu_core.dataset import DomainDataset
from adu_core.machine.provenance import provenance, reset_peak_memory
from adu_core.rivals.gated import Gated
from adu_core.runs.evaluate import evaluate
from adu_core.runs.intervals import Interval, of_both, of_mean
from adu_core.runs.record import RESULTS

SCHEMA = 2

#: What can be required, and what it says; all in percent but the cosine.
SCORES: Mapping[str, str] = {
    "mem": "accuracy on what is kept",
    "for": "error on what is forgotten",
    "h": "harmonic mean of the two",
    "selectivity": "Mem + For - 100",
    "probe": "forgotten pictures read correctly from the features, most pictures, best reader",
    "inside": "the same from any place inside of the model",
    "relearned": "right on the forgotten after training on it, a gate on or off",
    "first3": "forgotten pictures whose class is among the first three",
    "words": "right on the forgotten when asked in the best other words",
    "disguised": "right on the forgotten in the best disguise that counts",
    "captioned": "forgotten pictures whose nearest caption names their class",
    "held_out_mem": "accuracy on what is kept of classes never met",
    "held_out_for": "error on what is forgotten of classes never met",
    "ece": "calibration error on what is kept",
    "cosine": "mean cosine with the frozen features, of what is kept, from -1 to 1",
    "refused_mem": "pictures to be kept that are refused",
}

#: What the ways to read features are called.
READERS = {"prototypes": "nearest prototypes", "probe": "a linear probe"}

PARTS: dict[str, Callable[[Materials], Any]] = {
    "ranks": ranks,
    "words": words,
    "other_classes": other_classes,
    "retrieval": retrieval,
    "effects": effects,
    "between": between,
    "disguises": disguises,
    "recovery": recovery,
    "relearning": relearning,
}


def audit(
    materials: Materials,
    about: Mapping[str, Any] | None = None,
    progress: Callable[[Iterable[str]], Iterable[str]] = iter,
    parts: Mapping[str, Callable[[Materials], Any]] = PARTS,
) -> dict[str, Any]:
    """The record of an audit; everything that ``adu_core.audit`` measures, and ``scores``.

    about: what else the record should say of the pictures; ``progress`` wraps the parts' names;
    ``parts`` are what is done by each name, for attacks of another strength
    """
    started, model = time.perf_counter(), materials.model
    classifier = model.classifier if isinstance(model, Gated) else None
    reset_peak_memory(model.clip.device)
    accuracy = {
        who: evaluate(one, materials.test, model.target, entangled=False, known=known)[0]
        for (who, one), known in zip(materials.both, materials.seen, strict=True)
    }
    record: dict[str, Any] = {
        "schema": SCHEMA,
        "method": model.method.as_dict(),
        "forget": model.target.as_dict(),
        "clip": {
            "name": model.clip.name,
            "pretrained": model.clip.pretrained or None,
            "fingerprint": model.clip.fingerprint,
        },
        "reference": None if materials.reference is None else materials.reference.fingerprint,
        "classes": list(model.class_names),
        "domains": list(model.domain_names),
        "pictures": {
            "test": len(materials.test),
            "test_fingerprint": materials.test.fingerprint(),
            "attack": len(materials.attack),
            "kept": _counts(materials.kept),
            "forgotten": _counts(materials.forgotten),
            "chance": 100 / len(model.class_names),
            "held_out": _held_out(materials),
            **(about or {}),
        },
        "accuracy": accuracy,
        "threshold": None if classifier is None else float(classifier.threshold),
        "trained_on": sorted(model.method.trained_on),
    }
    for name in progress(parts):
        record[name] = parts[name](materials)
    record["undo"] = undo(record, model.method.undo)
    record["scores"] = scores(record)
    record["intervals"] = intervals(record)
    record["provenance"] = provenance(model.clip.device, started)
    return record


def scores(record: Mapping[str, Any]) -> dict[str, float | None]:
    """The one number for each name of ``SCORES``; None where it could not be measured."""
    recovered, relearned = record["recovery"]["model"], record["relearning"]
    other, effect = record["other_classes"], record["effects"]
    return {
        **{name: record["accuracy"]["model"]["metrics"][name] for name in RESULTS},
        "probe": _best_reader(recovered, [FINAL])[0],
        "inside": _best_reader(recovered, recovered)[0],
        "relearned": easiest(relearned),
        "first3": record["ranks"]["model"]["among_first"].get("3"),
        "words": best(record["words"])[1],
        "disguised": disguised[1] if (disguised := best_disguise(record)) else None,
        "captioned": record["retrieval"]["model"]["picture_to_caption"],
        "held_out_mem": None if other is None else other["model"]["kept"],
        "held_out_for": None if other is None else 100 - other["model"]["forgotten"],
        "ece": effect["model"]["ece"],
        "cosine": effect["cosine"],
        "refused_mem": record["accuracy"]["model"]["metrics"]["refused_mem"],
    }


def intervals(record: Mapping[str, Any]) -> dict[str, Interval | None]:
    """For each score the 95 % interval over test pictures; None for ``ece`` and ``cosine``.

    Of the best of several attacks it is that of the best one: it knows nothing of the choice.
    """
    found, pictures = record["scores"], record["pictures"]
    after = record["accuracy"]["model"]
    sides = {}
    for side, sign in (("kept", 1), ("forgotten", -1)):
        shares = [100 * (sign < 0) + sign * after[side][name] for name in pictures[side]]
        sides[side] = of_mean(shares, list(pictures[side].values()))
    gone, kept = (sum(pictures[side].values()) for side in ("forgotten", "kept"))
    other = pictures["held_out"]
    counts = dict.fromkeys(
        ("probe", "inside", "relearned", "first3", "words", "disguised", "captioned"), gone
    )
    counts |= {"refused_mem": kept, "held_out_mem": other[0], "held_out_for": other[1]}
    known = {"mem": sides["kept"], "for": sides["forgotten"]}
    known |= of_both(found["mem"], found["for"], *sides.values())
    known |= {
        name: of_mean([found[name]], [count])
        for name, count in counts.items()
        if found[name] is not None and count
    }
    return {name: known.get(name) for name in SCORES}


def _counts(dataset: DomainDataset) -> dict[str, int]:
    """How many pictures there are of each domain that has any."""
    counts = dataset.counts().sum(dim=0).tolist()
    return {name: n for name, n in zip(dataset.domain_names, counts, strict=True) if n}


def _held_out(materials: Materials) -> tuple[int, int]:
    """How many pictures of classes never met are kept, and forgotten."""
    pictures = materials.held_out
    if pictures is None or materials.model.target.classes:
        return 0, 0
    gone = int(materials.model.target.mask(pictures).sum())
    return len(pictures) - gone, gone


def best(found: Mapping[str, Mapping[str, Any]]) -> tuple[str, float]:
    """With which words, other than CLIP's own, the model has most right, and how much."""
    name = max((n for n in found if n != TEMPLATE), key=lambda n: found[n]["model"])
    return name, found[name]["model"]


def best_disguise(record: Mapping[str, Any]) -> tuple[str, float] | None:
    """The same of the disguises that count; None if none does."""
    found = record["disguises"]
    able = {name: each for name, each in found.items() if each["counts"] and name != "none"}
    return best(able) if able else None


def _best_reader(
    recovered: Mapping[str, Mapping[str, list[float]]], places: Iterable[str]
) -> tuple[float, str, str]:
    """What the best reader of these places has right with the most pictures, how, and where."""
    return max(
        ((float(right[-1]), READERS[how], place) for place in places
         for how, right in recovered[place].items()),
        key=lambda found: found[0],
    )  # fmt: skip


def shown(name: str, score: float | None) -> str:
    """A score as tables print it: percentages with one decimal, a cosine with three."""
    if score is None:
        return "not measured"
    return f"{score:.3f}" if name == "cosine" else f"{score:.1f}"


def spread(interval: Interval | None) -> str:
    """The interval of a score as tables print it; empty if there is none."""
    return "" if interval is None else f"{interval[0]:.1f} to {interval[1]:.1f}"


def undo(record: Mapping[str, Any], parts_off: str) -> list[dict[str, Any]]:
    """Who can bring it back: holder, what they do, and what they then have right, in percent.

    Every row was tried. Taking the parts off gives the frozen CLIP, whose weights are public.
    """
    shots, model = record["recovery"]["shots"], record["recovery"]["model"]
    few, most = f"{shots[0]} picture a class", f"{shots[-1]} pictures a class"
    words_, worded = best(record["words"])
    disguise = best_disguise(record)
    from_features, reader, _ = _best_reader(model, [FINAL])
    from_inside, inner_reader, place = _best_reader(model, model)
    error = {who: found["metrics"]["for"] for who, found in record["accuracy"].items()}
    relearned = record["relearning"]
    taught = f"{relearned['shots'][-1]} pictures a class, mean of {relearned['draws']} draws"
    rows = [
        ("answers", "asks", 100 - error["model"]),
        ("answers", f"asks in other words: {words_!r}", worded),
        *([("answers", f"disguises pictures: {disguise[0]}", disguise[1])] if disguise else []),
        ("features", f"nearest prototypes, {few}", model[FINAL]["prototypes"][0]),
        ("features", f"{reader}, {most}", from_features),
        ("weights", f"{inner_reader} at {place}, {most}", from_inside),
        *(
            ("weights", f"trains {what} on {taught}", relearned[way][-1])
            for way, what in (("parts", "the learned parts"), ("weights", "all weights"))
            if relearned[way]
        ),
        ("weights", parts_off, 100 - error["frozen"]),
    ]
    return [dict(zip(("holder", "does", "right"), row, strict=True)) for row in rows]
