"""Execute one notebook with nbmake, and keep the copy with its outputs once every cell has run.

Run: python book/execute.py NOTEBOOK COPY.ipynb [--timeout SECONDS] (`make notebooks` does)

The kernel works in the copy's folder. No two kernels can meet: each has a new folder for its
sockets. (A TCP port is chosen while it is free and bound later, when another kernel may have it.)
A kernel that does not come up is started once more; nothing that happens in a cell is repeated.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

# Half of the start would go into jsonschema's grammar of web addresses: no notebook needs it.
sys.modules["rfc3987_syntax"] = None
# nbmake alone: other plugins of pytest that are installed would take longer to load than it does.
os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
# ruff: noqa: E402

import nbmake.nb_run
import pytest
from jupyter_client import KernelClient, KernelManager
from nbclient import NotebookClient

#: Where kernels' sockets are; Windows has none. Their paths must be shorter than TMPDIR may be.
SOCKETS = "/tmp" if os.name == "posix" else None


class Client(NotebookClient):
    """Gives each kernel addresses of its own, and a second start to one that does not come up."""

    place: str  # a new folder
    startup_timeout = 60  # seconds until a kernel is taken for one that does not come up
    starts = 0
    words: dict[str, Any]

    def create_kernel_manager(self) -> KernelManager:
        """A kernel that is to be started."""
        manager = super().create_kernel_manager()
        self.starts += 1
        if SOCKETS:
            manager.transport, manager.ip = "ipc", f"{self.place}/{self.starts}"
        return manager

    async def async_start_new_kernel(self, **words: Any) -> None:
        """Start it; ``words`` serve a second start as well."""
        self.words = words
        await super().async_start_new_kernel(**words)

    async def async_start_new_kernel_client(self) -> KernelClient:
        """Wait until the kernel answers, or until a second one does: no cell has run yet."""
        try:
            return await super().async_start_new_kernel_client()
        except RuntimeError as error:
            print(f"The kernel did not come up ({error}): once more.", file=sys.stderr)
        self.create_kernel_manager()
        await self.async_start_new_kernel(**self.words)
        return await super().async_start_new_kernel_client()


nbmake.nb_run.NotebookClient = Client


def main() -> None:
    """Execute, and say how long it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("notebook", type=Path)
    parser.add_argument("copy", type=Path)
    parser.add_argument("--timeout", type=int, default=600, help="seconds that one cell may take")
    parser.add_argument("--startup", type=int, default=60, help="and that a kernel's start may")
    arguments = parser.parse_args()
    source, copy, started = arguments.notebook, arguments.copy, time.perf_counter()
    copy.parent.mkdir(parents=True, exist_ok=True)
    partial = copy.with_name(f"partial-{copy.name}")
    try:
        shutil.copyfile(source, partial)
        words = ["-q", "-c", os.devnull, "-p", "no:cacheprovider", "-p", "nbmake.pytest_plugin"]
        words += ["--nbmake", "--overwrite", f"--nbmake-timeout={arguments.timeout}", str(partial)]
        Client.startup_timeout = arguments.startup
        with tempfile.TemporaryDirectory(prefix="kernel-", dir=SOCKETS) as Client.place:
            status = pytest.main(words)
        if status:
            sys.exit(f"{source}: it did not run to its end, see above")
        partial.replace(copy)
    except OSError as error:
        sys.exit(f"{source}: {error}")
    finally:
        partial.unlink(missing_ok=True)
    print(f"{source}: executed in {time.perf_counter() - started:.0f} s", flush=True)


if __name__ == "__main__":
    main()
