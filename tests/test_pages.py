"""The pages hold what they promise: files, pictures, commands and names."""

import ast
import contextlib
import io
import re
import shlex
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

import adu_core
from adu_core import ABLATION
from adu_core.cli import COMMANDS, main, parser
from adu_core.data.grammar import drawn
from adu_core.data.world import DOMAINS, SEEN
from adu_core.machine.files import read_json
from adu_core.rivals.methods import METHODS, from_dict, method
from adu_core.runs.grid import read_grids
from adu_core.runs.record import read_record, record_paths
from adu_core.runs.records import differences, read_table, summary
from adu_core.runs.tune import beyond

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "book").rglob("*.md"))]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PICTURE = re.compile(r"!\[(?P<alt>[^]]*)\]\((?P<path>[^)]+)\)")
FIGURE = re.compile(r"^```\{figure\} (?P<path>\S+)\n(?::alt: (?P<alt>.*)\n)?", re.MULTILINE)
#: Pictures that book/_ext draws when the book is built.
DRAWN = {"static/method.svg", "static/bench.svg"}
LINK = re.compile(r"(?<!!)\[[^]]+\]\((?!https?:)([^)#]+)")


@pytest.fixture(params=PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def page(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


def test_the_contents_are_the_pages_and_the_notebooks():
    contents = (ROOT / "book/_toc.yml").read_text(encoding="utf-8")
    listed = re.findall(r"(?:root|file): (\S+)", contents)
    files = [*(ROOT / "book").rglob("*.md"), *(ROOT / "notebooks").glob("*.ipynb")]
    there = [path.relative_to(ROOT).with_suffix("").as_posix() for path in files]
    assert sorted(listed) == sorted(there)


def test_every_chapter_has_its_place_in_the_diagram():
    program = (ROOT / "book/_ext/diagram.py").read_text(encoding="utf-8")
    chapters = sorted(path.name[:2] for path in (ROOT / "notebooks").glob("*.ipynb"))
    assert re.findall(r'^    "(\d\d)": ', program, re.MULTILINE) == chapters


def test_a_page_has_one_title(page):
    prose = FENCE.sub("", page.read_text(encoding="utf-8"))
    assert len(re.findall(r"^# \S", prose, re.MULTILINE)) == 1


def test_pictures_and_links_lead_to_files_and_pictures_have_a_text(page):
    text = page.read_text(encoding="utf-8")
    for picture in (*PICTURE.finditer(text), *FIGURE.finditer(text)):
        if picture["path"] not in DRAWN:
            assert (page.parent / picture["path"]).is_file(), picture["path"]
        assert len(picture["alt"] or "") > 20, f"{picture['path']} has no alternative text"
    for link in LINK.findall(text):
        assert (page.parent / link).is_file(), link


def test_the_readme_shows_the_picture_that_make_figures_makes():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    shown = PICTURE.search((ROOT / "README.md").read_text(encoding="utf-8"))
    assert shown is not None
    assert shown["path"] == "book/static/before_after.png"
    assert re.search(r"^figures:.*\n(?:\t.*\n)*\t.*book/before_after\.py", makefile, re.M)
    script = (ROOT / "book/before_after.py").read_text(encoding="utf-8")
    assert 'STATIC / "before_after.png"' in script


def test_commands_on_a_page_can_be_typed(page):
    text = page.read_text(encoding="utf-8")
    for line in "\n".join(block for _, block in FENCE.findall(text)).splitlines():
        program, *words = shlex.split(line) if "adu " in line[:15] else [""]
        if program.endswith("adu"):
            parser().parse_args(words)  # SystemExit if it is not understood


def test_files_that_a_page_names_are_there(page):
    text = re.sub(r"rivals/(test_)?ncm\.py", "", page.read_text(encoding="utf-8"))  # made there
    file = r"\b(?:tests|benchmarks|adu_core|book)/[\w/.-]+\.(?:py|md|json|yml)"
    for name in re.findall(file, text):
        assert (ROOT / name).is_file(), name


@pytest.fixture(scope="module")
def helps() -> dict[str, str]:
    """What ``adu COMMAND --help`` says of each command."""
    found = {}
    for name in COMMANDS:
        said = io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.suppress(SystemExit):
            main([name, "--help"])
        found[name] = said.getvalue()
    return found


def test_commands_in_a_sentence_exist_with_their_options(page, helps):
    text = page.read_text(encoding="utf-8")
    for words in re.findall(r"`(?:\.venv/bin/)?adu ([a-z][^`]*)`", text):
        command, *options = re.findall(r"^[a-z]+|--[a-z]+", words)
        assert all(option in helps[command] for option in options), words


def test_python_on_a_page_compiles_and_imports_names_that_exist(page):
    for language, block in FENCE.findall(page.read_text(encoding="utf-8")):
        for node in ast.walk(ast.parse(block)) if language == "python" else ():
            if isinstance(node, ast.ImportFrom) and node.module == "adu_core":
                for alias in node.names:
                    assert alias.name in adu_core.__all__


def test_every_module_is_on_a_page_of_the_api():
    pages = "\n".join(p.read_text(encoding="utf-8") for p in (ROOT / "book/api").glob("*.md"))
    shown = re.findall(r"^\.\. automodule:: (\S+)$", pages, re.MULTILINE)
    assert len(shown) == len(set(shown))
    known = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for path in (ROOT / "adu_core").rglob("*.py")
    }
    # The world's drawings, one file a command; and a new method needs no page.
    inside = ("adu_core.data.world.", "adu_core.cli.", "adu_core.rivals.methods.")
    for name, path in known.items():
        if path.name not in ("__init__.py", "__main__.py") and not name.startswith(inside):
            assert name in shown, f"{name} is on no page of book/api"
    assert set(shown) <= known.keys()


def test_every_command_is_on_the_page_that_lists_them():
    cli = (ROOT / "book/api/cli.md").read_text(encoding="utf-8")
    for name in COMMANDS:
        assert f"| `adu {name}` |" in cli


def test_methods_that_pages_list_exist():
    page = (ROOT / "book/howto/choose.md").read_text(encoding="utf-8")
    section = page.split("## The methods\n")[1].split("\n## ")[0]
    listed = re.findall(r"`([^`]+)`", "".join(re.findall(r"^\| (.+?) \|", section, re.MULTILINE)))
    related = (ROOT / "book/related-work.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([^`]+)` \|", related, re.MULTILINE)
    assert len(listed) > 14
    assert len(rows) > 9
    assert set(listed) | set(rows) <= METHODS.keys()


def test_the_table_of_defaults_for_small_clips_is_that_of_the_records():
    notes = (ROOT / "book/design-notes.md").read_text(encoding="utf-8")
    known = {name: method(name, "mini") for name in ABLATION}
    first = replace(known["full"], instapg_block=1)
    for said, wanted in (
        ("baseline, forget weight 0.3", known["baseline"]),
        ("instapg", known["instapg"]),
        ("ddl", known["ddl"]),
        ("full, InstaPG before block 0", known["full"]),
        ("full, InstaPG before block 1", first),
    ):
        cells = []
        for data in ("world", "pacs"):
            paths = record_paths(ROOT / "book/results/tuning/small" / data)
            records = [read_record(path) for path in paths]
            found = [r for r in records if from_dict(r["config"]["method"], "record") == wanted]
            assert len(found) == 2
            cells.append(f"{sum(r['after']['metrics']['h'] for r in found) / 2:.1f}")
        assert f"| {said} | {' | '.join(cells)} |" in notes


@pytest.fixture(scope="module")
def bench() -> dict[str, pd.DataFrame]:
    """The means of the book's bench by method."""
    folders = {data: ROOT / "book/results/bench" / data / "runs" for data in ("world", "pacs")}
    tables = {data: read_table(folder) for data, folder in folders.items()}
    for table in tables.values():  # one set of settings each, four domains, three seeds
        settings = [name for name in table.attrs["settings"] if name in table]
        assert (table.groupby("method")[settings].nunique() <= 1).all(axis=None)
        assert table["method"].value_counts().to_dict() == dict.fromkeys(METHODS, 4 * 3)
    means = {data: summary(table).set_index("method") for data, table in tables.items()}
    return {data: table.sort_values("h", ascending=False) for data, table in means.items()}


@pytest.mark.parametrize("data", ["world", "pacs"])
def test_a_chosen_value_at_an_end_of_what_was_tried_is_named(data):
    """A search that stops at an end may have stopped too early: the records' page says where."""
    folder, ends = ROOT / "book/results/bench" / data, set()
    methods = {
        part: {
            from_dict(read_record(path)["config"]["method"], "record")
            for path in record_paths(folder / part)
        }
        for part in ("runs", "trials")
    }
    for chosen in methods["runs"]:
        tried = [made for made in methods["trials"] if made.name == chosen.name]
        for further in beyond(chosen, tried):
            (name,) = (
                name for name in chosen.search() if getattr(further, name) != getattr(chosen, name)
            )
            ends.add(f"`{name}` of `{chosen.name}`")
    page = (ROOT / "book/results/README.md").read_text(encoding="utf-8")
    said = page.split(f"At an end of what was tried in `bench/{data}`")[1].split(".")[0]
    assert set(re.findall(r"`[^`]+` of `[^`]+`", said)) == ends


@pytest.mark.parametrize(
    ("data", "others"), [("world", "other_clips"), ("pacs", "other_clips_pacs")]
)
def test_other_clips_have_the_settings_that_the_bench_chose(data, others):
    bench, others = (
        {repr(read_record(path)["config"]["method"]) for path in record_paths(ROOT / folder)}
        for folder in (f"book/results/bench/{data}/runs", f"book/results/{others}")
    )
    assert others == bench


def test_the_readmes_finding_is_that_of_the_records(bench):
    """Its numbers, and what it says of them: far ahead, and on PACS less than the baseline."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    finding = readme.split("<!-- finding -->\n")[1].split("<!-- /finding -->")[0]
    found = read_table(ROOT / "book/results/corrupted")
    gate, full, nothing = (
        summary(found.query(query), also=["h_corrupted", "ceiling"]).iloc[0]
        for query in ("noisy == 0", "method == 'full'", "method == 'zero-shot'")
    )
    real, on_pacs = bench["pacs"], read_table(ROOT / "book/results/bench/pacs/runs")
    numbers = [
        *(f"{row['h']:.1f} ± {row['h ±']:.1f}" for row in (gate, full)),
        f"{nothing['h']:.1f}",
        f"{gate['ceiling']:.1f}",
        *(f"{row['h_corrupted']:.1f}" for row in (gate, full)),
        f"{real.loc['late-gate', 'h']:.1f} ± {real.loc['late-gate', 'h ±']:.1f}",
        f"{on_pacs['ceiling'].mean():.1f}",
        *(f"{real.loc[it, 'h']:.1f} ± {real.loc[it, 'h ±']:.1f}" for it in ("full", "baseline")),
        f"{real.loc['zero-shot', 'h']:.1f}",
    ]
    assert re.findall(r"\d+\.\d(?: ± [\d.]+)?", finding) == numbers
    for end in ("h", "h_corrupted"):  # far ahead
        assert gate[end] - gate[f"{end} ±"] > full[end] + full[f"{end} ±"] + 10
    apart = differences(on_pacs, "full").query("forget == 'mean'").set_index("method")
    for name, least in (("baseline", 0), ("late-gate", 10)):
        assert apart.loc[name, "difference"] - apart.loc[name, "±"] > least


#: The names in PACS's folders, which are not in this repository.
PACS = (
    ("dog", "elephant", "giraffe", "guitar", "horse", "house", "person"),
    ("art painting", "cartoon", "photo", "sketch"),
)
GRIDS = sorted((ROOT / "book/results").rglob("grid.yml"))


@pytest.mark.parametrize("path", GRIDS, ids=lambda path: path.parent.name)
def test_a_grids_records_are_those_it_asks_for(path, monkeypatch):
    monkeypatch.chdir(ROOT)

    def names(data):
        return (SEEN, DOMAINS) if drawn(data) else PACS

    specs = [spec for grid in read_grids(path) for spec in grid.specs(names)]
    wanted = {f"{spec.name}.json" for spec in specs}
    assert wanted == {each.name for each in record_paths(path.parent)}


def test_what_clips_know_that_never_saw_a_domain_is_their_records():
    notes = (ROOT / "book/design-notes.md").read_text(encoding="utf-8")
    said = re.search(
        r"lean towards them, names ([\d.]+) % of them all the same, and one without photos "
        r"([\d.]+) % of those",
        notes,
    )
    assert said
    for number, domain in zip(said.groups(), ("sketch", "real"), strict=True):
        record = read_json(ROOT / f"book/results/clips/without_{domain}.json")
        assert record["data"]["without"] == [domain]
        assert f"{record['zero_shot']['accuracy'][domain]:.1f}" == number
