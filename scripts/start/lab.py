"""Runs JupyterLab for as long as standard input is open.

Whoever starts this holds the other end of the pipe: JupyterLab cannot outlive it, however it ends.
The first line is the URL of the course's server and, behind a blank, its access token if it has one. The server
is started meanwhile: importing JupyterLab takes longer than that.
"""

import os
import signal
import sys
import threading
import time
from urllib.parse import quote

SHUTDOWN_SECONDS = 5

from jupyterlab import commands  # noqa: E402

# As soon as it is imported, JupyterLab asks yarn for the registry that it would be built from. It is not built
# here, and the question costs a second.
commands._yarn_config = lambda _logger: {"yarn config": {}}

from jupyterlab.labapp import main  # noqa: E402


def read_line() -> str:
    line = b""
    while not line.endswith(b"\n"):
        byte = os.read(0, 1)
        if not byte:
            sys.exit(1)
        line += byte
    return line.decode().strip()


def end_with_stdin() -> None:
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)  # JupyterLab shuts its kernels down
    time.sleep(SHUTDOWN_SECONDS)
    os.killpg(os.getpgid(0), signal.SIGKILL)


url, _, access_token = read_line().partition(" ")
os.environ["POLLING_LAB_URL"] = url
if access_token:
    os.environ["POLLING_LAB_ACCESS_TOKEN"] = access_token
    url += f"/?access_token={quote(access_token, safe='')}"
# For the page as well: extension.js shows the server's own page beside a notebook.
sys.argv.append(f"--ServerApp.tornado_settings={{'page_config_data': {{'pollingLabUrl': {url!r}}}}}")
threading.Thread(target=end_with_stdin, daemon=True).start()
sys.exit(main())
