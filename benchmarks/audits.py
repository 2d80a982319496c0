"""Audit every method of a bench, each with the settings that the bench chose.

One model of each is made with the seed that is named and audited against a CLIP that never saw
what is forgotten, if there is one. Audits that are there already are not made again. A method that
the bench has no record of gets its defaults.

Run: python benchmarks/audits.py --forget sketch --reference CLIP --save book/results/audit
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

from adu_core.cli import main as adu
from adu_core.machine.files import read_json, write_json
from adu_core.rivals.methods import method
from adu_core.runs.record import read_record, record_paths

BENCH = Path(__file__).parents[1] / "book/results/bench/world/runs"


def settings(made: dict[str, Any]) -> list[str]:
    """What ``--set`` takes, of every setting of a method but those that its name says."""
    words = []
    for key, value in made["settings"].items():
        if key in {"instapg", "ddl"}:
            continue
        text = "+".join(map(str, value)) if isinstance(value, list) else value
        words += ["--set", f"{key}={text if isinstance(text, str) else json.dumps(text)}"]
    return words


def main() -> None:
    """Make, audit, keep, one method after the other."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--bench", type=Path, default=BENCH, metavar="DIR", help="its records")
    parser.add_argument("--clip", help="its records with this CLIP, where it has several")
    parser.add_argument("--methods", metavar="A,B,…", help="some of them (default: all)")
    parser.add_argument("--forget", required=True, metavar="DOMAIN")
    parser.add_argument("--reference", metavar="CLIP", help="one that never saw the domain")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--save", type=Path, required=True, metavar="DIR")
    arguments = parser.parse_args()
    made = [read_record(path)["config"] for path in record_paths(arguments.bench)]
    asked = [each for each in made if arguments.clip in (None, each["clip"]["name"])]
    configs = {each["method"]["name"]: each for each in asked}
    if not configs:
        parser.error(f"{arguments.bench} has no record of the CLIP {arguments.clip}")
    for name in arguments.methods.split(",") if arguments.methods else configs:
        base = next(iter(configs.values()))
        config = configs.get(name) or base | {"method": method(name, "mini").as_dict()}
        kept = arguments.save / f"{arguments.forget}-{name}" / "audit.json"
        if kept.exists():
            continue
        with tempfile.TemporaryDirectory() as folder:
            clip = ":".join(filter(None, (config["clip"]["name"], config["clip"]["pretrained"])))
            about = ["--clip", clip]
            for key in ("data", "shots", "limit"):
                about += [] if config[key] is None else [f"--{key}", str(config[key])]
            words = ["--method", name, "--forget", arguments.forget, "--seed", str(arguments.seed)]
            _do("run", *about, *words, *settings(config["method"]), "--save", folder)
            against = ["--reference", arguments.reference] if arguments.reference else []
            _do("audit", folder, *against)
            write_json(kept, read_json(Path(folder) / "audit.json"))


def _do(*words: str) -> None:
    status = adu(list(words))
    if status:
        raise SystemExit(status)


if __name__ == "__main__":
    main()
