"""Runs a command in a terminal of its own: what comes in on stdin is typed, what it shows goes to stdout.

The end of stdin is a terminal that is closed. A test's stand-in for a person at a keyboard.
"""

import os
import pty
import select
import sys

pid, master = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
while True:
    readable, _, _ = select.select([0, master], [], [])
    if 0 in readable:
        typed = os.read(0, 1024)
        if not typed:
            break
        os.write(master, typed)
    if master in readable:
        try:
            shown = os.read(master, 65536)
        except OSError:  # the last that held the terminal has ended
            shown = b""
        if not shown:
            break
        os.write(1, shown)
os.close(master)
_, status = os.waitpid(pid, 0)
sys.exit(os.waitstatus_to_exitcode(status) % 256)
