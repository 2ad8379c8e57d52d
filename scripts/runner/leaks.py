"""What a notebook left open, as seen from outside its kernel: ports, child processes, requests to its server."""

from __future__ import annotations

import asyncio
import importlib.util
import re
import time
import typing as t
from dataclasses import dataclass, field

import psutil

from processes import describe, kill, marked

# How long what is open may take to close.
GRACE_SECONDS = 2.0

# Names the requests that the notebook's own server has not finished answering; None where it has no server.
Probe = t.Callable[[], list[str]] | None


def load_probe(probe: dict[str, str] | None) -> Probe:
    """The function `open_requests` of a project's Python module, for the URL of one server."""
    if probe is None:
        return None
    spec = importlib.util.spec_from_file_location("probe", probe["file"])
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return lambda: module.open_requests(probe["url"])


@dataclass
class Open:
    """Listening ports and child processes of a kernel."""

    ports: dict[int, str] = field(default_factory=dict)
    children: dict[int, str] = field(default_factory=dict)


def look(pid: int, mark: str) -> Open:
    now = Open()
    try:
        kernel = psutil.Process(pid)
        children = {child.pid: child for child in kernel.children(recursive=True)}
    except psutil.Error:
        return now
    # Children whose parent is gone are no longer below the kernel, but still marked.
    children.update((process.pid, process) for process in marked(mark) if process.pid != pid)
    for process in [kernel, *children.values()]:
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                continue
            listing = getattr(process, "net_connections", None) or process.connections
            for connection in listing(kind="inet"):
                if connection.status == psutil.CONN_LISTEN:
                    owner = "the kernel" if process.pid == pid else describe(process)
                    now.ports[connection.laddr.port] = owner
            if process.pid != pid:
                now.children[process.pid] = describe(process)
        except (psutil.Error, OSError):
            continue
    return now


async def _settled(look_again: t.Callable[[], list[t.Any]]) -> list[t.Any]:
    """What is still open after `GRACE_SECONDS`."""
    deadline = time.monotonic() + GRACE_SECONDS
    while True:
        left = await asyncio.to_thread(look_again)
        if not left or time.monotonic() > deadline:
            return left
        await asyncio.sleep(0.05)


def untold(told: list[str], seen: list[str]) -> list[str]:
    """What was seen from outside the kernel and not told from inside: the same port or process is one thing."""
    name = re.compile(r"^(?:port|process) \d+ ")
    known = {match.group() for text in told if (match := name.match(text))}
    return [text for text in seen if not ((match := name.match(text)) and match.group() in known)]


async def left_by_cells(pid: int, mark: str, before: Open, probe: Probe) -> list[str]:
    """What the cells did not close. To be called while the kernel runs."""

    def look_again() -> list[str]:
        now = look(pid, mark)
        left = [
            f"port {port} is still listening ({owner})"
            for port, owner in now.ports.items()
            if port not in before.ports
        ]
        left += [
            f"{what} is still running"
            for child, what in now.children.items()
            if child not in before.children
        ]
        if probe:
            left += [f"{request} is still open" for request in probe()]
        return left

    return await _settled(look_again)


async def left_after_kernel(mark: str, probe: Probe) -> list[str]:
    """What is left when the kernel has ended. Processes that are left are killed."""
    # The kernel ends what its cells started; that takes a moment.
    outlived = await _settled(lambda: marked(mark))
    left = [f"{describe(process)} outlived the kernel" for process in outlived]
    await asyncio.to_thread(kill, outlived)
    if probe:
        held = await _settled(probe)
        left += [f"the server still holds {request} though the kernel has ended" for request in held]
    return left
