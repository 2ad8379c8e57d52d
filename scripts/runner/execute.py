"""Executes notebooks for the runner: one process, every notebook a task.

Reads one JSON object a line on stdin and writes one a line on stdout.

in:   {"id", "path", "text", "out", "cwd", "kernels", "kernel", "cellSeconds", "notebookSeconds",
       "mark": the variable that marks the processes of this notebook, "NAME=value",
       "env": other variables for the kernel,
       "probe": {"file", "url"} of the server's open requests, or null,
       "sources": {"<cell>": "<source>"},
       "cells": {"<cell>": {"raises": {"name", "message"}, "timeout": seconds}}}
out:  {"event": "ready"}
      {"id", "event": "starting" | "kernel" | "cell" | "ended" | "settling" | "done", ...}

When stdin ends, the runner is gone or wants no more: every kernel and what its cells started is
killed, and so is this process.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import shutil
import signal
import sys
import time
import typing as t
import warnings
from pathlib import Path

from processes import sweep

STARTUP_SECONDS = 60
STARTS = 3  # a kernel whose ports were taken in between is started again
TAIL = 16_000  # characters kept of what a kernel process itself prints
LINE = 300  # and of each line: Node shows the whole line of the source, which may be all of a minified file


class Pipe:
    """The last lines of what a kernel process prints; shown only if it dies."""

    def __init__(self) -> None:
        self.text = ""
        self._read, self.write = os.pipe()
        os.set_blocking(self._read, False)
        asyncio.get_running_loop().add_reader(self._read, self._take)

    def _take(self) -> None:
        try:
            data = os.read(self._read, 65536)
        except BlockingIOError:
            return
        if not data:
            asyncio.get_running_loop().remove_reader(self._read)
            return
        self.text = (self.text + data.decode(errors="replace"))[-TAIL:]

    def close_write(self) -> None:
        if self.write >= 0:
            os.close(self.write)
            self.write = -1

    def close(self) -> None:
        self._take_rest()
        self.close_write()
        asyncio.get_running_loop().remove_reader(self._read)
        os.close(self._read)

    def _take_rest(self) -> None:
        before = None
        while before != self.text:
            before = self.text
            self._take()


def well_formed(text: str) -> str:
    """The text with U+FFFD for each lone surrogate: half an emoji, which JSON may have and UTF-8 cannot."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


class Job:
    def __init__(self, order: dict[str, t.Any], say: t.Callable[..., None], starts: asyncio.Semaphore) -> None:
        self.order = order
        self._starts = starts
        self._say = lambda event, **more: say({"id": order["id"], "event": event, **more})

    async def run(self) -> None:
        """Execute one notebook; whatever happens, say `done` with the verdict."""
        import nbformat
        from strict_client import Failure, StrictClient

        order = self.order
        began = time.monotonic()
        nb = nbformat.reads(order["text"], as_version=4)
        for index, source in order["sources"].items():
            nb.cells[int(index)].source = source
        for cell in nb.cells:
            cell.source = well_formed(cell.source)
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = [], None
        client = StrictClient(
            nb,
            on_event=self._say,
            cell_seconds=order["cellSeconds"],
            notebook_seconds=order["notebookSeconds"],
            annotations={int(index): annotation for index, annotation in order["cells"].items()},
            kernel_name=order["kernel"],
            startup_timeout=STARTUP_SECONDS,
        )
        failure: Failure | None = None
        leaks: list[str] = []
        try:
            leaks = await self._execute(client, nb)
        except Failure as error:
            failure = error
        finally:
            client.tidy_streams()
            out = Path(order["out"])
            out.parent.mkdir(parents=True, exist_ok=True)
            part = out.with_name(f".{out.name}.{os.getpid()}.part")
            part.write_text(well_formed(nbformat.writes(nb)) + "\n", encoding="utf-8")
            part.replace(out)
        self._say(
            "done",
            failure=failure and failure.as_dict(),
            leaks=leaks,
            ms=round((time.monotonic() - began) * 1000),
        )

    async def _execute(self, client: t.Any, nb: t.Any) -> list[str]:
        import leaks
        from strict_client import Failure

        order = self.order
        mark, probe = order["mark"], leaks.load_probe(order["probe"])
        try:
            pid, before = await self._start(client)
            client.start_clock()
            for index, cell in enumerate(nb.cells):
                if cell.cell_type == "code":
                    await self._run_cell(client, cell, index)
            left = await client.finish()
            left += leaks.untold(left, await leaks.left_by_cells(pid, mark, before, probe))
            await client.hear_the_last()
        except Exception as failure:
            died = isinstance(failure, Failure) and failure.kind in ("kernel-died", "kernel-not-started")
            if died and self._pipe.text.strip():
                lines = self._pipe.text.strip().splitlines()
                failure.traceback = [line if len(line) <= LINE else f"{line[:LINE]}…" for line in lines]
            if client.km is not None and client.km.has_kernel:
                # It may hang: no farewell, and nothing of it is left.
                client.shutdown_kernel = "immediate"
                await client._async_cleanup_kernel()
            await leaks.left_after_kernel(mark, None)
            raise
        finally:
            self._pipe.close()
        await client._async_cleanup_kernel()
        return left + await leaks.left_after_kernel(mark, probe)

    async def _run_cell(self, client: t.Any, cell: t.Any, index: int) -> None:
        from strict_client import Failure

        began = time.monotonic()
        status = "ran"
        try:
            status = await client.run_cell(cell, index)
        except Failure as failure:
            # A late error may be another cell's.
            status = "failed" if failure.cell == index else "ran"
            raise
        finally:
            ms = round((time.monotonic() - began) * 1000)
            self._say("ended", index=index, status=status, ms=ms, count=cell.execution_count)

    async def _start(self, client: t.Any) -> tuple[int, t.Any]:
        """A ready kernel: its process id, and what it has open before any cell ran."""
        import leaks
        from jupyter_client.kernelspec import KernelSpecManager
        from jupyter_client.manager import AsyncKernelManager
        from jupyter_client.utils import ensure_async
        from strict_client import Failure

        order = self.order
        # As a Jupyter server does: the kernel reads the notebook's metadata.
        variable, _, value = order["mark"].partition("=")
        env = {**os.environ, **order["env"], variable: value, "JPY_SESSION_NAME": order["path"]}
        specs = KernelSpecManager(kernel_dirs=[order["kernels"]])
        runtime = os.environ["JUPYTER_RUNTIME_DIR"]
        self._pipe = Pipe()
        async with self._starts:
            self._say("starting")
            began = time.monotonic()
            for attempt in range(1, STARTS + 1):
                client.km = AsyncKernelManager(
                    kernel_name=order["kernel"],
                    kernel_spec_manager=specs,
                    connection_file=os.path.join(runtime, f"kernel-{order['id']}-{attempt}.json"),
                )
                await client.async_start_new_kernel(
                    cwd=order["cwd"], env=env, stdout=self._pipe.write, stderr=self._pipe.write
                )
                pid = client.km.provisioner.process.pid
                self._say("kernel", pid=pid)
                try:
                    await client.async_start_new_kernel_client()
                    break
                except Exception as error:  # nbclient has cleaned up after it
                    if attempt < STARTS and "EADDRINUSE" in self._pipe.text:
                        continue
                    raise Failure("kernel-not-started", f"the kernel did not start: {error}") from None
            self._pipe.close_write()
            await client.warm_up(STARTUP_SECONDS)
            self._say("ready", ms=round((time.monotonic() - began) * 1000))
        asked = await ensure_async(client.kc.kernel_info())
        answer = await client.async_wait_for_reply(asked)
        client.nb.metadata["language_info"] = answer["content"]["language_info"]
        return pid, await asyncio.to_thread(leaks.look, pid, order["mark"])


async def serve(say: t.Callable[..., None], mark: str, starts: int) -> t.NoReturn:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=2**30)  # more than a string of Node's can hold
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    semaphore = asyncio.Semaphore(starts)
    tasks: set[asyncio.Task[None]] = set()

    def report(order: dict[str, t.Any], task: asyncio.Task[None]) -> None:
        tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            logging.error("%s", order["path"], exc_info=error)
            say({"id": order["id"], "event": "broken", "message": f"{type(error).__name__}: {error}"})

    # What takes long to import is there before the first notebook is asked for.
    import nbclient  # noqa: F401
    import nbformat  # noqa: F401
    import leaks  # noqa: F401
    import strict_client  # noqa: F401

    say({"event": "ready"})
    while line := await reader.readline():
        order = json.loads(line)
        task = asyncio.create_task(Job(order, say, semaphore).run())
        tasks.add(task)
        task.add_done_callback(lambda done, order=order: report(order, done))
    # No farewell to the tasks: what they wait for is being killed.
    sweep(mark)
    shutil.rmtree(os.environ["JUPYTER_RUNTIME_DIR"], ignore_errors=True)
    os._exit(0)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--mark", required=True)
    parser.add_argument("--starts", type=int, default=2)
    parser.add_argument("--sweep", action="store_true")
    args = parser.parse_args()
    if args.sweep:
        sweep(args.mark)
        return
    logging.basicConfig(level=logging.ERROR, format="%(message)s")
    # Ctrl-C may reach the whole terminal; what then happens, the runner decides by closing stdin.
    # (Not SIG_IGN: the kernels would inherit it, and could no longer be interrupted.)
    signal.signal(signal.SIGINT, lambda *_: None)
    warnings.filterwarnings("ignore", module="nbformat")
    # The runner's pipe is for its messages alone: what anything else prints goes to stderr.
    pipe = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def say(message: dict[str, t.Any]) -> None:
        try:
            pipe.write(json.dumps(message) + "\n")
            pipe.flush()
        except BrokenPipeError:
            sweep(args.mark)
            os._exit(1)

    asyncio.run(serve(say, args.mark, args.starts))


if __name__ == "__main__":
    main()
