"""Which processes a run started, whatever became of their parents.

Every kernel is started with a variable in its environment that names the run, and what a cell starts inherits it: a
process that was detached, or whose parent is gone, is still found by it. A mark is the variable and its value,
`NAME=value`; `NAME=value.1` is a part of the run.
"""

from __future__ import annotations

import os

import psutil


def marked(mark: str) -> list[psutil.Process]:
    """The living processes of a run (or of one notebook of it), but not the one that asks."""
    variable, _, run = mark.partition("=")
    found = []
    for process in psutil.process_iter():
        if process.pid == os.getpid():
            continue
        try:
            value = process.environ().get(variable, "")
            if value == run or value.startswith(f"{run}."):
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


def sweep(mark: str) -> None:
    """End everything of a run. Twice, for what was being started meanwhile."""
    for _ in range(2):
        kill(marked(mark))
