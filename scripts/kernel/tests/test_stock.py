"""What stock tslab does wrong, reproduced: each is a reason for this kernel, and a test of ours.

Each test says what an honest kernel does. Ours passes. Stock tslab fails every one; where SOAK is
set that is held too, so that we learn when it is mended.
"""

import os
import unittest

from harness import KernelCase, is_alive, wait_until


class Promises:
    """The claims. `self.kernel` runs either kernel."""

    def test_a_failing_cell_has_an_error_message(self):
        run = self.kernel.run("throw new Error('x')")
        self.assertEqual(len(run.of("error")), 1)

    def test_a_failing_cell_has_a_complete_reply(self):
        run = self.kernel.run("throw new Error('x')")
        self.assertEqual(run.reply.get("ename"), "Error")
        self.assertIn("traceback", run.reply)

    def test_a_cell_sent_after_an_error_runs(self):
        self.kernel.run("throw new Error('x')")
        self.assertEqual(self.kernel.run("console.log('ran')").text(), "ran\n")

    def test_statuses_are_those_of_the_protocol(self):
        runs = self.kernel.run_behind_an_error("1")
        self.assertEqual([run.status for run in runs], ["error", "aborted"])

    def test_an_unhandled_rejection_fails_the_cell(self):
        run = self.kernel.run(
            "Promise.reject(new Error('x')); await new Promise((r) => setTimeout(r, 50))"
        )
        self.assertEqual(run.status, "error")

    def test_a_throw_in_a_timer_fails_the_cell(self):
        run = self.kernel.run(
            "setTimeout(() => { throw new Error('x') }, 1); await new Promise((r) => setTimeout(r, 50))"
        )
        self.assertEqual(run.status, "error")

    def test_top_level_for_await_alone(self):
        run = self.kernel.run("for await (const x of [1]) console.log(x)")
        self.assertEqual(run.text(), "1\n")

    def test_a_property_may_be_named_as_a_variable_of_an_earlier_cell(self):
        self.kernel.run("let a = 1; const b = 2")
        run = self.kernel.run("const both = { a, b, c: [{ a }] }; ({ a } = { a: 3 }); console.log(both, a)")
        self.assertEqual(run.text(), "{ a: 1, b: 2, c: [ { a: 1 } ] } 3\n")
        self.assertEqual(self.kernel.run("({ a = 4 } = {} as any); console.log({ a })").text(), "{ a: 4 }\n")

    def test_no_output_is_lost(self):
        run = self.kernel.run("for (let i = 0; i < 20_000; i++) console.log(i)")
        self.assertEqual(run.text().count("\n"), 20_000)

    def test_late_output_stays_with_its_cell(self):
        self.kernel.run(
            "let go = () => {}; new Promise<void>((r) => { go = r })"
            ".then(() => setImmediate(() => console.log('of the first'))); undefined"
        )
        run = self.kernel.run("go(); await new Promise((r) => setTimeout(r, 100))")
        self.assertEqual(run.status, "ok")
        self.assertNotIn("of the first", run.text())

    def test_kernel_info_tells_the_true_version(self):
        msg_id = self.kernel.client.kernel_info()
        info = self.kernel.reply_to(msg_id)["content"]
        self.assertEqual(info["language_info"]["version"], "5.0.4")

    def test_comm_info_has_the_right_type(self):
        msg_id = self.kernel.client.comm_info()
        self.assertEqual(self.kernel.reply_to(msg_id)["msg_type"], "comm_info_reply")

    def test_zz_process_exit_leaves_the_kernel_alive(self):
        pid = self.kernel.pid
        msg_id = self.kernel.send("process.exit(1)")
        wait_until(lambda: not is_alive(pid) or self._replied(msg_id))
        self.assertTrue(is_alive(pid))

    def _replied(self, msg_id):
        import queue

        try:
            return self.kernel.reply_to(msg_id, timeout=0.1) is not None
        except queue.Empty:
            return False


class Ours(Promises, KernelCase):
    kernel_name = "ours"


def _broken(name):
    def test(self):
        with self.assertRaises(Exception, msg="stock tslab has mended this"):
            getattr(Promises, name)(self)

    return test


if os.environ.get("SOAK"):

    class Stock(KernelCase):
        kernel_name = "stock"
        _replied = Promises._replied

        def setUp(self):
            # For a while after an error it refuses whatever comes.
            wait_until(lambda: self.kernel.run("1").status == "ok")

    for _name in [n for n in dir(Promises) if n.startswith("test_")]:
        setattr(Stock, _name, _broken(_name))


if __name__ == "__main__":
    unittest.main()
