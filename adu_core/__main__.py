"""``python -m adu_core`` is ``adu``."""

from adu_core.cli import command

if __name__ == "__main__":  # spawned workers import this file too
    command()
