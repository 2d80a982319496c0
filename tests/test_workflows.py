"""The workflows ask for things that exist, for the right Pythons, and for few permissions."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
# A path of the repository in a command: not in a variable, an option, an address or an expression.
TOP = "|".join(
    re.escape(path.name) for path in ROOT.iterdir() if path.name not in {".venv", "build", ".git"}
)
NAMED = re.compile(rf"(?<![\w./$~-])(?:\./)?((?:{TOP}|\.ci|\.github)(?:/[\w.*/-]*\w)?)(?![\w(])")


@pytest.fixture(params=WORKFLOWS, ids=lambda path: path.stem)
def workflow(request: pytest.FixtureRequest) -> dict[Any, Any]:
    content: dict[Any, Any] = yaml.safe_load(request.param.read_text(encoding="utf-8"))
    return content


def steps(workflow: dict[Any, Any]) -> list[dict[str, Any]]:
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


def commands(workflow: dict[Any, Any]) -> str:
    """What the steps run, and the programs that they carry in their environment."""
    lines = [step.get("run", "") for step in steps(workflow)]
    lines += [str(value) for step in steps(workflow) for value in step.get("env", {}).values()]
    return re.sub(r"\\\n\s*", "", "\n".join(lines))


def test_there_are_workflows() -> None:
    assert {path.stem for path in WORKFLOWS} >= {"test", "pages", "colab", "links"}


def test_a_workflow_has_a_name_and_says_when_it_runs(workflow) -> None:
    assert workflow["name"]
    assert workflow[True], "YAML takes the key `on` for True"
    assert "pull_request_target" not in workflow[True], "it runs strangers' code with our token"


def test_every_make_target_exists(workflow) -> None:
    targets = set(re.findall(r"^([a-z]+):", MAKEFILE, re.MULTILINE))
    for target in re.findall(r"(?:^|&& |; )make\b([^\n&;|]*)", commands(workflow), re.MULTILINE):
        words = [word for word in target.split() if re.fullmatch("[a-z]+", word)]
        assert words, f"make{target} names no target"
        assert set(words) <= targets, f"there is no make {' '.join(words)}"


def test_every_path_exists(workflow) -> None:
    named = NAMED.findall(commands(workflow))
    named += [path for step in steps(workflow) for path in NAMED.findall(step.get("if", ""))]
    named += re.findall(r"(?:-r|--config|--toc) ([\w./]+)", commands(workflow))
    named += re.findall(r"hashFiles\('([^']+)'\)", str(workflow))
    for path in named:
        assert list(ROOT.glob(path)), f"{path} does not exist"


def test_the_search_for_paths_finds_them() -> None:
    named = NAMED.findall("cd x; .ci/run && ls notebooks/*.ipynb -r requirements.lock build/book")
    assert named == [".ci/run", "notebooks/*.ipynb", "requirements.lock"]
    assert NAMED.findall("--config book/_confg.yml") == ["book/_confg.yml"]


def test_permissions_are_few_and_jobs_end(workflow) -> None:
    assert workflow["permissions"]["contents"] == "read"
    allowed = {"contents", "issues", "pull-requests"}
    for job in workflow["jobs"].values():
        assert 0 < job["timeout-minutes"] <= 360
        assert set(job.get("permissions", {})) <= allowed
        if job.get("permissions", {}).get("contents") == "write":
            assert not re.search(
                r"\b(make|pip|python3?|pytest)\b", commands({"jobs": {"": job}})
            ), "who may write runs nothing that a pull request brings"
    assert set(workflow["permissions"]) <= allowed
    assert workflow["concurrency"]["cancel-in-progress"] is True


def test_actions_are_githubs_own_and_have_a_major_version(workflow) -> None:
    for step in steps(workflow):
        if "uses" in step:
            assert re.fullmatch(r"actions/[a-z-]+(/[a-z]+)?@v\d+", step["uses"]), step["uses"]


def test_one_action_has_one_version_everywhere() -> None:
    versions: dict[str, set[str]] = {}
    for path in WORKFLOWS:
        for action, version in re.findall(
            r"uses: (actions/[a-z-]+)\S*@(\S+)", path.read_text("utf-8")
        ):
            versions.setdefault(action, set()).add(version)
    assert versions
    assert all(len(each) == 1 for each in versions.values()), versions


def test_nothing_fetched_is_piped_into_a_shell(workflow) -> None:
    assert not re.search(r"\b(curl|wget)\b[^\n;]*\|\s*(sudo\s+)?\w*sh\b", commands(workflow))
    assert not re.search(r"\b\w*sh\b[^\n]*(<\(|\$\()\s*(curl|wget)\b", commands(workflow))


def test_what_strangers_write_gets_into_no_command(workflow) -> None:
    for step in steps(workflow):
        for name in re.findall(r"\$\{\{\s*(.*?)\s*\}\}", step.get("run", "")):
            assert name in {"github.server_url", "github.repository"}, name


def test_the_oldest_and_the_newest_python_are_tested_everywhere() -> None:
    content = yaml.safe_load((ROOT / ".github/workflows/test.yml").read_text(encoding="utf-8"))
    matrix = content["jobs"]["locked"]["strategy"]["matrix"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    pythons = [tuple(map(int, python.split("."))) for python in matrix["python"]]
    assert f">={matrix['python'][0]}" == project["requires-python"]
    assert len(pythons) >= 2
    assert pythons == sorted(set(pythons))
    assert {name.partition("-")[0] for name in matrix["os"]} == {"ubuntu", "macos", "windows"}


def test_the_book_is_deployed_with_its_address() -> None:
    content = yaml.safe_load((ROOT / ".github/workflows/pages.yml").read_text(encoding="utf-8"))
    lines = [step.get("run", "") for step in content["jobs"]["build"]["steps"]]
    stamp = "make address URL=${{ github.server_url }}/${{ github.repository }}"
    assert lines.index(stamp) < lines.index("make book")
