"""Writes the repository's address everywhere that needs it, or takes it out again.

    python book/_ext/address.py https://github.com/OWNER/NAME
    python book/_ext/address.py --unset
    python book/_ext/address.py --check

Its place is `[project.urls] Repository` in pyproject.toml; without one, there is no such line.
From there it gets into book/_config.yml and the first code cell of every notebook. Every file is
edited as text: comments stay, and setting and unsetting leaves the bytes as they were.
"""

import argparse
import re
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VALID = re.compile(r"https://[\w.-]+(:\d+)?/[\w.-]+/[\w.-]+(?<!\.git)", re.ASCII)


def substitute(pattern: str, replacement: str, text: str) -> str:
    """Replaces what must be there."""
    text, count = re.subn(pattern, replacement, text, flags=re.MULTILINE)
    if not count:
        raise ValueError(f"no line matches {pattern}")
    return text


def pyproject(text: str, url: str) -> str:
    """A table of its own before the scripts, unless there is one with other addresses."""
    text = re.sub(r'^Repository = ".*"\n', "", text, flags=re.MULTILINE)
    text = text.replace("[project.urls]\n\n", "")
    if not url:
        return text
    if "[project.urls]\n" not in text:
        text = substitute(r"^\[project\.scripts\]$", r"[project.urls]\n\n\g<0>", text)
    return substitute(r"^\[project\.urls\]\n", rf'\g<0>Repository = "{url}"\n', text)


def config(text: str, url: str) -> str:
    """What the book's theme needs for its links to the repository and its issues."""
    text = re.sub(r"^repository:\n  url: .*\n  branch: main\n", "", text, flags=re.MULTILINE)
    if url:
        text = substitute("^html:$", rf"repository:\n  url: {url}\n  branch: main\n\g<0>", text)
    for button in ("issues", "repository"):
        pattern = rf"^(  use_{button}_button:) (?:true|false)\b"
        text = substitute(pattern, rf"\g<1> {'true' if url else 'false'}", text)
    return text


def notebook(text: str, url: str) -> str:
    """The line of the cell that fetches the book on Colab."""
    return substitute(
        r'(ADDRESS = \\")[^"\\]*(\\"  # of the repository)', rf"\g<1>{url}\g<2>", text
    )


def stamped(url: str) -> dict[Path, bytes]:
    """The files that the address changes, as they are to be."""
    places = {ROOT / "book/_config.yml": config, ROOT / "pyproject.toml": pyproject}
    places |= dict.fromkeys(sorted((ROOT / "notebooks").glob("*.ipynb")), notebook)
    changed = {}
    for path, edit in places.items():
        old = path.read_bytes()
        try:
            new = edit(old.decode(), url).encode()
        except ValueError as error:
            raise ValueError(f"{path.relative_to(ROOT).as_posix()}: {error}") from None
        if new != old:
            changed[path] = new
    return changed


def main(argv: Sequence[str] | None = None) -> int:
    """The program."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("url", nargs="?", help="https://HOST/OWNER/NAME")
    what.add_argument("--unset", action="store_true", help="take the address out")
    what.add_argument("--check", action="store_true", help="fail if the places disagree")
    arguments = parser.parse_args(argv)
    url = arguments.url or ""
    if arguments.check:
        project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        url = project.get("urls", {}).get("Repository", "")
    try:
        if (url or arguments.url is not None) and not VALID.fullmatch(url):
            raise ValueError(f"not an address like https://HOST/OWNER/NAME: {url!r}")
        changed = stamped(url)
    except ValueError as error:
        print(f"address.py: {error}", file=sys.stderr)
        return 2
    for path, content in changed.items():
        name = path.relative_to(ROOT).as_posix()
        if arguments.check:
            print(f"{name} does not have the address {url!r} of pyproject.toml", file=sys.stderr)
        else:
            temporary = path.with_name(f"{path.name}.new")
            temporary.write_bytes(content)
            temporary.replace(path)  # all of the file or nothing
            print(name)
    return int(arguments.check and bool(changed))


if __name__ == "__main__":
    sys.exit(main())
