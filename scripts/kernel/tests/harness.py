"""Runs cells through Jupyter's own client, and keeps all that comes back."""

import json
import os
import queue
import shutil
import signal
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager

KERNEL = Path(__file__).resolve().parent.parent
ROOT = KERNEL.parent.parent
NODE = os.environ.get("NODE", "node")
# Long enough for a machine that does other things at the same time.
PATIENCE = 60

specs = Path(tempfile.mkdtemp(prefix="polling-lab-kernelspecs-"))


def _write_specs():
    template = json.loads((KERNEL / "kernel.json").read_text())
    fill = {"{node}": shutil.which(NODE), "{kernel}": str(KERNEL), "{settings}": str(KERNEL.parent / "kernel-settings.json")}
    for name, value in fill.items():
        template["argv"] = [part.replace(name, value) for part in template["argv"]]
    stock = {
        "argv": [shutil.which(NODE), str(ROOT / "node_modules/tslab/bin/tslab"), "kernel"]
        + ["--config-path", "{connection_file}"],
        "display_name": "stock tslab",
        "language": "typescript",
    }
    launcher = template["argv"].index(f"{KERNEL}/launch.cjs")
    jslab = {**template, "argv": [*template["argv"][: launcher + 1], "--js", *template["argv"][launcher + 1 :]]}
    for name, spec in {"ours": template, "jslab": jslab, "stock": stock}.items():
        (specs / name).mkdir()
        (specs / name / "kernel.json").write_text(json.dumps(spec))


_write_specs()


def new_manager(name="ours"):
    manager = KernelManager(kernel_name=name)
    manager.kernel_spec_manager = KernelSpecManager(kernel_dirs=[str(specs)])
    return manager


class Run:
    """What one execute_request brought: the reply, and the messages under it."""

    def __init__(self, reply, messages):
        self.reply = reply["content"] if reply else None
        self.messages = messages

    def of(self, kind):
        return [m["content"] for m in self.messages if m["msg_type"] == kind]

    def text(self, name="stdout"):
        return "".join(c["text"] for c in self.of("stream") if c["name"] == name)

    @property
    def status(self):
        return self.reply["status"] if self.reply else None

    @property
    def traceback(self):
        return plain("\n".join(self.reply["traceback"]))


def plain(text):
    import re

    return re.sub(r"\x1b\[[0-9;]*m", "", text)


class Kernel:
    """A running kernel and one client."""

    def __init__(self, name="ours", files=None, *, subfolder="", session=None, transport="tcp"):
        """`files` are written into its folder; `subfolder` of a new one; `session` is the notebook's name."""
        self._temporary = Path(tempfile.mkdtemp(prefix="polling-lab-cells-")).resolve()
        self.folder = self._temporary / subfolder
        self.folder.mkdir(exist_ok=True)
        files = files or {}
        for path, text in files.items():
            (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / path).write_text(text)
        if not any(path.startswith("node_modules") for path in files):
            (self.folder / "node_modules").symlink_to(ROOT / "node_modules")
        self.manager = new_manager(name)
        self.manager.transport = transport
        if transport == "ipc":
            self.manager.ip = str(self._temporary / "socket")
        env = {**os.environ, **({"JPY_SESSION_NAME": str(self.folder / session)} if session else {})}
        self.manager.start_kernel(
            cwd=str(self.folder), env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self.client = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=PATIENCE)
        self.messages = []  # all of iopub, in order

    def send(self, code, **options):
        return self.client.execute(code, **options)

    def reply_to(self, msg_id, timeout=PATIENCE):
        end = time.monotonic() + timeout
        while True:
            reply = self.client.get_shell_msg(timeout=max(0.01, end - time.monotonic()))
            if reply["parent_header"].get("msg_id") == msg_id:
                return reply

    def read_until(self, wanted, timeout=PATIENCE):
        """Reads iopub up to the message that `wanted` accepts."""
        end = time.monotonic() + timeout
        while True:
            message = self.client.get_iopub_msg(timeout=max(0.01, end - time.monotonic()))
            self.messages.append(message)
            if wanted(message):
                return message

    def under(self, msg_id):
        return [m for m in self.messages if m["parent_header"].get("msg_id") == msg_id]

    def finish(self, msg_id, timeout=PATIENCE):
        """Waits for the idle status that ends a request, and for its reply."""

        def idle(message):
            return (
                message["msg_type"] == "status"
                and message["content"]["execution_state"] == "idle"
                and message["parent_header"].get("msg_id") == msg_id
            )

        if not any(idle(m) for m in self.messages):
            self.read_until(idle, timeout)
        return Run(self.reply_to(msg_id, timeout), self.under(msg_id))

    def run(self, code, timeout=PATIENCE, **options):
        return self.finish(self.send(code, **options), timeout)

    def run_behind_an_error(self, *cells):
        """Runs a cell that waits until `cells` have been sent, and then fails. Returns all runs, the failing cell's first."""
        failing = """
            while (!require('node:fs').existsSync(%s)) await new Promise((r) => setTimeout(r, 10));
            await new Promise((r) => setTimeout(r, 500));
            throw new Error('x');
        """
        with tempfile.TemporaryDirectory() as folder:
            sent = Path(folder, "sent")
            ids = [self.send(cell) for cell in (failing % json.dumps(str(sent)), *cells)]
            sent.touch()
            return [self.finish(i) for i in ids]

    def stop_when(self, code, text):
        """Runs a cell that prints `text`, and then interrupts it."""
        msg_id = self.send(code)
        self.read_until(
            lambda m: m["msg_type"] == "stream"
            and m["parent_header"].get("msg_id") == msg_id
            and text in m["content"]["text"]
        )
        self.manager.interrupt_kernel()
        return self.finish(msg_id)

    @property
    def pid(self):
        return self.manager.provisioner.pid

    def shutdown(self):
        self.client.stop_channels()
        if self.manager.has_kernel:
            self.manager.shutdown_kernel(now=True)
        shutil.rmtree(self._temporary, ignore_errors=True)


class KernelCase(unittest.TestCase):
    """Tests that share a kernel, as the cells of a notebook do."""

    kernel_name = "ours"
    files = None

    @classmethod
    def setUpClass(cls):
        cls.kernel = Kernel(cls.kernel_name, cls.files)

    @classmethod
    def tearDownClass(cls):
        cls.kernel.shutdown()

    def run_ok(self, code, **options):
        result = self.kernel.run(code, **options)
        self.assertEqual(result.status, "ok", result.reply)
        return result

    def run_error(self, code, ename, evalue, **options):
        """A complete error, the same in the reply and on iopub."""
        result = self.kernel.run(code, **options)
        self.assertEqual(result.status, "error", result.reply)
        self.assertEqual(result.reply["ename"], ename, result.reply)
        self.assertRegex(result.reply["evalue"], evalue)
        self.assertTrue(result.reply["traceback"])
        shown = result.of("error")
        self.assertEqual(len(shown), 1, shown)
        for key in ("ename", "evalue", "traceback"):
            self.assertEqual(shown[0][key], result.reply[key])
        return result


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    try:  # a zombie has ended
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return not Path("/proc/self").exists()


def wait_until(condition, timeout=PATIENCE):
    """For what sends no event: the end of somebody else's process."""
    end = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"still not so after {timeout} s")
        time.sleep(0.02)
