"""Methods and their settings.

What each method is, what it changes, and, for one that is named, every setting of it.
"""

from __future__ import annotations

import argparse
import textwrap

from adu_core.rivals.methods import METHODS

SUMMARY = "list the methods, or the settings of one"
EXAMPLES = "examples:\n  adu methods\n  adu methods gate\n"


def add(command: argparse.ArgumentParser) -> None:
    """The options."""
    command.add_argument(
        "name", nargs="?", choices=tuple(METHODS), metavar="NAME", help="its settings (all methods)"
    )


def do(arguments: argparse.Namespace) -> None:
    """Print."""
    from dataclasses import fields

    from adu_core.dataset import KINDS
    from adu_core.rivals.methods import method

    if arguments.name is None:
        print(f"{'method':<11}{'changes':<10}{'forgets':<9}what it is")
        for name in METHODS:
            made = method(name)
            forgets = "all" if made.kinds == set(KINDS) else ", ".join(sorted(made.kinds))
            print(f"{name:<11}{made.changes:<10}{forgets:<9}{made.summary} ({made.source})")
        return
    made = method(arguments.name)
    print(f"{made.name}: {made.summary} ({made.source})")
    print(f"changes {made.changes}; undo: {made.undo}; needs {made.needs}")
    print(f"can forget {', '.join(sorted(made.kinds))}\n")
    small, search = made.small, made.search()
    for each in fields(made):
        values = [f"default {getattr(made, each.name)}"]
        if each.name in small:
            values.append(f"small CLIPs {small[each.name]}")
        if each.name in search:
            values.append(f"searched {', '.join(map(str, search[each.name]))}")
        line = f"{each.metadata['help']} ({'; '.join(values)})"
        name = f"  {each.name:<20}"
        print(textwrap.fill(line, 96, initial_indent=name, subsequent_indent=" " * 22))
