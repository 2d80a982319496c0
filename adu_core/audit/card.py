"""An audit as a model card: intended use, what is forgotten and how well, what not to promise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adu_core.audit.audit import SCORES, best_disguise, shown, spread
from adu_core.data.grammar import drawn
from adu_core.rivals.methods import target_from_dict
from adu_core.show.names import markdown


def card(record: Mapping[str, Any]) -> str:
    """Markdown from the record of an audit."""
    pictures, found, made = record["pictures"], record["scores"], record["provenance"]
    name, settings = record["method"]["name"], record["method"]["settings"]
    clip = markdown(record["clip"]["name"])
    target = markdown(str(target_from_dict(record["forget"], "the audit")))
    undo = (
        f"| {row['holder']} | {markdown(row['does'])} | {row['right']:.1f} |"
        for row in record["undo"]
    )
    scores = (
        f"| `{key}` | {shown(key, found[key])} | {spread(record['intervals'][key])} | {what} |"
        for key, what in SCORES.items()
    )
    chosen = ", ".join(markdown(f"{key} {value}") for key, value in settings.items())
    threshold = record["threshold"]
    refuses = (
        f"It refuses a picture if the probability of a forgotten domain is above {threshold:.3g}. "
        if threshold
        else ""
    )
    date = f" on {pictures['date']}" if "date" in pictures else ""
    gone, kept = (sum(pictures[side].values()) for side in ("forgotten", "kept"))
    lines = "\n".join
    return f"""\
# {name}: {clip} without {target}

`adu audit` measured this on {pictures["test"]} test pictures of {len(record["classes"])} classes \
in {len(record["domains"])} domains ({markdown(pictures.get("data", "pictures"))}): {gone} to \
be forgotten and {kept} to be kept. All numbers are percent. Intervals are 95 % intervals over \
test pictures; they say nothing about other seeds or other CLIPs. Guessing is right in \
{pictures["chance"]:.1f}.

## What it is for

{lines(f"- {line}" for line in _uses(record, target))}

## What it does

| domain | pictures | before | after |
|---|---:|---:|---:|
{lines(_domains(record))}

Mem is {found["mem"]:.1f} and For {found["for"]:.1f}, so H is {found["h"]:.1f} \
and the selectivity {found["selectivity"]:.1f}. {refuses}A refusal counts as an error.

## Is it gone?

How much of what should be forgotten each attacker gets right. Every line was tried.

| attacker has | and does | right |
|---|---|---:|
{lines(undo)}

{_reference(record)}## Disguises

{_counting(record)}

| family | disguise | before | after | counts |
|---|---|---:|---:|---|
{lines(_disguises(record))}

## What it costs

{lines(_costs(record))}

{_false_refusals(record)}## What it cannot promise

{lines(f"- {line}" for line in cannot(record))}

The first of these lines is on every card. The others appear if a reader inside the model gets \
more than twice as many right as guessing; if the best disguise gets five points more than asking; \
if asking gets more than twice as many right as guessing.

## Scores

| score | | interval | what it is |
|---|---:|---:|---|
{lines(scores)}

## Where it comes from

{lines(f"- {line}" for line in _origin(record))}
- Method `{name}` with {chosen or "no settings"}.
- Audited in {made["seconds"]:.0f} s on {markdown(made["device"])}{date}, with \
adu-core {made["versions"]["adu-core"]} and torch {made["versions"]["torch"]}.
"""


def _uses(record: Mapping[str, Any], target: str) -> list[str]:
    classes = ", ".join(map(markdown, record["classes"]))
    return [
        f"Intended: classifying pictures as one of {classes}, where answers for {target} are not "
        "wanted, in a service that runs the whole model itself.",
        f"Not intended: as proof, for a licence or a law, that {target} was deleted from the CLIP; "
        "as protection from whoever holds features or weights; for pictures unlike those it was "
        "measured on; for decisions about people.",
    ]


def _origin(record: Mapping[str, Any]) -> list[str]:
    pictures, clip = record["pictures"], record["clip"]
    own = "made by this package, under its licence"
    data = pictures.get("data", "")
    weights = f", weights {markdown(str(clip['pretrained']))}" if clip["pretrained"] else ""
    return [
        f"CLIP {markdown(clip['name'])}{weights}, fingerprint {clip['fingerprint']}: "
        + (own if clip["name"] == "mini" else "name its licence here"),
        f"Shots: {pictures.get('shots', 'not recorded')} of each class in each domain, drawn by "
        f"seed {pictures.get('seed', 'not recorded')} from {markdown(data or 'pictures')}: "
        + (own if data and drawn(data) else "name their licence here"),
        f"Test pictures: fingerprint {pictures['test_fingerprint']}; none of them is a shot.",
    ]


def _disguises(record: Mapping[str, Any]) -> list[str]:
    return [
        f"| {each['family']} | {markdown(name)} | {each['frozen']:.1f} | {each['model']:.1f} | "
        f"{'yes' if each['counts'] else 'no'} |"
        for name, each in record["disguises"].items()
    ]


def _counting(record: Mapping[str, Any]) -> str:
    taught = sorted(record["trained_on"])
    text = (
        "A disguise counts if the CLIP before unlearning still classifies 80 % of the disguised "
        "pictures correctly"
    )
    if taught:
        text += f", and if the method was not trained on its family ({', '.join(taught)})"
    return text + "."


def _false_refusals(record: Mapping[str, Any]) -> str:
    after = record["effects"]["model"]["refused"]
    changed = record["effects"]["model"]["refused_changed"]
    if not record["accuracy"]["model"]["metrics"]["refused"]:
        return ""
    by_class = ", ".join(f"{markdown(name)} {share:.1f}" for name, share in after.items())
    by_change = ", ".join(f"{what} {share:.1f}" for what, share in changed.items())
    return (
        f"Pictures to be kept that are refused, by class: {by_class}. With corrupted pictures: "
        f"{by_change}.\n\n"
    )


def _domains(record: Mapping[str, Any]) -> list[str]:
    before, after = record["accuracy"]["frozen"], record["accuracy"]["model"]
    return [
        f"| {markdown(name)}{mark} | {record['pictures'][side].get(name, 0)} | "
        f"{before[side][name]:.1f} | {after[side][name]:.1f} |"
        for side, mark in (("kept", ""), ("forgotten", " (forget)"))
        for name in after[side]
    ]


def _reference(record: Mapping[str, Any]) -> str:
    curves = record["relearning"]
    if curves["reference"] is None:
        return ""
    probe = record["recovery"]["reference"]["feature"]["probe"][-1]
    return (
        f"A CLIP that never saw it gets {curves['reference'][0]:.1f} right, and a probe on its "
        f"features {probe:.1f}; trained on {curves['shots'][-1]} pictures of each class it gets "
        f"{curves['reference'][-1]:.1f}. This is the floor set by a model that never saw it."
        "\n\n"
    )


def _costs(record: Mapping[str, Any]) -> list[str]:
    effects, lines = record["effects"], []
    for name, before in effects["frozen"]["accuracy"].items():
        after = effects["model"]["accuracy"][name]
        lines.append(f"- {markdown(name)}: {before:.1f} → {after:.1f}")
    before, after = (shown("ece", effects[who]["ece"]) for who in ("frozen", "model"))
    lines += [
        f"- calibration error: {before} → {after}",
        f"- {effects['unchanged']:.1f} of the answers are those of the CLIP before unlearning; the "
        f"mean cosine of the features with its own is {effects['cosine']:.3f}",
    ]
    other = record["other_classes"]
    if other is not None:
        lines.append(
            f"- classes not used in unlearning: kept {other['frozen']['kept']:.1f} → "
            f"{other['model']['kept']:.1f}, forgotten {other['frozen']['forgotten']:.1f} → "
            f"{other['model']['forgotten']:.1f}"
        )
    return lines


def cannot(record: Mapping[str, Any]) -> list[str]:
    """What the numbers forbid to promise, a sentence each."""
    found, chance = record["scores"], record["pictures"]["chance"]
    asked = 100 - found["for"]
    most = max(row["right"] for row in record["undo"] if row["holder"] == "weights")
    lines = [f"That the knowledge is gone: whoever holds the weights gets {most:.1f} % right."]
    if found["inside"] > 2 * chance:
        lines.append(
            "That features are safe to hand out: the class can be read from "
            f"{found['probe']:.1f} % of them, and from {found['inside']:.1f} % inside the model."
        )
    disguise = best_disguise(record)
    if disguise is not None and disguise[1] > asked + 5:
        what, right = disguise
        lines.append(
            f'That disguised pictures stay forgotten: with the disguise "{markdown(what)}", '
            f"{right:.1f} % are classified correctly, without it {asked:.1f} %."
        )
    if asked > 2 * chance:
        lines.append(
            f"That an answer is no better than a guess: {asked:.1f} % are classified correctly, by "
            f"guessing {chance:.1f} %."
        )
    return lines
