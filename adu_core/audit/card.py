"""An audit as a model card: what is forgotten, how far, and what nobody should promise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adu_core.audit.audit import SCORES, best, shown
from adu_core.show.names import markdown
from adu_core.task import Target


def card(record: Mapping[str, Any]) -> str:
    """Markdown from the record of an audit."""
    pictures, found, made = record["pictures"], record["scores"], record["provenance"]
    name, settings = record["method"]["name"], record["method"]["settings"]
    clip = markdown(record["clip"]["name"])
    target = markdown(str(Target.from_dict(record["forget"], "the audit")))
    undo = (
        f"| {row['holder']} | {markdown(row['does'])} | {row['right']:.1f} |"
        for row in record["undo"]
    )
    scores = (f"| `{key}` | {shown(key, found[key])} | {SCORES[key]} |" for key in SCORES)
    chosen = ", ".join(markdown(f"{key} {value}") for key, value in settings.items())
    lines = "\n".join
    return f"""\
# {name}: {clip} without {target}

`adu audit` measured this on {pictures["test"]} test pictures of {len(record["classes"])} classes \
in {len(record["domains"])} domains ({markdown(pictures.get("data", "pictures"))}). \
All numbers are percent. Guessing would be right in {pictures["chance"]:.1f}.

## What it does

| domain | before | after |
|---|---:|---:|
{lines(_domains(record))}

Mem is {found["mem"]:.1f} and For {found["for"]:.1f}, so H is {found["h"]:.1f} \
and the selectivity {found["selectivity"]:.1f}.

## Is it gone?

Who brings back how much of what should be forgotten; each line was tried.

| who holds | does | right |
|---|---|---:|
{lines(undo)}

{_reference(record)}## What it costs

{lines(_costs(record))}

## What it cannot promise

{lines(f"- {line}" for line in cannot(record))}

## Scores

| score | | |
|---|---:|---|
{lines(scores)}

## How it was made

Method `{name}` with {chosen or "no settings"}. CLIP {clip}, fingerprint \
{record["clip"]["fingerprint"]}. Audited in {made["seconds"]:.0f} s on {markdown(made["device"])}.
"""


def _domains(record: Mapping[str, Any]) -> list[str]:
    before, after = record["accuracy"]["frozen"], record["accuracy"]["model"]
    return [
        f"| {markdown(name)}{mark} | {before[side][name]:.1f} | {after[side][name]:.1f} |"
        for side, mark in (("kept", ""), ("forgotten", " (forget)"))
        for name in after[side]
    ]


def _reference(record: Mapping[str, Any]) -> str:
    curves = record["relearning"]
    if curves["reference"] is None:
        return ""
    probe = record["recovery"]["reference"]["feature"]["probe"][-1]
    return (
        f"A CLIP that never saw it has {curves['reference'][0]:.1f} right, a probe on its features "
        f"{probe:.1f}; trained on {curves['shots'][-1]} pictures a class it has "
        f"{curves['reference'][-1]:.1f}. Less than that, no model without the knowledge can hide."
        "\n\n"
    )


def _costs(record: Mapping[str, Any]) -> list[str]:
    effects, lines = record["effects"], []
    for name, before in effects["frozen"]["accuracy"].items():
        after = effects["model"]["accuracy"][name]
        lines.append(f"- {markdown(name)}: {before:.1f} → {after:.1f}")
    lines += [
        f"- calibration error: {effects['frozen']['ece']:.1f} → {effects['model']['ece']:.1f}",
        f"- {effects['unchanged']:.1f} of the answers are the frozen CLIP's; the features' mean "
        f"cosine with its own is {effects['cosine']:.3f}",
    ]
    other = record["other_classes"]
    if other is not None:
        lines.append(
            f"- classes it never met: kept {other['frozen']['kept']:.1f} → "
            f"{other['model']['kept']:.1f}, forgotten {other['frozen']['forgotten']:.1f} → "
            f"{other['model']['forgotten']:.1f}"
        )
    return lines


def cannot(record: Mapping[str, Any]) -> list[str]:
    """What the numbers speak against promising, a sentence each."""
    found, chance = record["scores"], record["pictures"]["chance"]
    asked = 100 - found["for"]
    most = max(row["right"] for row in record["undo"] if row["holder"] == "weights")
    lines = [f"That the knowledge is gone: who holds the weights gets {most:.1f} % right."]
    if found["inside"] > 2 * chance:
        lines.append(
            f"That features are safe to hand out: they are read correctly in {found['probe']:.1f} "
            f"% of the cases, and inside of the model in {found['inside']:.1f} %."
        )
    if found["disguised"] > asked + 5:
        what, _ = best(record["disguises"])
        lines.append(
            f'That disguised pictures stay unknown: with the disguise "{markdown(what)}", '
            f"{found['disguised']:.1f} % are right, against {asked:.1f} % without."
        )
    if asked > 2 * chance:
        lines.append(
            f"That an answer is no better than a guess: {asked:.1f} % are right, guessing gives "
            f"{chance:.1f} %."
        )
    if found["membership"] is not None and found["membership"] > 60:
        lines.append(
            "That nobody can tell which pictures it was made with: they are told from others "
            f"with an AUC of {found['membership']:.0f}."
        )
    return lines
