"""Interrupts, and the end of the kernel."""

import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import unittest

from harness import PATIENCE, Kernel, KernelCase, is_alive, wait_until


class Interrupt(KernelCase):
    def setUp(self):
        self.run_ok("let kept = 41; const sleep = (ms: number) => new Promise<void>((r) => setTimeout(r, ms))")

    def stop(self, code):
        run = self.kernel.stop_when(code, "in")
        self.assertEqual(run.reply["ename"], "KeyboardInterrupt", run.reply)
        result = self.run_ok("await sleep(1); kept + 1").of("execute_result")[0]["data"]["text/plain"]
        self.assertEqual(result, "42")
        return run

    def test_synchronous_loop(self):
        run = self.stop("console.log('in');\nfor (;;) {}")
        self.assertIn("----> 2 | for (;;) {}", run.traceback)

    def test_loop_without_a_block(self):
        self.stop("console.log('in'); while (true);")

    def test_loop_in_a_function(self):
        self.stop("const spin = () => { do { kept += 0 } while (true) }; console.log('in'); spin()")

    def test_loop_after_an_await(self):
        self.stop("await sleep(5); console.log('in'); for (;;) {}")

    def test_loop_in_a_timer(self):
        self.stop("setTimeout(() => { console.log('in'); for (;;) {} }, 1); await new Promise(() => {})")

    def test_loop_that_awaits_nothing(self):
        self.stop("console.log('in'); for (;;) await null")

    def test_loop_outside_the_cells_code(self):
        self.stop("console.log('in'); /^(a+)+$/.test('a'.repeat(60) + 'b')")

    def test_printing_loop(self):
        self.stop("for (;;) console.log('in')")

    def test_pending_await(self):
        run = self.stop("console.log('in');\nawait sleep(1e8)")
        self.assertIn("----> 2 | await sleep(1e8)", run.traceback)

    def test_await_of_nothing(self):
        self.stop("console.log('in'); await new Promise(() => {})")

    def test_polling_loop_ends_and_cleans_up(self):
        run = self.stop(
            "let polls = 0; console.log('in');\n"
            "try { for (;;) { await sleep(5); polls++ } } finally { console.log('closed') }"
        )
        self.assertIn("closed", run.text())
        run = self.run_ok("const seen = polls; await sleep(100); polls === seen")
        self.assertEqual(run.of("execute_result")[0]["data"]["text/plain"], "true")

    def test_for_await_closes_its_source(self):
        run = self.stop(
            "async function* ticks() { try { for (;;) { await sleep(5); yield 1 } } finally { console.log('closed') } }\n"
            "console.log('in'); for await (const _ of ticks()) {}"
        )
        self.assertIn("closed", run.text())

    def test_with_no_cell_running(self):
        self.kernel.manager.interrupt_kernel()
        # Requests come in on two channels: a cell that is sent at once may be there before the interrupt is.
        self.kernel.read_until(
            lambda m: m["parent_header"].get("msg_type") == "interrupt_request"
            and m["content"].get("execution_state") == "idle"
        )
        self.run_ok("1")

    def test_children_are_left_alone(self):
        self.run_ok(
            "import { spawn } from 'node:child_process';\nconst child = spawn('sleep', ['1000']); undefined"
        )
        self.stop("console.log('in'); for (;;) {}")
        run = self.run_ok("const { exitCode, signalCode } = child; child.kill(); `${exitCode} ${signalCode}`")
        self.assertEqual(run.of("execute_result")[0]["data"]["text/plain"], "'null null'")


CHILDREN = textwrap.dedent("""
    import { spawn } from 'node:child_process';
    const plain = spawn('sleep', ['1000']);
    const detached = spawn('sleep', ['1000'], { detached: true, stdio: 'ignore' });
    const scrubbed = spawn('/bin/sleep', ['1000'], { env: {} });
    const grandchild = spawn('sh', ['-c', 'sleep 1000 & echo $!; wait']);
    const [line] = await new Promise<string[]>((r) => grandchild.stdout.once('data', (d) => r([String(d)])));
    console.log([plain.pid, detached.pid, scrubbed.pid, grandchild.pid, Number(line)].join(' '));
""")


class End(unittest.TestCase):
    def start(self, code=None):
        kernel = Kernel()
        self.addCleanup(kernel.shutdown)
        return kernel, kernel.run(code) if code else None

    def test_shutdown_with_everything_open(self):
        # Of its own accord: neither aborted by the end of its threads nor killed for want of patience.
        for _ in range(50 if os.environ.get("SOAK") else 2):
            kernel, _ = self.start(
                "import { createServer } from 'node:http';\n"
                "createServer().listen(0); setInterval(() => {}, 1e6); undefined"
            )
            process = kernel.manager.provisioner.process
            kernel.manager.request_shutdown()
            kernel.manager.finish_shutdown(waittime=PATIENCE)
            self.assertEqual(process.returncode, 0)
            kernel.client.stop_channels()

    def test_shutdown_during_a_loop(self):
        kernel, _ = self.start()
        kernel.send("console.log('in'); /^(a+)+$/.test('a'.repeat(60) + 'b')")
        kernel.read_until(lambda m: m["msg_type"] == "stream")
        pid = kernel.pid
        kernel.manager.request_shutdown()
        kernel.manager.finish_shutdown(waittime=PATIENCE)
        self.assertFalse(is_alive(pid))

    def test_a_port_that_is_taken_is_told(self):
        # The runner tells by it that another start may go well.
        kernel, _ = self.start()
        again = subprocess.run(
            [*kernel.manager.provisioner.process.args[:-1], kernel.manager.connection_file],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        self.assertEqual(again.returncode, -signal.SIGKILL)
        self.assertIn("EADDRINUSE", again.stderr)

    def test_exit_handlers_run(self):
        kernel, _ = self.start()
        marker = kernel.folder / "cleaned"
        kernel.run(
            "import { writeFileSync } from 'node:fs';\n"
            f"process.on('exit', () => writeFileSync({str(marker)!r}, 'yes')); undefined"
        )
        kernel.manager.request_shutdown()
        kernel.manager.finish_shutdown(waittime=PATIENCE)
        self.assertTrue(marker.exists())

    def children_end(self, end):
        kernel, run = self.start(CHILDREN)
        self.assertEqual(run.status, "ok", run.reply)
        pids = [int(p) for p in run.text().split()]
        self.assertEqual(len(pids), 5)
        self.assertTrue(all(is_alive(p) for p in pids))
        end(kernel)
        wait_until(lambda: not any(is_alive(p) for p in pids))

    def test_children_end_with_shutdown(self):
        self.children_end(lambda kernel: kernel.manager.shutdown_kernel())

    def test_children_end_with_a_kill(self):
        self.children_end(lambda kernel: os.kill(kernel.pid, signal.SIGKILL))

    def test_children_end_with_a_term(self):
        self.children_end(lambda kernel: os.kill(kernel.pid, signal.SIGTERM))

    def test_children_of_a_restarted_kernel(self):
        def restart(kernel):
            kernel.manager.restart_kernel()
            kernel.client.wait_for_ready(timeout=PATIENCE)

        self.children_end(restart)

    def orphan(self, cell):
        """A kernel whose parent, another Python, is killed."""
        script = textwrap.dedent(f"""
            import sys; sys.path.insert(0, {os.path.dirname(__file__)!r})
            from harness import Kernel
            kernel = Kernel()
            msg_id = kernel.send({cell!r})
            kernel.read_until(lambda m: m["msg_type"] == "stream")
            print(kernel.pid, flush=True)
            sys.stdin.read()
        """)
        left = tempfile.TemporaryDirectory()  # what a parent that is killed cannot remove
        self.addCleanup(left.cleanup)
        parent = subprocess.Popen(
            [sys.executable, "-c", script],
            env={**os.environ, "TMPDIR": left.name},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        pid = int(parent.stdout.readline())
        self.assertTrue(is_alive(pid))
        parent.kill()
        parent.wait()
        parent.stdin.close()
        parent.stdout.close()
        wait_until(lambda: not is_alive(pid))

    def test_ends_with_its_parent(self):
        self.orphan("console.log('in'); setInterval(() => {}, 1000); undefined")

    def test_ends_with_its_parent_also_in_a_loop(self):
        self.orphan("console.log('in'); for (;;) {}")


if __name__ == "__main__":
    unittest.main()
