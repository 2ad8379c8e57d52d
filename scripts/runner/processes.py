"""Which processes a run started, whatever became of their parents.

Every kernel is started with `POLLING_LAB_RUN` in its environment, and what a cell starts inherits
it: a process that was detached, or whose parent is gone, is still found by it.
"""

from __future__ import annotations

import os

import psutil

VARIABLE = "POLLING_LAB_RUN"


def marked(run: str) -> list[psutil.Process]:
    """The living processes of a run (or of one notebook of it), but not the one that asks."""
    found = []
    for process in psutil.process_iter():
        if process.pid == os.getpid():
            continue
        try:
            mark = process.environ().get(VARIABLE, "")
            if mark == run or mark.startswith(f"{run}."):
                if process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        except (psutil.Error, OSError):
            continue  # ended meanwhile, or somebody else's
    return found


def describe(process: psutil.Process) -> str:
    try:
        command = " ".join(" ".join(process.cmdline()).split()) or process.name()
    except psutil.Error:
        command = "ended meanwhile"
    return f"process {process.pid} ({command[:100]})"


def kill(processes: list[psutil.Process]) -> None:
    for process in processes:
        try:
            process.kill()
        except psutil.Error:
            pass
    psutil.wait_procs(processes, timeout=2)


def sweep(run: str) -> None:
    """End everything of a run. Twice, for what was being started meanwhile."""
    for _ in range(2):
        kill(marked(run))
