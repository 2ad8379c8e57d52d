"""`finish_request`: the end of the cells' work, as Node itself would have it."""

import unittest

from harness import PATIENCE, Kernel, KernelCase


class Finish(KernelCase):
    def finish(self, seconds=PATIENCE):
        """The reply. `seconds` is only used up where something is left open."""
        client = self.kernel.client
        message = client.session.msg("finish_request", {"seconds": seconds})
        client.control_channel.send(message)
        while True:
            reply = client.get_control_msg(timeout=2 * PATIENCE)
            if reply["parent_header"]["msg_id"] == message["header"]["msg_id"]:
                return reply["content"]

    def assert_ended(self, **more):
        self.assertEqual(self.finish(), {"status": "ok", "open": [], "exit_code": 0, **more})

    def test_nothing_to_wait_for(self):
        self.run_ok("1 + 1")
        self.assert_ended()

    def test_the_compiler_watches_files_and_is_not_waited_for(self):
        (self.kernel.folder / "watched.ts").write_text("export const a: number = 1;")
        self.run_ok("import { a } from './watched.js';\na")
        self.assert_ended()

    def test_waits_and_tells_what_fails(self):
        msg_id = self.kernel.send("setTimeout(() => { throw new Error('late') }, 100); 1")
        self.assertEqual(self.kernel.finish(msg_id).status, "ok")
        end = self.finish()
        self.assertEqual((end["open"], end["caused_by"]), ([], msg_id))
        self.assertEqual(end["error"]["evalue"], "Error: late")
        self.assert_ended()  # told once

    def test_names_what_is_left_open(self):
        self.run_ok("const timer = setInterval(() => {}, 1000); undefined")
        open = self.finish(0.1)["open"]
        self.run_ok("clearInterval(timer)")  # before the claim, which may fail: the kernel is that of all these tests
        self.assertEqual(open, ["1 timer is still pending"])
        self.assert_ended()

    def test_handlers_run_once_and_to_their_end(self):
        self.run_ok(
            "const log: string[] = [];\n"
            "process.once('beforeExit', async () => { log.push('before'); await new Promise((r) => setTimeout(r, 20)); log.push('after') });\n"
            "process.on('exit', (code) => log.push(`exit ${code}`)); undefined"
        )
        self.assert_ended()
        run = self.run_ok("process.removeAllListeners('exit'); log.join()")
        self.assertEqual(run.of("execute_result")[0]["data"]["text/plain"], "'before,after,exit 0'")

    def test_a_handler_that_begins_something_each_time(self):
        self.run_ok("const again = () => { setTimeout(() => {}, 10) }; process.on('beforeExit', again); undefined")
        open = self.finish(0.5)["open"]
        self.run_ok("process.off('beforeExit', again); undefined")
        self.assertEqual(open, ["1 timer is still pending"])
        self.assert_ended()

    def test_handlers_run_again_after_work_that_is_in_no_list(self):
        # Short and long, for the thread pool may be done before the next turn of the event loop, or after it.
        self.run_ok(
            "import { gzip } from 'node:zlib';\n"
            "let rounds = 0; const sizes = [10, 5e6, 10];\n"
            "const compress = () => { const size = sizes[rounds++]; if (size) gzip(Buffer.alloc(size), () => {}) };\n"
            "process.on('beforeExit', compress); undefined"
        )
        self.assert_ended()
        run = self.run_ok("process.off('beforeExit', compress); rounds")
        self.assertEqual(run.of("execute_result")[0]["data"]["text/plain"], "4")

    def test_before_exit_is_believed_of_node_alone(self):
        self.run_ok("const ticking = setInterval(() => process.emit('beforeExit', 0), 5); undefined")
        open = self.finish(0.5)["open"]
        self.run_ok("clearInterval(ticking)")
        self.assertEqual(open, ["1 timer is still pending"])
        self.assert_ended()

    def test_a_handler_may_end_the_process(self):
        self.run_ok("process.once('beforeExit', () => process.exit(7)); undefined")
        self.assertEqual(self.finish()["exit_code"], 7)
        self.run_ok("process.exitCode = 0; undefined")
        self.assert_ended()

    def test_exit_handlers_do_not_run_again_at_the_end(self):
        kernel = Kernel()
        self.addCleanup(kernel.shutdown)
        shared, self.kernel = self.kernel, kernel
        marker = kernel.folder / "exits"
        self.run_ok(
            "import { appendFileSync } from 'node:fs';\n"
            f"process.on('exit', () => appendFileSync({str(marker)!r}, 'x')); undefined"
        )
        self.assert_ended()
        kernel.manager.request_shutdown()
        kernel.manager.finish_shutdown(waittime=PATIENCE)
        self.assertEqual(marker.read_text(), "x")
        self.kernel = shared


if __name__ == "__main__":
    unittest.main()
