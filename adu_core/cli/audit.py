"""Ask whether it is forgotten.

Attack a model that `adu run --save` kept, question it, and look at what it should have kept: what
can be read from its features, how fast it relearns, what other words, other classes and disguised
pictures bring back, what it cost, and who can undo it. Writes audit.json, MODEL_CARD.md and
audit.png next to the model, or where --save says.

With --require, the exit status is 1 if a score does not meet it, and the line says which: use it as
a check before a deployment. What has to meet it is the end of the score's 95 % interval over test
pictures, the lower one for >=, the upper one for <=.
"""

from __future__ import annotations

import argparse
from datetime import date
from functools import partial
from pathlib import Path

from adu_core.cli import options
from adu_core.clips.grammar import clip_from
from adu_core.machine.device import check_device, resolved

SUMMARY = "is it forgotten? attack a model that adu run --save kept"
EXAMPLES = """\
examples:
  adu run --save runs/first && adu audit runs/first
  adu audit runs/first --require "for>=70" --require "probe<=40"
  adu audit runs/pacs --reference clips/without_sketch.safetensors
"""


def add(command: argparse.ArgumentParser) -> None:
    """The options."""
    add = command.add_argument
    add("adapter", metavar="DIR", help="of `adu run --save`")
    add("--clip", metavar="CLIP", help="if it is not where the adapter says")
    add(
        "--reference",
        metavar="CLIP",
        help="a CLIP that never saw what is forgotten: `adu pretrain --without DOMAIN` makes one",
    )
    add("--data", metavar="world|KIND:PLACE", help="the pictures, if not those of the run")
    add("--limit", type=options.count(1), help="measure on so many per class and domain")
    add(
        "--stolen",
        type=options.count(1),
        default=16,
        help="labelled pictures of each class in each domain that an attacker has (16, or all)",
    )
    add(
        "--tries",
        type=options.count(1),
        default=200,
        help="mixtures of changes that an attacker tries on the model, to find the best (200)",
    )
    add(
        "--require",
        action="append",
        default=[],
        metavar="SCORE>=NUMBER",
        help="end with 1 if a score is not met; scores: see the model card",
    )
    add("--save", metavar="DIR", help="where the record, the card and the figure go")
    options.add_device(command)


def do(arguments: argparse.Namespace) -> int:
    """Check everything, audit, print, keep; 1 if a requirement is not met."""
    folder = Path(arguments.save or arguments.adapter)
    options.check_writable(folder, "--save", folder=True)

    from tqdm import tqdm

    from adu_core.audit.audit import PARTS, SCORES, audit, shown, spread
    from adu_core.audit.card import card
    from adu_core.audit.disguises import disguises
    from adu_core.audit.gather import check, gather, run_of
    from adu_core.audit.requirements import failed, requirement
    from adu_core.data.sources import listed
    from adu_core.machine.files import write_json, write_text
    from adu_core.rivals.saved import fingerprint

    requirements = [requirement(text) for text in arguments.require]
    check_device(arguments.device)
    clip = clip_from(arguments.clip) if arguments.clip else None
    reference = clip_from(arguments.reference) if arguments.reference else None
    spec = run_of(arguments.adapter, clip=clip, data=arguments.data, limit=arguments.limit)
    data = listed(spec.data)
    check(arguments.adapter, spec, data)
    device, audited = resolved(arguments.device, spec.clip), fingerprint(arguments.adapter)
    options.say_where(arguments, [spec.clip])
    found = gather(
        arguments.adapter,
        spec,
        data=data,
        reference=reference,
        stolen=arguments.stolen,
        device=device,
    )
    about = {key: getattr(spec, key) for key in ("data", "shots", "seed", "limit")}
    about |= {"stolen": found.stolen_each, "date": date.today().isoformat()}
    parts = PARTS | {"disguises": partial(disguises, tries=arguments.tries)}
    record = audit(found, about, lambda names: tqdm(names, "auditing", leave=False), parts)
    record["adapter"] = audited
    write_json(folder / "audit.json", record)
    write_text(folder / "MODEL_CARD.md", card(record))

    from adu_core.show.audit_figure import audit_figure  # late: drawing takes seconds to import
    from adu_core.show.figures import save

    save(audit_figure(record), folder / "audit.png")
    for row in record["undo"]:
        print(f"{row['right']:>10.1f} %  {row['holder']}: {row['does']}")
    print()
    for name, what in SCORES.items():
        found_in = spread(record["intervals"][name])
        print(f"{shown(name, record['scores'][name]):>12}{found_in:>14}  {name}: {what}")
    print(f"\nsaved in {folder}: audit.json, audit.png, MODEL_CARD.md")
    missed = failed(requirements, record)
    for wanted, bound in missed:
        score, side = record["scores"][wanted.score], "low" if wanted.sign > "=" else "high"
        print(
            f"not met: {wanted}, but {wanted.score} is {shown(wanted.score, score)}, and its "
            f"interval over test pictures goes as {side} as {shown(wanted.score, bound)}"
        )
    return 1 if missed else 0
