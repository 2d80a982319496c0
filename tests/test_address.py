"""The repository's address: one program writes it everywhere, and takes it out again."""

import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

URL = "https://github.com/someone/adu-book"
OTHER = "https://git.example.org:8443/a.b/c-d_e"


@pytest.fixture
def copy(repository: Path, tmp_path: Path) -> Path:
    """The files that know the address, without it, and the program."""
    for pattern in ("pyproject.toml", "book/_config.yml", "notebooks/*.ipynb"):
        for path in repository.glob(pattern):
            target = tmp_path / path.relative_to(repository)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    (tmp_path / "book/_ext").mkdir()
    shutil.copyfile(repository / "book/_ext/address.py", tmp_path / "book/_ext/address.py")
    run(tmp_path, "--unset")
    return tmp_path


def run(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(root / "book/_ext/address.py"), *words]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)


def contents(root: Path) -> dict[str, bytes]:
    files = (path for path in root.rglob("*") if path.is_file())
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}


def first_code_cell(path: Path) -> str:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return "".join(next(cell["source"] for cell in cells if cell["cell_type"] == "code"))


def test_every_place_gets_the_address(copy: Path) -> None:
    before = contents(copy)
    for url in (URL, OTHER):
        assert run(copy, url).returncode == 0
        project = tomllib.loads((copy / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        assert project["urls"] == {"Repository": url}
        config = yaml.safe_load((copy / "book/_config.yml").read_text(encoding="utf-8"))
        assert config["repository"] == {"url": url, "branch": "main"}
        assert config["html"]["use_repository_button"] is True
        assert config["html"]["use_issues_button"] is True
        notebooks = sorted(copy.glob("notebooks/*.ipynb"))
        assert notebooks
        for notebook in notebooks:
            assert f'\nADDRESS = "{url}"  # of the repository\n' in first_code_cell(notebook)
            name = notebook.relative_to(copy).as_posix()
            assert notebook.read_bytes().replace(url.encode(), b"") == before[name]
        assert contents(copy).keys() == before.keys(), "temporary files stay behind"


def test_an_address_written_twice_is_written_once_and_unset_takes_it_out(copy: Path) -> None:
    before = contents(copy)
    run(copy, URL)
    once = contents(copy)
    assert once != before
    second = run(copy, URL)
    assert (second.returncode, second.stdout) == (0, "")
    assert contents(copy) == once
    run(copy, OTHER)
    assert contents(copy) != once
    run(copy, URL)
    assert contents(copy) == once
    assert run(copy, "--unset").returncode == 0
    assert contents(copy) == before
    project = tomllib.loads((copy / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert "Repository" not in project.get("urls", {})


def test_other_addresses_and_comments_stay(copy: Path) -> None:
    path = copy / "pyproject.toml"
    more = '\n[project.urls]\nChangelog = "https://example.org/changes" # ours\n\n[project.scripts]'
    path.write_bytes(path.read_bytes().replace(b"\n[project.scripts]", more.encode()))
    before = contents(copy)
    run(copy, URL)
    urls = tomllib.loads(path.read_text(encoding="utf-8"))["project"]["urls"]
    assert urls == {"Repository": URL, "Changelog": "https://example.org/changes"}
    run(copy, "--unset")
    assert contents(copy) == before


#: What is no address of a repository.
WRONG = (
    "",
    "github.com/someone/adu-book",
    "http://github.com/someone/adu-book",
    "git@github.com:someone/adu-book",
    f"{URL}/",
    f"{URL}.git",
    f"{URL}/tree/main",
    "https://github.com/adu-book",
    "https://github.com/someone/adu book",
    'https://github.com/someone/adu"book',
    f"{URL}\n",
)


def test_what_is_no_address_is_refused_in_one_line(copy: Path) -> None:
    before = contents(copy)
    for url in WRONG:
        result = run(copy, url)
        assert result.returncode == 2, url
        assert len(result.stderr.splitlines()) == 1
        assert repr(url) in result.stderr
    assert contents(copy) == before


def test_nothing_is_written_when_a_place_is_missing(copy: Path) -> None:
    notebook = min(copy.glob("notebooks/*.ipynb"))
    notebook.write_bytes(notebook.read_bytes().replace(b"of the repository", b""))
    before = contents(copy)
    result = run(copy, URL)
    assert result.returncode == 2
    assert len(result.stderr.splitlines()) == 1
    assert notebook.name in result.stderr
    assert contents(copy) == before


@pytest.mark.parametrize("place", ["pyproject.toml", "book/_config.yml", "notebooks/*.ipynb"])
def test_check_fails_when_places_disagree(copy: Path, place: str) -> None:
    assert run(copy, "--check").returncode == 0
    run(copy, URL)
    assert run(copy, "--check").returncode == 0
    path = min(copy.glob(place))
    path.write_bytes(path.read_bytes().replace(URL.encode(), OTHER.encode()))
    before = contents(copy)
    result = run(copy, "--check")
    assert result.returncode == 1
    assert result.stderr
    assert contents(copy) == before, "--check writes nothing"


def test_the_places_of_this_repository_agree(repository: Path) -> None:
    result = run(repository, "--check")
    assert result.returncode == 0, result.stderr
