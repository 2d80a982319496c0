"""The numbers in the pages' sentences, computed from the records when the book is built.

A page writes ``{{ bench.world.full.h }}``; MyST's substitutions put in what ``values`` has under
that name. A name that is not there stops the build.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from cells import number, table
from knobs import knobs
from sphinx.application import Sphinx
from sphinx.config import Config

from adu_core.audit.audit import SCORES
from adu_core.audit.audits import NAME, read_audit, read_audits
from adu_core.data.grammar import drawn
from adu_core.machine.files import read_json
from adu_core.rivals.methods import target_from_dict
from adu_core.runs.fronts import confidence_interval
from adu_core.runs.protocol import PROTOCOLS
from adu_core.runs.records import read_table, summary


def values(results: Path) -> dict[str, Any]:
    """Every number, as text, by name; ``results`` is the folder of all records."""
    return {
        "bench": both(bench(results / "bench/world"), bench(results / "bench/pacs")),
        "clips": clips(results),
        "paper": paper(),
        "capacity": means(results / "capacity", ["method"]),
        "readers": readers(results / "corrupted"),
        "knobs": knobs(results),
        "audits": audits(results / "audit"),
        "audited_clips": audited_clips(results),
        "never": {name: never_seen(results / "clips", name) for name in ("sketch", "real")},
        "kills": kills(results / "promises/kills.json"),
        "machines": machines(results / "promises/machines.json"),
        "mutants": mutants(results / "promises/mutants.json"),
        "branches": branches(results / "promises/branches.json"),
        "speed": speed(results / "speed"),
        "pdf": "{download}`as one PDF <static/adu-book.pdf>`"
        if (results.parent / "static/adu-book.pdf").is_file()
        else "`make pdf`",
    }


def paper() -> dict[str, str]:
    """The paper's own table for one forgotten domain: H, and in brackets Mem and For."""
    shown = {
        "imagenet": "ImageNet",
        "office-home": "Office-Home",
        "mini-domainnet": "Mini DomainNet",
    }
    found = {name: PROTOCOLS[key].results[1] for key, name in shown.items()}
    rows = [
        [
            f"`{name}`",
            *(
                "{:.2f} ({:.2f}, {:.2f})".format(*known[name]) if name in known else "–"
                for known in found.values()
            ),
        ]
        for name in ("lp++", "clipfit", "bbf", "baseline", "instapg", "ddl", "full")
    ]
    return {"table": table(["method", *(f"{name}: H (Mem, For)" for name in found)], rows)}


def never_seen(folder: Path, domain: str) -> str:
    """How much of a domain a small CLIP names that never saw it, ``never.sketch``."""
    record = read_json(folder / f"without_{domain}.json")
    return number(record["zero_shot"]["accuracy"][domain])


def bench_rows(folder: Path) -> dict[str, dict[str, Any]]:
    """The means of a bench's records by method, the highest H first."""
    rows = summary(read_table(folder / "runs"), also=["h_held_out", "ceiling"]).set_index("method")
    return rows.sort_values("h", ascending=False).to_dict("index")


def bench(folder: Path) -> dict[str, dict[str, str]]:
    """``bench.world.full.h`` and the like, of the bench's table."""
    return {
        name: {
            "mem": number(row["mem"]),
            "for": number(row["for"]),
            "h": number(row["h"], row["h ±"]),
            "selectivity": number(row["selectivity"]),
            "held_out": number(row["h_held_out"]),
            "ceiling": number(row["ceiling"]),
        }
        for name, row in bench_rows(folder).items()
    }


def both(
    world: dict[str, dict[str, str]], pacs: dict[str, dict[str, str]]
) -> dict[str, dict[str, dict[str, str]] | str]:
    """The bench on both kinds of pictures, and one table of it in the order of the drawn world."""
    head = ["method", "Mem", "For", "H", "H on held-out classes", "H on PACS"]
    shown = ("mem", "for", "h", "held_out")
    rows = [
        [f"`{name}`", *(row[key] for key in shown), pacs[name]["h"]] for name, row in world.items()
    ]
    return {"world": world, "pacs": pacs, "table": table(head, rows)}


#: By kind of pictures, the CLIPs that the bench's chosen settings were tried on, and their records.
CLIPS = {
    "world": {"mini": "shipped", "second_clip": "another seed", "deep_clip": "twelve blocks"},
    "pacs": {"pacs_clip": "six blocks", "pacs_deep_clip": "twelve blocks"},
}
ON_CLIPS = {
    "world": ("bench/world/runs", "other_clips"),
    "pacs": ("bench/pacs/runs", "other_clips_pacs"),
}


def clips(results: Path) -> dict[str, Any]:
    """``clips.world.full.h`` over several CLIPs, and for each kind of pictures a table.

    Each CLIP counts with the mean over its domains and seeds; where there are three, intervals are
    over them. ``clips.order`` says in which order of H the methods are that the paper's table has,
    there and on each CLIP of the drawn world.
    """
    printed = {name: h for name, (h, *_) in PROTOCOLS["office-home"].results[1].items()}
    orders = {"in the paper (Office-Home, one domain)": pd.Series(printed)}
    cells: dict[str, Any] = {}
    for data, known in CLIPS.items():
        found = pd.concat([read_table(results / each) for each in ON_CLIPS[data]])
        found["clip"] = found["clip"].map(lambda name, known=known: known[Path(name).stem])
        each = summary(found, ["method", "clip"]).set_index(["method", "clip"])
        rows, cells[data] = [], {}
        first = next(iter(known.values()))
        for name in each.xs(first, level="clip").sort_values("h", ascending=False).index:
            scores = each.loc[name].loc[list(known.values())]
            over = {key: confidence_interval([*scores[key]]) for key in ("h", "selectivity")}
            shown = {
                key: number(mean, half) if len(known) > 2 else number(mean)
                for key, (mean, half) in over.items()
            }
            cells[data][name] = shown | {clip: number(value) for clip, value in scores["h"].items()}
            rows.append([f"`{name}`", *map(number, scores["h"]), *shown.values()])
        head = [*(f"H, {clip}" for clip in known.values()), "H, mean", "selectivity, mean"]
        cells[data]["table"] = table(["method", *head], rows)
        if data == "world":
            for clip in known.values():
                orders[f"here ({clip})"] = each.xs(clip, level="clip")["h"][[*printed]]
    order = "; ".join(
        f"{', '.join(f'`{name}`' for name in h.sort_values(ascending=False).index)} {place}"
        for place, h in orders.items()
    )
    right = read_table(results / "other_clips_pacs").query("method == 'zero-shot'")["mem"].mean()
    cells["pacs"]["right"] = number(right)
    return {**cells, "order": order}


def means(folder: Path, keys: list[str], also: Sequence[str] = ()) -> dict[str, Any]:
    """Means of a folder's records, by one key inside of another: ``capacity.gate.h``."""
    cells: dict[str, Any] = {}
    for row in summary(read_table(folder), keys, also).to_dict("records"):
        place = cells
        for key in keys:
            place = place.setdefault(_name(row[key]), {})
        place |= {name: number(row[name], row[f"{name} ±"]) for name in ("h", "selectivity", *also)}
        place |= {"mem": number(row["mem"]), "for": number(row["for"]), "seeds": str(row["seeds"])}
    return cells


def _name(key: object) -> str:
    """What a page calls a value of a column: data by its name and not by where it lies."""
    if isinstance(key, float):
        return "none" if key != key else f"{key:g}"
    if drawn(str(key)):
        return "world"
    return "pacs" if "pacs" in str(key) else str(key)


#: By what a gate reads, the records of ``corrupted`` it is in; and what no gate is.
READERS = {
    "words alone (`text-gate`)": "method == 'text-gate'",
    "features (`late-gate`)": "method == 'late-gate' and noisy == 0",
    "features, with noisy copies of the shots": "method == 'late-gate' and noisy == 8",
    "blocks 4 and 5": "first_block == 4",
    "blocks 1 to 4 (`gate`)": "reads == 'blocks' and first_block == 1 and blocks == 4",
    "blocks 1 and 2": "reads == 'blocks' and first_block == 1 and blocks == 2",
    "blocks 1 and 2, inside (`door`)": "method == 'door'",
    "pixels": "reads == 'pixels'",
    "no gate: `full`": "method == 'full'",
    "no gate: `zero-shot`": "method == 'zero-shot'",
}


def readers(folder: Path) -> dict[str, Any]:
    """A row for each place where a gate can read: H clean, corrupted, and under each corruption."""
    found = read_table(folder)
    kinds = [name.removeprefix("h.") for name in found if name.startswith("h.")]
    also = ["h_corrupted", "ceiling", *(f"h.{kind}" for kind in kinds)]
    rows, cells = [], {}
    for name, query in READERS.items():
        row = summary(found.query(query), also=also).iloc[0]
        values = {key: number(row[key], row[f"{key} ±"]) for key in ("h", "h_corrupted")}
        values |= {kind: number(row[f"h.{kind}"]) for kind in kinds}
        rows.append([name, *values.values()])
        cells[name] = {**values, "ceiling": number(row["ceiling"])}
    head = ["what is read", "H, clean", "H, mean of the corrupted", *kinds]
    return {**cells, "table": table(head, rows)}


#: Of an audit's scores, those that the table of all methods shows.
SHOWN = ("mem", "for", "probe", "inside", "relearned", "words", "disguised", "held_out_for")


def audits(folder: Path) -> dict[str, Any]:
    """A table for each forgotten domain, and every score as ``audits.sketch.full.probe``."""
    found = read_audits(folder)
    cells: dict[str, Any] = {}
    for forget, group in found.groupby("forget"):
        rows = group.sort_values("probe").to_dict("records")
        scores = {row["method"]: {name: number(row[name]) for name in SCORES} for row in rows}
        shown = [[f"`{name}`", *(one[score] for score in SHOWN)] for name, one in scores.items()]
        head = ["method", *(f"`{name}`" for name in SHOWN)]
        cells[str(forget)] = {**scores, "table": table(head, shown)}
    for path in folder.rglob(NAME):
        record = read_audit(path)
        if record["reference"] is not None:
            asked, once, learned = (record["relearning"]["reference"][at] for at in (0, 1, -1))
            read = record["recovery"]["reference"]["feature"]["probe"][-1]
            known = {"asked": asked, "probe": read, "taught_once": once, "relearned": learned}
            said = {name: number(value) for name, value in known.items()}
            cells[str(target_from_dict(record["forget"], path.name))]["never"] = said
    return cells


#: The folders of audits, by the CLIP.
AUDITED = {"shipped": "audit", "another seed": "audit_second"}


def audited_clips(results: Path) -> dict[str, str]:
    """A table of the methods that were audited on two CLIPs, the mean over the domains."""
    tables = {clip: read_audits(results / folder) for clip, folder in AUDITED.items()}
    rows = []
    for name in sorted(set.intersection(*(set(found["method"]) for found in tables.values()))):
        for clip, found in tables.items():
            means = found.query("method == @name")[[*SHOWN]].mean()
            rows.append([f"`{name}`, {clip}", *map(number, means)])
    return {"table": table(["method, CLIP", *(f"`{name}`" for name in SHOWN)], rows)}


def kills(path: Path) -> dict[str, str]:
    """How often what was killed, and that it ended the same."""
    works = read_json(path)["works"]
    rows = [[name, str(work["killed"]), str(work["same"])] for name, work in works.items()]
    return {
        "killed": str(sum(work["killed"] for work in works.values())),
        "same": str(sum(work["same"] for work in works.values())),
        "table": table(["work", "killed", "ended the same"], rows),
    }


#: What a page says in the place of a record that is not there.
MISSING = "*There is no record of it in this copy of the book; the command makes it.*"


def machines(path: Path) -> dict[str, str]:
    """What tests find with other processors' arithmetic, and how far accuracies move with it."""
    if not path.exists():
        return {"found": MISSING}
    played: Mapping[str, Any] = read_json(path)["machines"]
    rows = [
        [name, *(passed(machine.get(part)) for part in ("units", "notebooks"))]
        for name, machine in played.items()
    ]
    measured = [machine["accuracy"] for machine in played.values() if "accuracy" in machine]
    cases = next((domains for each in measured for domains in each.values()), ())
    by_method = sorted((-most, method, mean) for method, (mean, most) in moved(measured).items())
    still = [f"`{method}`" for most, method, _ in by_method if not most]
    moving = [
        [f"`{method}`", number(mean, digits=2), number(-most, digits=2)]
        for most, method, mean in by_method
        if most
    ]
    said = [
        table(["arithmetic", "unit tests passed", "notebooks passed"], rows),
        f"Each method was run with its default settings and one seed on {len(measured)} of these, "
        f"to forget {' and, by itself, '.join(cases)}. The table says how far apart the accuracies "
        "of one domain are, the highest and the lowest of these runs, in points: on average over "
        "the domains, and in the worst case.",
        table(["method", "on average", "at most"], moving),
    ]
    if still:
        said.append(f"Not by one picture: {', '.join(still)}.")
    return {"found": "\n\n".join(said)}


def passed(part: Mapping[str, int] | None) -> str:
    """``700 of 700``; – where the part was not run."""
    return f"{part['tests'] - part['failed']} of {part['tests']}" if part else "–"


def moved(measured: Sequence[Mapping[str, Any]]) -> dict[str, tuple[float, float]]:
    """By method, how far the accuracies of a domain lie apart: on average, and at most."""
    found = {}
    for method in measured[0] if measured else ():
        apart = [
            max(values) - min(values)
            for forget, domains in measured[0][method].items()
            for domain in domains
            for values in [[each[method][forget][domain] for each in measured]]
        ]
        found[method] = (sum(apart) / len(apart), max(apart))
    return found


def mutants(path: Path) -> dict[str, str]:
    """Changes of code that no test noticed, and why none could."""
    if not path.exists():
        return {"found": MISSING}
    parts: Mapping[str, Any] = read_json(path)["parts"]
    rows = [
        [name, str(part["made"]), str(part["noticed"]), str(len(part["survived"]))]
        for name, part in parts.items()
    ]
    reasons = [each["why"] for part in parts.values() for each in part["survived"]]
    counted = sorted({(-reasons.count(why), why) for why in reasons})
    made = sum(part["made"] for part in parts.values())
    said = [
        f"The code in this table was changed in {made:,} places, one at a time: another operator, "
        "another number, an argument left out.",
        table(["code", "changes", "noticed by a test", "not noticed"], rows),
        f"{len(reasons)} changes went unnoticed, and none of them changes a result on a CPU:",
        "\n".join(f"- {why} ({-count})" for count, why in counted),
    ]
    return {"found": "\n\n".join(said)}


def branches(path: Path) -> dict[str, str]:
    """The share of the branches that tests take, of all and of each folder."""
    if not path.exists():
        return {"found": MISSING}
    rooms = read_json(path)["rooms"]
    shares = {
        name: 100 * room["taken"] / room["branches"]
        for name, room in rooms.items()
        if room["branches"]
    }
    rows = [
        [f"`{name}`", str(rooms[name]["branches"]), number(share)]
        for name, share in shares.items()
        if name != "all"
    ]
    every = f"Of all branches of the library, the unit tests take {number(shares['all'])} %:"
    return {"found": f"{every}\n\n{table(['folder', 'branches', 'taken, %'], rows)}"}


def speed(folder: Path) -> dict[str, str]:
    """What the benchmarks found: ratios within one run."""
    step, decode = read_json(folder / "step.json"), read_json(folder / "decode.json")
    imports = read_json(folder / "imports.json")
    return {
        "limit": number(step["to_matmul_limit"], digits=2),
        "stock": number(step["stock_to_step"], digits=2),
        "memory": number(step["memory_to_bare"], digits=2),
        "decode": number(decode["cache"]["to_alone"], digits=2),
        "imports": number(imports["import adu_core"]["to_torch"], digits=2),
        "help": number(imports["adu --help"]["to_torch"], digits=2),
    }


def put_in(app: Sphinx, config: Config) -> None:
    """Give MyST the values."""
    config["myst_substitutions"] = values(Path(app.srcdir) / "book/results")


def setup(app: Sphinx) -> dict[str, bool]:
    """Sphinx calls this."""
    app.connect("config-inited", put_in)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
