"""The frame holds together: one source of requirements, and what is promised can be run."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]


def text(path: str | Path) -> str:
    """A file of the repository."""
    return (ROOT / path).read_text(encoding="utf-8")


PYPROJECT = tomllib.loads(text("pyproject.toml"))
PROJECT = PYPROJECT["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
REQUIREMENTS = [
    Requirement(line)
    for line in [
        *PROJECT["dependencies"],
        *PYPROJECT["build-system"]["requires"],
        *(line for lines in EXTRAS.values() for line in lines),
    ]
]
LOCK = text("requirements.lock")
LOCKED = {
    canonicalize_name(name): Version(version)
    for name, version in re.findall(r"^([\w.-]+)==([\w.!+]+)", LOCK, re.MULTILINE)
}
CORE = sorted((ROOT / "adu_core").rglob("*.py"))


def test_requirements_are_ranges_and_none_is_named_twice():
    for requirement in REQUIREMENTS:
        operators = {specifier.operator for specifier in requirement.specifier}
        assert ">=" in operators, f"{requirement} has no lower bound"
        assert not operators & {"==", "===", "~="}, f"{requirement} is a pin"
    for lines in (PROJECT["dependencies"], *EXTRAS.values()):
        names = [canonicalize_name(Requirement(line).name) for line in lines]
        assert len(set(names)) == len(names)


@pytest.mark.parametrize("requirement", REQUIREMENTS, ids=str)
def test_the_lock_satisfies_every_requirement(requirement):
    version = LOCKED.get(canonicalize_name(requirement.name))
    assert version is not None, f"{requirement.name} is not in the lock: run `make lock`"
    assert version in requirement.specifier, f"{version} is locked: run `make lock`"


def test_the_lock_has_a_hash_for_every_version_and_names_no_host_and_no_folder():
    for entry in re.split(r"\n(?=\S)", LOCK.strip()):
        assert re.match(r"[\w.-]+==\S+( ; [^\n]+)? \\\n    --hash=sha256:[0-9a-f]{64}", entry), (
            entry
        )
    assert "://" not in LOCK
    assert "file:" not in LOCK
    assert not re.search(r"\s/\w", LOCK)


def test_environment_yml_only_points_to_pyproject():
    environment = yaml.safe_load(text("environment.yml"))
    python, pip, from_pip = environment["dependencies"]
    assert python == f"python{PROJECT['requires-python']}"
    assert pip == "pip"
    (editable,) = from_pip["pip"]
    extras = re.fullmatch(r"-e \.\[([\w,]+)\]", editable)
    assert extras, editable
    assert set(extras[1].split(",")) <= set(EXTRAS)


def test_the_makefile_asks_for_the_python_that_pyproject_asks_for():
    least = PROJECT["requires-python"].removeprefix(">=")
    makefile = text("Makefile")
    assert f"version_info < ({least.replace('.', ', ')})" in makefile
    assert f'python_version = "{least}"' in text("pyproject.toml")


def imports(path: Path) -> set[str]:
    """The top-level names that a file imports absolutely."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(text(path))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names.add(node.module.partition(".")[0])
    return names


def test_everything_that_adu_core_imports_is_a_declared_dependency():
    declared = {canonicalize_name(Requirement(line).name) for line in PROJECT["dependencies"]}
    declared |= {canonicalize_name(Requirement(line).name) for line in EXTRAS["cluster"]}
    distributions = packages_distributions()
    for path in CORE:
        for name in imports(path) - sys.stdlib_module_names - {"adu_core"}:
            providers = {
                canonicalize_name(provider) for provider in distributions.get(name, [name])
            }
            assert providers & declared, f"{path.name} imports {name}: declare it in pyproject.toml"


def test_every_declared_dependency_is_used():
    imported = set().union(*map(imports, CORE))
    distributions = packages_distributions()
    used = {canonicalize_name(d) for name in imported for d in distributions.get(name, [name])}
    declared = {canonicalize_name(Requirement(line).name) for line in PROJECT["dependencies"]}
    assert declared <= used


def test_the_commands_in_the_readme_exist():
    readme = text("README.md")
    makefile = text("Makefile")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    code = re.findall(r"^```(?:bash|sh|shell|console)?\n(.*?)^```|`([^`\n]+)`", readme, re.M | re.S)
    named = set(
        re.findall(r"\bmake ([a-z]+)", "\n".join(block or inline for block, inline in code))
    )
    assert named, "the README names no make command"
    assert named <= targets, f"there is no make {', '.join(sorted(named - targets))}"


def test_make_help_lists_every_target():
    makefile = text("Makefile")
    (phony,) = re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    for target in phony.split():
        assert re.search(rf"^{target}:.*## \S", makefile, re.MULTILINE), f"{target} has no ## line"


def test_the_version_is_the_same_everywhere():
    version = PROJECT["version"]
    citation = yaml.safe_load(text("CITATION.cff"))
    changelog = text("CHANGELOG.md")
    assert citation["version"] == version
    assert re.findall(r"^## \[(\S+)\]", changelog, re.MULTILINE)[0] == version
    assert citation["authors"] == PROJECT["authors"]


def test_the_package_ships_its_types_and_assets():
    patterns = PYPROJECT["tool"]["setuptools"]["package-data"]["adu_core"]
    for pattern in patterns:
        assert list((ROOT / "adu_core").glob(pattern)), f"nothing matches {pattern}"
