"""``python -m adu_core`` is ``adu``."""

import sys

from adu_core.cli import main

if __name__ == "__main__":  # spawned workers import this file too
    sys.exit(main())
