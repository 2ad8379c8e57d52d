"""The Jupyter protocol, with jupyter_kernel_test and with clients that notebooks are run by."""

import asyncio
import json
import unittest

import jupyter_kernel_test
import nbformat
from harness import PATIENCE, ROOT, Kernel, KernelCase, new_manager
from jupyter_kernel_test.msgspec_v5 import validate_message
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

jupyter_kernel_test.TIMEOUT = PATIENCE


class Conformance(jupyter_kernel_test.KernelTests):
    kernel_name = "ours"
    language_name = "typescript"
    file_extension = ".ts"
    code_hello_world = "console.log('hello, world')"
    code_stderr = "console.error('oops')"
    completion_samples = [{"text": "'x'.toUpp", "matches": {"toUpperCase"}}]
    complete_code_samples = ["1", "const a = 1;", "function f() { return 1 }", "await f()"]
    incomplete_code_samples = ["function f() {", "[1,", "f("]
    invalid_code_samples = ["const = 1", "let let = 2; }"]
    code_generate_error = "throw new Error('x')"
    code_execute_result = [{"code": "6 * 7", "result": "42"}]
    code_display_data = [
        {"code": "import * as tslab from 'tslab'; tslab.display.html('x')", "mime": "text/html"}
    ]
    code_inspect_sample = "Math.max"

    @classmethod
    def setUpClass(cls):
        cls.kernel = Kernel()
        cls.km, cls.kc = cls.kernel.manager, cls.kernel.client
        # The first cell of a kernel waits for the compiler; the suite's own time limits do not.
        cls.kernel.run("1")

    @classmethod
    def tearDownClass(cls):
        cls.kernel.shutdown()


class Protocol(KernelCase):
    def ask(self, channel, msg_type, content, reply_type):
        session = self.kernel.client.session
        message = session.msg(msg_type, content)
        getattr(self.kernel.client, f"{channel}_channel").send(message)
        get = getattr(self.kernel.client, f"get_{channel}_msg")
        while True:
            reply = get(timeout=PATIENCE)
            if reply["parent_header"].get("msg_id") == message["header"]["msg_id"]:
                break
        self.assertEqual(reply["msg_type"], reply_type)
        return reply["content"]

    def test_kernel_info_tells_true_versions(self):
        info = self.ask("shell", "kernel_info_request", {}, "kernel_info_reply")
        tslab = json.loads((ROOT / "node_modules/tslab/package.json").read_text())
        self.assertEqual(info["status"], "ok")
        self.assertEqual(info["implementation_version"], tslab["version"])
        version = self.run_ok(
            "import * as tslab from 'tslab'; tslab.versions.typescript"
        ).of("execute_result")[0]["data"]["text/plain"]
        self.assertEqual(version, f"'{info['language_info']['version']}'")

    def test_control_channel_answers_while_a_cell_loops(self):
        msg_id = self.kernel.send("console.log('in'); while (true) {}")
        self.kernel.read_until(lambda m: m["msg_type"] == "stream")
        self.ask("control", "kernel_info_request", {}, "kernel_info_reply")
        self.kernel.manager.interrupt_kernel()
        self.assertEqual(self.kernel.finish(msg_id).status, "error")

    def test_comms(self):
        reply = self.ask("shell", "comm_info_request", {"target_name": "x"}, "comm_info_reply")
        self.assertEqual(reply, {"status": "ok", "comms": {}})
        content = {"comm_id": "c1", "target_name": "unknown", "data": {}}
        self.kernel.client.shell_channel.send(
            self.kernel.client.session.msg("comm_open", content)
        )
        closed = self.kernel.read_until(lambda m: m["msg_type"] == "comm_close")
        self.assertEqual(closed["content"]["comm_id"], "c1")

    def test_history(self):
        content = {"hist_access_type": "tail", "n": 1, "raw": True, "output": False}
        self.assertEqual(
            self.ask("shell", "history_request", content, "history_reply")["status"], "ok"
        )

    def test_inspect_shows_documentation(self):
        self.run_ok("/** Adds one. */\nfunction addOne(n: number): number { return n + 1 }")
        content = {"code": "addOne", "cursor_pos": 3, "detail_level": 0}
        reply = self.ask("shell", "inspect_request", content, "inspect_reply")
        self.assertIn("addOne(n: number): number", reply["data"]["text/plain"])
        self.assertIn("Adds one.", reply["data"]["text/plain"])

    def test_positions_count_characters(self):
        code = "'😀😀'.toUpp"
        content = {"code": code, "cursor_pos": len(code)}
        reply = self.ask("shell", "complete_request", content, "complete_reply")
        self.assertEqual(reply["matches"], ["toUpperCase"])
        self.assertEqual(code[reply["cursor_start"] : reply["cursor_end"]], "toUpp")

    def test_garbage_is_ignored(self):
        self.kernel.client.shell_channel.socket.send_multipart([b"<IDS|MSG>", b"bad", b"{", b"", b"", b""])
        self.kernel.client.shell_channel.socket.send_multipart([b"nothing"])
        self.run_ok("1")

    def test_stop_on_error(self):
        runs = self.kernel.run_behind_an_error("console.log('second')", "3")
        self.assertEqual([r.status for r in runs], ["error", "aborted", "aborted"])
        self.assertEqual(runs[1].text(), "")
        # What is sent after that runs, at once.
        self.run_ok("4")

    def test_no_stop_on_error(self):
        ids = [self.kernel.send(c, stop_on_error=False) for c in ("throw new Error('a')", "2")]
        self.assertEqual([self.kernel.finish(i).status for i in ids], ["error", "ok"])

    def test_only_executions_are_aborted(self):
        self.kernel.send("throw new Error('a')")
        reply = self.ask("shell", "is_complete_request", {"code": "1"}, "is_complete_reply")
        self.assertEqual(reply["status"], "complete")

    def test_silent(self):
        run = self.kernel.run("1 + 1", silent=True)
        self.assertEqual([m["msg_type"] for m in run.messages], ["status", "status"])
        run = self.kernel.run("throw new Error('quiet')", silent=True)
        self.assertEqual(run.reply["ename"], "Error")
        self.assertEqual(run.of("error"), [])

    def test_every_message_is_valid(self):
        for code in ("console.log(1); 2", "throw new Error('x')", "const x: string = 1"):
            msg_id = self.kernel.send(code)
            reply = self.kernel.reply_to(msg_id)
            validate_message(reply, "execute_reply", msg_id)
            self.kernel.client.session.check_pid = False
            self.kernel.read_until(
                lambda m: m["msg_type"] == "status" and m["content"]["execution_state"] == "idle"
                and m["parent_header"].get("msg_id") == msg_id
            )
            for message in self.kernel.under(msg_id):
                validate_message(message, message["msg_type"], msg_id)

    def test_top_level_for_await(self):
        run = self.run_ok(
            "for await (const x of (async function* () { yield 1; yield 2 })()) console.log(x)"
        )
        self.assertEqual(run.text(), "1\n2\n")

    def test_names_can_be_declared_again(self):
        self.run_ok("const again = 1")
        self.run_ok("const again = 'two'")
        self.assertEqual(self.run_ok("again").of("execute_result")[0]["data"]["text/plain"], "'two'")

    def test_function_sent_as_text_needs_no_kernel(self):
        run = self.run_ok(
            "import { runInNewContext } from 'node:vm';\n"
            "const f = async (n: number) => { let sum = 0;"
            " for (let i = 0; i < n; i++) sum += await Promise.resolve(i); return sum };\n"
            "await runInNewContext(`(${f})(4)`)"
        )
        self.assertEqual(run.of("execute_result")[0]["data"]["text/plain"], "6")


class Nbclient(unittest.TestCase):
    def execute(self, *cells):
        notebook = nbformat.v4.new_notebook()
        for source, tags in cells:
            cell = nbformat.v4.new_code_cell(source)
            cell.metadata.tags = tags
            notebook.cells.append(cell)
        client = NotebookClient(notebook, km=new_manager(), timeout=PATIENCE)
        return notebook, client

    def test_passes(self):
        notebook, client = self.execute(("const a = 20", []), ("a + 1", []))
        client.execute()
        self.assertEqual(notebook.cells[1].outputs[0].data["text/plain"], "21")

    def test_cells_after_an_expected_error_run(self):
        notebook, client = self.execute(
            ("throw new Error('expected')", ["raises-exception"]), ("console.log('ran')", [])
        )
        client.execute()
        self.assertEqual(notebook.cells[0].outputs[0].ename, "Error")
        self.assertEqual(notebook.cells[1].outputs[0].text, "ran\n")

    def test_failures_fail(self):
        for source in ("throw new Error('x')", "const n: number = ''", "Promise.reject(new Error('y'))"):
            _, client = self.execute((source, []), ("1", []))
            with self.assertRaises(CellExecutionError):
                client.execute()

    def test_timer_between_cells_fails(self):
        _, client = self.execute(
            ("setTimeout(() => { throw new Error('between') }, 0)", []),
            ("await new Promise((r) => setTimeout(r, 100))", []),
        )
        with self.assertRaisesRegex(CellExecutionError, "between"):
            client.execute()


if __name__ == "__main__":
    unittest.main()
