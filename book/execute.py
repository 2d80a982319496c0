"""Execute one notebook, and write the copy with its outputs once every cell has run.

Run: python book/execute.py NOTEBOOK COPY.ipynb [--timeout SECONDS] (`make notebooks` does)

The kernel works in the notebook's folder. No two kernels can meet: each has a new folder for its
sockets. (A TCP port is chosen while it is free and bound later, when another kernel may have it.)
A kernel that does not come up is started once more; nothing that happens in a cell is repeated.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

# Half of a kernel's start would go into jsonschema's grammar of addresses: no notebook needs it.
sys.modules["rfc3987_syntax"] = None
# ruff: noqa: E402

import nbformat
from jupyter_client import AsyncKernelClient, AsyncKernelManager
from jupyter_client.kernelspec import NoSuchKernel
from nbclient import NotebookClient
from nbformat import NotebookNode

#: Where kernels' sockets are; Windows has none. Their paths must be shorter than TMPDIR may be.
SOCKETS = "/tmp" if os.name == "posix" else None
#: Seconds until a kernel must have answered.
PATIENCE = 60


async def start(
    name: str, folder: Path, sockets: str
) -> tuple[AsyncKernelManager, AsyncKernelClient]:
    """A kernel that has answered, its sockets' paths starting with ``sockets``, and a client."""
    manager = AsyncKernelManager(kernel_name=name)
    if SOCKETS:
        manager.transport, manager.ip = "ipc", sockets
    await manager.start_kernel(
        cwd=str(folder), extra_arguments=["--HistoryManager.hist_file=:memory:"]
    )
    client = manager.client()
    client.start_channels()
    try:
        await client.wait_for_ready(timeout=PATIENCE)
    except BaseException:
        client.stop_channels()
        await manager.shutdown_kernel(now=True)
        raise
    client.allow_stdin = False
    return manager, client


def judge(cell: NotebookNode, execute_reply: dict[str, Any], **_: object) -> None:
    """A figure that cannot be drawn once its cell is over is an error too, told as an output."""
    for output in cell.outputs:
        if output.output_type == "error":
            execute_reply["content"] |= {**output, "status": "error"}


async def execute(notebook: NotebookNode, folder: Path, timeout: int) -> None:
    """Run every cell in ``folder``, with one kernel; an error says which cell failed."""
    name = notebook.metadata.get("kernelspec", {}).get("name", "python3")
    with tempfile.TemporaryDirectory(prefix="kernel-", dir=SOCKETS) as place:
        try:
            manager, client = await start(name, folder, f"{place}/first")
        except RuntimeError as error:
            print(f"The kernel did not come up ({error}): once more.", file=sys.stderr)
            manager, client = await start(name, folder, f"{place}/again")
        begun: list[NotebookNode] = []
        runner = NotebookClient(
            notebook,
            km=manager,
            timeout=timeout,
            on_cell_execute=lambda cell, **_: begun.append(cell),
            on_cell_executed=judge,
        )
        runner.kc = client
        try:
            await runner.async_execute(cleanup_kc=True)
        except Exception as error:
            raise RuntimeError(f"code cell {len(begun)}: {error}".rstrip()) from None


def main() -> None:
    """Execute, and say how long it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("notebook", type=Path)
    parser.add_argument("copy", type=Path)
    parser.add_argument("--timeout", type=int, default=600, help="seconds that one cell may take")
    arguments = parser.parse_args()
    source, copy, started = arguments.notebook, arguments.copy, time.perf_counter()
    try:
        notebook = nbformat.read(source, as_version=4)
        with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:  # zmq's, on Windows
            runner.run(execute(notebook, source.parent, arguments.timeout))
    except (OSError, ValueError, RuntimeError, NoSuchKernel, nbformat.ValidationError) as error:
        sys.exit(f"{source}: {error}")
    copy.parent.mkdir(parents=True, exist_ok=True)
    partial = copy.with_suffix(".partial")
    nbformat.write(notebook, partial)
    partial.replace(copy)
    print(f"{source}: executed in {time.perf_counter() - started:.0f} s", flush=True)


if __name__ == "__main__":
    main()
