"""A cell that fails says so, and where."""

import unittest

from harness import KernelCase

HELPER = """export interface Thing { a: number }
// A type and a comment: the lines that run are not those that were written.
export function fails(n: number): never {
  const thing: Thing = { a: n };
  throw new RangeError(`bad ${thing.a}`);
}
export async function waits(): Promise<void> {
  console.log('in');
  await new Promise(() => {});
}
"""


CALLS = """export function calls(back: () => void): void {
  back();
}
"""


DEEP = """export function even(n: number): void {
  if (n === 0) throw new Error('deep down');
  odd(n - 1);
}
function odd(n: number): void {
  even(n - 1);
}
"""


class Errors(KernelCase):
    files = {"helper.ts": HELPER, "calls.ts": CALLS, "deep.ts": DEEP, "with.dot.ts": "export const dotted = 1;"}

    def test_file_with_a_dot_in_its_name(self):
        self.run_ok("import { dotted } from './with.dot';\ndotted + 1")

    def test_throw(self):
        run = self.run_error(
            "interface Unused { a: 1 }\nfunction f(n: number): void {\n  throw new TypeError('no');\n}\nf(1)",
            "TypeError",
            "^no$",
        )
        self.assertRegex(run.traceback, r"cell \[\d+\], line 3, in f\n")
        self.assertIn("----> 3 |   throw new TypeError('no');", run.traceback)
        self.assertIn("      2 | function f(n: number): void {", run.traceback)
        self.assertIn("----> 5 | f(1)", run.traceback)
        for inside in ("tslab", "node:", "execution.ts"):
            self.assertNotIn(inside, run.traceback)

    def test_remedy_of_a_helper(self):
        key = "(globalThis as any)[Symbol.for('polling-lab.remedy')]"  # as kernel-settings.json names it
        self.run_ok(f"{key} = (error: Error) => (/full/.test(error.message) ? 'Empty it.' : undefined);")
        run = self.run_error("throw new Error('full')", "Error", "^full$")
        self.assertTrue(run.traceback.endswith("\n\nEmpty it."), run.traceback)
        self.assertNotIn("Empty it.", self.run_error("throw new Error('other')", "Error", "^other$").traceback)
        # One that fails itself must not hide the error.
        for bad in ("() => { throw new Error('of the helper'); }", "() => ({})", "'no function'"):
            self.run_ok(f"{key} = {bad};")
            run = self.run_error("throw new Error('full')", "Error", "^full$")
            self.assertIn("----> 1 | throw new Error('full')", run.traceback)
            self.assertNotIn("of the helper", run.traceback)
        self.run_ok(f"delete {key};")

    def test_throw_in_a_function_of_an_earlier_cell(self):
        self.run_ok("\nconst early = () => {\n  throw new Error('late use');\n};")
        run = self.run_error("early()", "Error", "late use")
        self.assertIn("----> 3 |   throw new Error('late use');", run.traceback)
        self.assertIn("----> 1 | early()", run.traceback)

    def test_throw_in_an_imported_file(self):
        run = self.run_error("import { fails } from './helper.js';\nfails(3)", "RangeError", "bad 3")
        # The reader's own line with its neighbors, then the file's in short.
        self.assertRegex(
            run.traceback,
            r"^RangeError: bad 3\ncell \[\d+\], line 2\n"
            r"      1 \| import .*\n----> 2 \| fails\(3\)\n.*\^.*\n"
            r"Thrown in helper.ts, line 5, in fails\n----> 5 \|   throw new RangeError\(`bad \$\{thing.a\}`\);$",
        )

    def test_a_function_of_the_cell_that_a_file_calls(self):
        code = "import { calls } from './calls.js';\nconst mine = () => { throw new Error('mine') };\ncalls(mine)"
        run = self.run_error(code, "Error", "mine")
        self.assertLess(run.traceback.index("----> 2 | const mine"), run.traceback.index("----> 3 | calls(mine)"))
        self.assertRegex(run.traceback, r"\nCalled from calls.ts, line 2, in calls$")

    def test_rejected_await_shows_the_line_that_waited(self):
        run = self.run_error(
            "import fetch from 'node-fetch';\n\nawait fetch('http://127.0.0.1:1/')",
            "FetchError",
            "ECONNREFUSED",
        )
        self.assertIn("----> 3 | await fetch(", run.traceback)
        self.assertRegex(run.traceback, r"\nThrown in node_modules/node-fetch/")
        self.assertIn("code: 'ECONNREFUSED'", run.traceback)

    def test_compile_error(self):
        run = self.run_error("const a = 1;\nconst x: number = 'text';", "CompileError", "TS2322")
        self.assertRegex(run.traceback, r"^CompileError: Type 'string' .*\ncell \[\d+\], line 2:7\n")
        self.assertIn("----> 2 | const x: number = 'text';", run.traceback)

    def test_syntax_errors_that_only_v8_finds_are_compile_errors(self):
        run = self.run_error("const a = 1;\n'a'.match(/(/);", "CompileError", "Unterminated group")
        self.assertRegex(run.traceback, r"^CompileError: .*\ncell \[\d+\], line 2:11\n")
        self.assertIn("----> 2 | 'a'.match(/(/);", run.traceback)
        self.assertEqual(run.reply["phase"], "compile")
        (self.kernel.folder / "pattern.ts").write_text("\nexport const pattern = /(/;\n")
        run = self.run_error("import { pattern } from './pattern';\npattern", "CompileError", "Unterminated group")
        self.assertIn("pattern.ts, line 2:24", run.traceback)
        self.assertEqual(run.reply["phase"], "compile")

    def test_an_error_of_this_name_at_run_time_is_none_of_the_compiler(self):
        code = "const { WebAssembly } = globalThis as any;\nawait WebAssembly.compile(new Uint8Array(4))"
        run = self.run_error(code, "CompileError", "magic word")
        self.assertNotIn("phase", run.reply)

    def test_a_helper_that_is_stopped_is_not_shown(self):
        run = self.kernel.stop_when("import { waits } from './helper.js';\nawait waits()", "in")
        self.assertEqual(run.reply["ename"], "KeyboardInterrupt")
        self.assertIn("----> 2 | await waits()", run.traceback)
        self.assertNotIn("helper.ts", run.traceback)

    def test_a_name_of_a_cell_that_was_not_run(self):
        run = self.run_error("notRunYet + 1", "CompileError", "Cannot find name 'notRunYet'")
        self.assertIn("\nIf another cell declares it, run that one first: Run → Run All Above", run.traceback)

    def test_names_of_cells_that_were_not_run_are_one_error(self):
        run = self.run_error(
            "const a = { early };\nfirst(second);\nawait first(url);\nconst n: number = 'text';",
            "CompileError",
            "^4 names are not known yet: early, first, second, url$",  # the compiler would guess `URL`
        )
        self.assertIn("\nIf other cells declare them, run those first: Run → Run All Above", run.traceback)
        self.assertEqual(run.traceback.count("----> "), 2, run.traceback)
        self.assertIn("----> 1 | const a = { early };", run.traceback)
        self.assertIn("line 4:7 - Type 'string' is not assignable", run.traceback)
        self.assertNotIn("Cannot find", run.traceback)
        run = self.run_error("const b = [absent, absent, absent];", "CompileError", "^Cannot find name 'absent'. .TS2304.$")
        self.assertEqual(run.traceback.count("absent"), 3 + 1, run.traceback)
        many = self.run_error(" + ".join(f"name{i}" for i in range(40)), "CompileError", "^40 names .* and 28 more$")
        self.assertLess(len(many.traceback), 2000)

    def test_what_is_newer_than_the_compiler(self):
        for code in ("using f = { n: 1 };\nf.n", "const o = 1;\nawait using g = o;", "for (using x of []) x;"):
            run = self.run_error(code, "CompileError", "TS1")
            self.assertIn('\n"using" is newer than TypeScript 5.0. Use try', run.traceback)
        self.assertIn("attributes", self.run_error("import d from './d.json' with { type: 'json' }", "CompileError", "TS1005").traceback)
        self.assertIn("newer than", self.run_error("let n: NoInfer<string>;", "CompileError", "NoInfer").traceback)
        self.assertNotIn("newer", self.run_error("absent; // using x = 1", "CompileError", "absent").traceback)

    def test_a_forgotten_await(self):
        self.run_ok("const later = async () => ({ status: 200 });\nconst twice = (n: { status: number }) => 2 * n.status;")
        for forgetful in ("later().status", "twice(later())", "const { status } = later();"):
            run = self.run_error(forgetful, "CompileError", "Promise")
            self.assertIn('\nIs an "await" missing?\n', run.traceback)
        run = self.run_error("const p: Promise<number> = 1;", "CompileError", "Promise")
        self.assertNotIn("await", run.traceback)

    def test_several_compile_errors(self):
        run = self.run_error("const a: number = '';\nconst b: string = 1;", "CompileError", "TS2322")
        self.assertIn("line 2:7 - Type 'number' is not assignable", run.traceback)

    def test_recursion(self):
        run = self.run_error(
            "function down(n: number): void { if (n === 0) throw new Error('deep'); down(n - 1) }\ndown(20)",
            "Error",
            "deep",
        )
        self.assertIn("(20 times)", run.traceback)
        self.assertIn("----> 2 | down(20)", run.traceback)

    def test_compile_error_runs_nothing(self):
        self.run_error("globalThis.console.log('ran'); nowhere", "CompileError", "nowhere")
        self.assertNotIn("ran", "".join(c["text"] for c in self.kernel.run("").of("stream")))

    def test_syntax_error(self):
        self.run_error("const = 3", "CompileError", "expected")

    def test_not_an_error(self):
        self.run_error("throw 'text'", "NonError", "^'text'$")
        self.run_error("throw undefined", "NonError", "^undefined$")
        self.run_error("await Promise.reject({ code: 5 })", "NonError", "code: 5")

    def test_traps(self):
        self.run_error(
            "throw new Proxy(new Error('x'), { get() { throw new Error('trap') } })", "Error", "^$"
        )
        self.run_error("throw { [Symbol.for('nodejs.util.inspect.custom')]() { throw 1 } }", "NonError", "cannot be shown")

    def test_cause(self):
        run = self.run_error(
            "throw new Error('outer', {\n  cause: new TypeError('inner'),\n})", "Error", "^outer$"
        )
        self.assertIn("Caused by TypeError: inner", run.traceback)
        self.assertIn("----> 2 |   cause: new TypeError('inner'),", run.traceback)

    def test_cause_of_itself(self):
        run = self.run_error("const e = new Error('loop'); e.cause = e; throw e", "Error", "loop")
        self.assertIn("Caused by …", run.traceback)

    def test_aggregate(self):
        run = self.run_error(
            "await Promise.any([Promise.reject(new Error('a')), Promise.reject(new Error('b'))])",
            "AggregateError",
            "All promises were rejected",
        )
        self.assertIn("One of its errors: Error: b", run.traceback)

    def test_long_line(self):
        padding = "/*" + "x" * 5000 + "*/"
        run = self.run_error(f"{padding} throw new Error('far right'); {padding}", "Error", "far right")
        self.assertIn("throw new Error('far right')", run.traceback)
        self.assertLess(len(run.traceback), 1000)

    def test_the_cell_is_named_below_many_frames_of_a_file(self):
        run = self.run_error("import { even } from './deep.js';\n\neven(20)", "Error", "deep down")
        self.assertIn("----> 3 | even(20)", run.traceback)

    def test_huge_message(self):
        run = self.run_error("throw new Error('x'.repeat(5e6))", "Error", "characters")
        self.assertLess(len(run.traceback), 50_000)

    def test_what_cannot_be_looked_at(self):
        trap = "new Proxy({}, { getPrototypeOf() { throw new Error('trap') }, get() { throw new Error('trap') } })"
        self.run_error(f"throw {trap}", "NonError", "cannot be shown")

    def test_printed_stack_names_the_cell(self):
        run = self.run_ok("\nconsole.log(new Error('shown').stack)")
        self.assertRegex(run.text(), r"^Error: shown\n    at cell \[\d+\]:2:13\n$")

    def test_process_exit(self):
        run = self.run_error("\nprocess.exit(3)", "ProcessExit", r"process\.exit\(3\)")
        self.assertIn("----> 2 | process.exit(3)", run.traceback)
        self.run_error("try { process.exit() } catch {}", "ProcessExit", "would end the kernel")
        self.run_error("try { process.exit() } finally { process.exit(4) }", "ProcessExit", r"process\.exit\(\)")
        self.run_ok("1")

    def test_process_exit_in_a_timer(self):
        self.run_error(
            "setTimeout(() => process.exit(1), 1); await new Promise(() => {})", "ProcessExit", "would end the kernel"
        )

    def test_browser_cell_that_cannot_be_bundled(self):
        run = self.run_error("/** @browser */\nimport './nowhere';", "CompileError", "Could not resolve")
        self.assertIn("----> 2 | import './nowhere';", run.traceback)


class Strays(KernelCase):
    """Errors that nobody awaits."""

    def test_unhandled_rejection(self):
        run = self.run_error(
            "\nPromise.reject(new Error('floating'))", "UnhandledRejection", "^Error: floating$"
        )
        self.assertIn("----> 2 | Promise.reject(", run.traceback)

    def test_unhandled_rejection_while_the_cell_runs(self):
        self.run_error(
            "void (async () => { await null; throw new Error('soon') })();\n"
            "await new Promise(() => {})",
            "UnhandledRejection",
            "soon",
        )

    def test_timer_while_the_cell_runs(self):
        run = self.run_error(
            "setTimeout(() => {\n  throw new Error('timer');\n}, 1);\nawait new Promise(() => {})",
            "UncaughtException",
            "^Error: timer$",
        )
        self.assertIn("----> 2 |   throw new Error('timer');", run.traceback)

    def test_what_the_cell_left_waiting_is_no_second_error(self):
        self.run_error(
            "void (async () => { await new Promise(() => {}) })();\n"
            "setTimeout(() => { throw new Error('once') }, 1);\nawait new Promise(() => {})",
            "UncaughtException",
            "^Error: once$",
        )

    def test_from_an_earlier_cell_fails_the_one_that_runs(self):
        self.run_ok("let trip!: () => void; new Promise<void>((r) => { trip = r })"
                    ".then(() => { throw new Error('earlier') }); undefined")
        run = self.run_error("trip(); await new Promise(() => {})", "UnhandledRejection", "earlier")
        self.assertRegex(run.traceback, r"from cell \[\d+\]")

    def test_after_the_last_cell(self):
        msg_id = self.kernel.send("setTimeout(() => { throw new Error('at the end') }, 50); 1")
        self.assertEqual(self.kernel.finish(msg_id).status, "ok")
        # It is shown under the cell that caused it ...
        late = self.kernel.read_until(lambda m: m["msg_type"] == "error")
        self.assertEqual(late["parent_header"]["msg_id"], msg_id)
        self.assertEqual(late["content"]["ename"], "UncaughtException")
        # ... and fails the next request, once.
        final = self.kernel.run("", silent=True)
        self.assertEqual(final.status, "error")
        self.assertRegex(final.reply["evalue"], "at the end")
        self.assertEqual(self.kernel.run("", silent=True).status, "ok")

    def test_exit_after_the_last_cell(self):
        msg_id = self.kernel.send("setTimeout(() => process.exit(5), 20); 1")
        self.assertEqual(self.kernel.finish(msg_id).status, "ok")
        late = self.kernel.read_until(lambda m: m["msg_type"] == "error")
        self.assertEqual(late["parent_header"]["msg_id"], msg_id)
        self.assertEqual(self.kernel.run("", silent=True).reply["ename"], "ProcessExit")
        self.run_ok("1")

    def test_many_of_one_timer_fail_one_request(self):
        self.run_ok("let left = 3; const t = setInterval(() => { if (--left === 0) clearInterval(t);"
                    " throw new Error(`again ${left}`) }, 5); undefined")
        self.kernel.read_until(lambda m: m["msg_type"] == "error" and "again 0" in m["content"]["evalue"])
        self.assertIn("again 2", self.kernel.run("", silent=True).reply["evalue"])
        self.run_ok("1")

    def test_code_of_the_cell_that_pays_has_run(self):
        msg_id = self.kernel.send("setTimeout(() => { throw new Error('debt') }, 20); 1")
        self.kernel.finish(msg_id)
        self.kernel.read_until(lambda m: m["msg_type"] == "error")
        run = self.run_error("console.log('I ran'); const afterDebt = 4", "UncaughtException", "debt")
        self.assertEqual(run.text(), "I ran\n")
        self.run_ok("afterDebt")

    def test_rejection_handled_in_time(self):
        self.run_ok("const p = Promise.reject(new Error('caught')); p.catch(() => {}); 1")

    def test_emitter_without_listener(self):
        self.run_error(
            "import { EventEmitter } from 'node:events';\n"
            "setImmediate(() => new EventEmitter().emit('error', new Error('emitted')));\n"
            "await new Promise(() => {})",
            "UncaughtException",
            "emitted",
        )


if __name__ == "__main__":
    unittest.main()
