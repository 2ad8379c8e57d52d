"""A client that executes a notebook and decides whether it passed.

nbclient takes every reply that is not `error` for success, drops messages of a cell that has ended, and does not check
that an expected error came. This client passes a cell only if its reply says `ok` and no error was published for it, or
if the error that it expects came; everything else is a `Failure` of some kind.
"""

from __future__ import annotations

import asyncio
import re
import time
import typing as t
from dataclasses import asdict, dataclass, field

from jupyter_client.utils import ensure_async
from nbclient import NotebookClient
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat import NotebookNode

# Stream output kept of one cell; what is more is counted and left out.
MAX_STREAM_CHARS = 8_000_000
# How long a kernel may take to say where it was, when a cell ran out of time.
INTERRUPT_SECONDS = 3
# Errors that the kernel raises itself, from outside the cell's code. A cell that is tagged `raises-exception` and names no
# error means one that its own code raises.
OF_THE_KERNEL = ("KeyboardInterrupt", "ProcessExit", "StdinNotImplementedError")
# In place of a cell's position, for requests that run no cell.
OF_NO_CELL = -1
# How long a kernel may take to answer when no cell runs.
ANSWER_SECONDS = 30
# How long the work that cells started may go on after the last cell.
FINISH_SECONDS = 5.0


@dataclass
class Failure(Exception):
    """Why a notebook failed.

    `kind`: error, late-error, not-raised, wrong-error, not-run, cell-timeout, notebook-timeout,
    exit-code, kernel-died, kernel-not-started.
    """

    kind: str
    message: str
    cell: int | None = None
    ename: str | None = None
    evalue: str | None = None
    traceback: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, t.Any]:
        return asdict(self)


def failure_of(kind: str, cell: int | None, error: dict[str, t.Any], message: str = "") -> Failure:
    """A failure from the content of an `error` message or of an `error` reply."""
    ename = error.get("ename") or "Error"
    evalue = error.get("evalue") or ""
    return Failure(
        kind=kind,
        message=message or (f"{ename}: {evalue}" if evalue else ename),
        cell=cell,
        ename=ename,
        evalue=evalue,
        traceback=list(error.get("traceback") or []),
    )


class StrictClient(NotebookClient):
    """Executes one notebook; `on_event` hears of each cell as it starts and ends.

    `annotations`: by a cell's position, the error that it must raise and its own limit in seconds, where it has them.
    """

    def __init__(
        self,
        nb: NotebookNode,
        on_event: t.Callable[..., None],
        cell_seconds: float,
        notebook_seconds: float,
        annotations: dict[int, dict[str, t.Any]],
        **kwargs: t.Any,
    ) -> None:
        super().__init__(
            nb,
            raise_on_iopub_timeout=True,
            iopub_timeout=30,
            record_timing=False,
            timeout_func=self._seconds_for,
            **kwargs,
        )
        self._say = on_event
        self._cell_seconds = cell_seconds
        self._notebook_seconds = notebook_seconds
        self._annotations = annotations
        self._deadline = float("inf")
        self._owners: dict[str, tuple[NotebookNode, int]] = {}
        self._current = ""
        self._late: list[Failure] = []
        self._interrupted: dict[str, t.Any] | None = None
        self._streamed: dict[int, int] = {}
        self.clear_before_next_output = False  # nbclient sets it with its first cell

    # -- time ---------------------------------------------------------------------------------

    def start_clock(self) -> None:
        self._deadline = time.monotonic() + self._notebook_seconds

    def _limit_of(self, cell: NotebookNode) -> float:
        index = next(index for index, other in enumerate(self.nb.cells) if other is cell)
        return float(self._annotations.get(index, {}).get("timeout", self._cell_seconds))

    def _seconds_for(self, cell: NotebookNode) -> float:
        """The cell's own limit, or what is left of the notebook's. Never 0, which means no limit."""
        return max(0.05, min(self._limit_of(cell), self._deadline - time.monotonic()))

    async def _async_handle_timeout(self, timeout: float, cell: NotebookNode | None = None) -> None:
        """Out of time: interrupt the kernel, so that it names the line where it was; then fail the cell in any case."""
        assert self.km is not None and self.kc is not None
        try:
            await ensure_async(self.km.interrupt_kernel())
            self._interrupted = await asyncio.wait_for(self._reply_to(self._current, self.kc.shell_channel), INTERRUPT_SECONDS)
        except (asyncio.TimeoutError, RuntimeError):
            self._interrupted = None
        raise CellTimeoutError("out of time")

    # -- messages -----------------------------------------------------------------------------

    async def _async_poll_output_msg(self, parent_msg_id: str, cell: NotebookNode, cell_index: int) -> None:
        """Take every message to the cell that caused it, until the running cell is idle."""
        assert self.kc is not None
        self._current = parent_msg_id
        self._owners[parent_msg_id] = (cell, cell_index)
        while True:
            msg = await ensure_async(self.kc.iopub_channel.get_msg(timeout=None))
            parent = msg["parent_header"].get("msg_id")
            if msg["msg_type"] == "status":
                if parent == parent_msg_id and msg["content"]["execution_state"] == "idle":
                    return
                continue
            owner, index = self._owners.get(parent, (cell, cell_index))
            if msg["msg_type"] == "error" and parent != parent_msg_id:
                self._late.append(self._late_error(parent, msg["content"]))
            self.process_message(msg, owner, index)

    def _late_error(self, parent: str, content: dict[str, t.Any]) -> Failure:
        index = self._cell_of(parent)
        error = failure_of("late-error", index, content)
        error.message += f" ({'outside any cell' if index is None else f'after cell {index + 1} had ended'})"
        return error

    def _cell_of(self, msg_id: str | None) -> int | None:
        """The position of the cell that a request ran; None where it was no cell's."""
        _, index = self._owners.get(msg_id or "", (None, OF_NO_CELL))
        return None if index == OF_NO_CELL else index

    def output(self, outs, msg, display_id, cell_index):  # noqa: ANN001, ANN201 (nbclient's signature)
        if msg["msg_type"] == "stream":
            said = self._streamed.get(cell_index, 0)
            text = msg["content"]["text"]
            self._streamed[cell_index] = said + len(text)
            if said >= MAX_STREAM_CHARS:
                return None
            msg["content"]["text"] = text[: MAX_STREAM_CHARS - said]
        return super().output(outs, msg, display_id, cell_index)

    def tidy_streams(self) -> None:
        """Join stream outputs that follow each other, as a notebook on disk has them."""
        for index, cell in enumerate(self.nb.cells):
            if cell.cell_type != "code":
                continue
            joined: list[NotebookNode] = []
            for out in cell.outputs:
                last = joined[-1] if joined else None
                same = last is not None and out.output_type == "stream" == last.output_type
                if same and out.name == last.name:
                    parts.append(out.text)
                    continue
                if last is not None and last.output_type == "stream":
                    last.text = "".join(parts)
                joined.append(out)
                parts = [out.text] if out.output_type == "stream" else []
            if joined and joined[-1].output_type == "stream":
                joined[-1].text = "".join(parts)
                more = self._streamed.get(index, 0) - MAX_STREAM_CHARS
                if more > 0:
                    joined[-1].text += f"\n[{more} more characters left out]\n"
            cell.outputs = joined

    # -- verdicts -----------------------------------------------------------------------------

    async def _check_raise_for_error(self, cell, cell_index, exec_reply) -> None:  # noqa: ANN001
        reply = exec_reply["content"] if exec_reply else {}
        status = reply.get("status")
        published = [out for out in cell.outputs if out.output_type == "error"]
        expected = "raises-exception" in cell.metadata.get("tags", [])
        if status not in ("ok", "error"):
            raise Failure("not-run", f"the kernel did not run this cell (status {status!r})", cell_index)
        if status == "ok" and not published:
            if expected:
                raise Failure("not-raised", "an error was expected here, and none was raised", cell_index)
            return
        error = reply if status == "error" and reply.get("ename") else (published[0] if published else reply)
        if not expected:
            raise failure_of("error", cell_index, error)
        if status == "ok":
            raise failure_of("error", cell_index, error, "an error was published, yet the reply says ok")
        want = self._annotations.get(cell_index, {}).get("raises", {})
        if "caused_by" in reply and "message" not in want:
            cause = self._cell_of(reply["caused_by"])
            whose = "no cell" if cause is None else f"cell {cause + 1}"
            message = f"the error expected in cell {cell_index + 1} did not come, but one of {whose}: {reply['ename']}: {reply['evalue']}"
            raise failure_of("late-error", cell_index if cause is None else cause, reply, message)
        compiled = reply.get("phase") != "compile"
        self._check_expected(want, cell_index, error, compiled)
        further = [out for out in published if (out.evalue, out.traceback) != (error["evalue"], error["traceback"])]
        for other in further:
            if not want:
                raise failure_of("error", cell_index, other, f"one error was expected, and there was another: {other.ename}: {other.evalue}")
            self._check_expected(want, cell_index, other)

    def _check_expected(self, want: dict[str, str], cell_index: int, error: dict[str, t.Any], compiled: bool = True) -> None:
        got = failure_of("wrong-error", cell_index, error)
        # The name alone does not say it: WebAssembly has a CompileError too.
        if not compiled and want.get("name") != "CompileError":
            got.message = f"an error at run time was expected, got {got.message}"
            raise got
        if compiled and want.get("name") == "CompileError":
            got.message = f"an error at compile time was expected, got {got.message} at run time"
            raise got
        if got.ename in OF_THE_KERNEL and want.get("name") != got.ename:
            got.message = f"an error of the cell's own code was expected, got {got.message}"
            raise got
        if "name" in want and want["name"] != got.ename:
            got.message = f"expected the error {want['name']}, got {got.message}"
            raise got
        if "message" not in want:
            return
        try:
            matches = re.search(want["message"], got.evalue or "")
        except re.error as error:
            got.message = f"the pattern /{want['message']}/ is no regular expression: {error}"
            raise got from None
        if not matches:
            got.message = f"expected a message like /{want['message']}/, got {got.message}"
            raise got

    async def run_cell(self, cell: NotebookNode, index: int) -> str:
        """Run one code cell; `ran`, `raised` (as expected), `skipped` or `empty`. Raises `Failure`."""
        tags = cell.metadata.get("tags", [])
        if self.skip_cells_with_tag in tags:
            return "skipped"
        if not cell.source.strip():
            if "raises-exception" in tags:
                raise Failure("not-raised", "an error was expected here, and the cell is empty", index)
            return "empty"
        self._say("cell", index=index)
        try:
            await self.async_execute_cell(cell, index)
        except CellTimeoutError:
            raise self._out_of_time(cell, index) from None
        except DeadKernelError:
            raise Failure("kernel-died", f"the kernel ended: {await self.how_it_ended()}", index) from None
        self._raise_late()
        return "raised" if any(out.output_type == "error" for out in cell.outputs) else "ran"

    def _out_of_time(self, cell: NotebookNode, index: int) -> Failure:
        if time.monotonic() >= self._deadline:
            kind, limit = "notebook-timeout", self._notebook_seconds
            message = f"the notebook took longer than {limit:g} s; this cell was running"
        else:
            kind, limit = "cell-timeout", self._limit_of(cell)
            message = f"still running after {limit:g} s"
        where = self._interrupted or {}
        return Failure(kind, message, index, traceback=list(where.get("traceback") or []))

    def _raise_late(self) -> None:
        if self._late:
            raise self._late[0]

    async def warm_up(self, seconds: float) -> None:
        """Wait until the compiler is loaded. A kernel answers before that, and the first cell would take longer."""
        await self._run_quietly("", "kernel-not-started", seconds)

    async def finish(self) -> list[str]:
        """After the last cell: let the work that the cells started come to its end, and hear of what fails in it.

        The kernel waits as Node would before it ends, then runs the handlers of `beforeExit` and `exit`. That is asked on
        the control channel, and nothing that a cell can change takes part in the answer. Where nothing is going on, nothing
        is waited for. Returns what still is after `FINISH_SECONDS`.
        """
        assert self.kc is not None
        self._say("settling")
        msg = self.kc.session.msg("finish_request", {"seconds": FINISH_SECONDS})
        self.kc.control_channel.send(msg)
        seconds = FINISH_SECONDS + ANSWER_SECONDS
        _, end = await self._answer(msg["header"]["msg_id"], self.kc.control_channel, "kernel-died", seconds)
        self._raise_late()
        if "error" in end:
            raise failure_of("late-error", self._cell_of(end["caused_by"]), end["error"])
        if end["exit_code"] != 0:
            message = f"process.exitCode is {end['exit_code']}: a test in the notebook failed, or a cell has set it"
            raise Failure("exit-code", message)
        return list(end["open"])

    async def hear_the_last(self) -> None:
        """Raise what has failed since."""
        await self._run_quietly("", "kernel-died", ANSWER_SECONDS)

    async def _run_quietly(self, code: str, kind: str, seconds: float) -> None:
        """Run code that is no cell's. When it has run, all before it is done and told."""
        assert self.kc is not None
        msg_id = await ensure_async(self.kc.execute(code, silent=True, store_history=False))
        _, reply = await self._answer(msg_id, self.kc.shell_channel, kind, seconds)
        self._raise_late()
        if reply.get("status") != "ok":
            # Of no cell that could be told, or a kernel that has no other way to say so.
            raise failure_of("late-error", self._cell_of(reply.get("caused_by")), reply)

    async def _answer(self, msg_id: str, channel: t.Any, kind: str, seconds: float) -> tuple[None, dict[str, t.Any]]:
        """The reply to a request, when all that was published before it is taken in."""
        nothing = NotebookNode(cell_type="code", source="", metadata=NotebookNode(), outputs=[])
        polling = asyncio.ensure_future(self._async_poll_output_msg(msg_id, nothing, OF_NO_CELL))
        answer = asyncio.ensure_future(asyncio.gather(polling, self._reply_to(msg_id, channel)))
        alive = asyncio.ensure_future(self._cancel_when_dead(answer))
        try:
            return await asyncio.wait_for(answer, seconds)
        except asyncio.CancelledError:
            raise Failure(kind, f"the kernel ended: {await self.how_it_ended()}") from None
        except asyncio.TimeoutError:
            raise Failure(kind, f"the kernel did not answer for {seconds:g} s") from None
        finally:
            alive.cancel()

    async def _reply_to(self, msg_id: str, channel: t.Any) -> dict[str, t.Any]:
        while True:
            msg = await ensure_async(channel.get_msg(timeout=None))
            if msg["parent_header"].get("msg_id") == msg_id:
                return msg["content"]

    async def _cancel_when_dead(self, task: asyncio.Future[t.Any]) -> None:
        while True:
            await asyncio.sleep(0.5)
            if not await ensure_async(self.kc.is_alive()):
                task.cancel()
                return

    async def how_it_ended(self) -> str:
        code = await self.km.provisioner.poll() if self.km and self.km.provisioner else None
        if code is None:
            return "it no longer answers"
        return f"signal {-code}" if code < 0 else f"exit code {code}"
