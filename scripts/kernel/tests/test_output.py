"""All output arrives, in order, under the cell that caused it."""

import re
import time
import unittest

from harness import Kernel, KernelCase


class Output(KernelCase):
    def test_a_hundred_thousand_lines(self):
        run = self.run_ok("for (let i = 0; i < 100_000; i++) console.log(i)")
        self.assertEqual(run.text(), "".join(f"{i}\n" for i in range(100_000)))
        self.assertLess(len(run.of("stream")), 2000)

    def test_a_hundred_thousand_lines_across_awaits(self):
        run = self.run_ok(
            "for (let i = 0; i < 100_000; i++) { console.log(i); if (i % 100 === 0) await null }"
        )
        self.assertEqual(run.text(), "".join(f"{i}\n" for i in range(100_000)))

    def test_a_reader_that_does_not_read(self):
        """The client takes nothing while a cell prints: the kernel's memory stays bounded."""
        self.run_ok("const line = 'x'.repeat(1000); const before = process.memoryUsage().rss")
        msg_id = self.kernel.send(
            "for (let i = 0; i < 200_000; i++) console.log(i, line);"
            "(process.memoryUsage().rss - before) / 1e6"
        )
        time.sleep(2)  # the claim is about somebody who waits
        run = self.kernel.finish(msg_id, timeout=120)
        self.assertEqual(run.status, "ok")
        self.assertEqual(run.text().count("\n"), 200_000)
        grown = float(run.of("execute_result")[0]["data"]["text/plain"])
        self.assertLess(grown, 500, "MB")

    def test_streams_keep_their_order(self):
        run = self.run_ok("for (let i = 0; i < 20; i++) { console.log('o' + i); console.error('e' + i) }")
        seen = "".join(c["text"] for c in run.of("stream"))
        self.assertEqual(seen, "".join(f"o{i}\ne{i}\n" for i in range(20)))

    def test_display_keeps_its_place(self):
        run = self.run_ok(
            "import * as tslab from 'tslab';\nconsole.log('before'); tslab.display.html('<b>x</b>'); console.log('after')"
        )
        kinds = [m["msg_type"] for m in run.messages if m["msg_type"] in ("stream", "display_data")]
        self.assertEqual(kinds, ["stream", "display_data", "stream"])

    def test_display_of_json_as_text(self):
        raw = "import { display } from 'tslab';\ndisplay.raw('application/vnd.vegalite.v5+json', %s)"
        [shown] = self.run_ok(raw % "JSON.stringify({ mark: 'bar' })").of("display_data")
        self.assertEqual(shown["data"], {"application/vnd.vegalite.v5+json": {"mark": "bar"}})
        self.run_error(raw % "'{ mark: bar }'", "TypeError", "expected JSON for application/vnd.vegalite")
        [text] = self.run_ok("display.raw('text/plain', '{ mark: bar }')").of("display_data")
        self.assertEqual(text["data"], {"text/plain": "{ mark: bar }"})

    def test_display_of_a_plot_by_hand(self):
        """A mistake in a plot raises an error in plain words. A correct plot is shown, in every form."""
        raw = "import { display } from 'tslab';\ndisplay.raw('application/vnd.vegalite.v5+json', JSON.stringify({ data: %s, %s }))"
        rows = "{ values: [{ a: 'x', b: 3 }, { a: 'y' }] }"
        x = "x: { field: 'a', type: 'nominal' }"
        for wrong, says in [
            (f"mark: 'barr', encoding: {{ {x} }}", 'expected a mark that Vega-Lite has'),
            (f"layer: [{{ mark: {{ type: 'barr' }}, encoding: {{ {x} }} }}]", 'got "barr". Write one of these'),
            ("mark: 'bar', encoding: { x: { field: 'c', type: 'nominal' } }", 'for x ("a", "b"), got "c"'),
            ("mark: 'bar', encoding: { x: { field: 'a', type: 'number' } }", 'nominal, geojson), got "number"'),
            ("mark: 'bar', encoding: { x: { field: 'a', type: 'quantitative' } }", 'in the field "a", got "x". Give it numbers'),
        ]:
            self.run_error(raw % (rows, wrong), "TypeError", re.escape(says))
        for right in [
            f"mark: 'bar', encoding: {{ {x}, y: {{ field: 'b', type: 'quantitative' }} }}",
            "mark: 'bar', transform: [{ calculate: '1', as: 'c' }], encoding: { x: { field: 'c', type: 'quantitative' } }",
            "encoding: { x: { field: 'c' } }, layer: [{ mark: 'point', data: { values: [{ c: 1 }] } }]",
            "mark: 'point', encoding: { x: { field: 'a', aggregate: 'distinct', type: 'quantitative' } }",
        ]:
            self.assertEqual(len(self.run_ok(raw % (rows, right)).of("display_data")), 1)
        self.run_ok(raw % ("{ url: 'rows.csv' }", "mark: 'bar', encoding: { x: { field: 'c' } }"))

    def test_split_character(self):
        run = self.run_ok(
            "const euro = Buffer.from('€');\n"
            "process.stdout.write(euro.subarray(0, 1)); process.stdout.write(euro.subarray(1)); undefined"
        )
        self.assertEqual(run.text(), "€")

    def test_write_calls_back(self):
        self.run_ok("await new Promise<void>((done) => { process.stdout.write('x', () => done()) })")

    def test_late_output_belongs_to_the_cell_that_caused_it(self):
        first = self.kernel.send(
            "let go!: () => void; new Promise<void>((r) => { go = r })"
            ".then(() => setImmediate(() => console.log('from the first'))); undefined"
        )
        self.kernel.finish(first)
        second = self.kernel.send(
            "go(); await new Promise((r) => setTimeout(r, 20)); console.log('from the second')"
        )
        self.assertEqual(self.kernel.finish(second).text(), "from the second\n")
        late = [m["content"]["text"] for m in self.kernel.under(first) if m["msg_type"] == "stream"]
        self.assertEqual(late, ["from the first\n"])

    def test_result(self):
        run = self.run_ok("[1, 'a']")
        self.assertEqual(run.of("execute_result")[0]["data"]["text/plain"], "[ 1, 'a' ]")
        self.assertEqual(self.run_ok("undefined").of("execute_result"), [])
        self.assertEqual(self.run_ok("const x = 1").of("execute_result"), [])

    def test_result_that_is_a_promise(self):
        run = self.run_ok("new Promise(() => {})")
        self.assertEqual(run.of("execute_result")[0]["data"]["text/plain"], "Promise { <pending> }")

    def test_result_with_a_form_of_its_own(self):
        run = self.run_ok("({ [Symbol.for('Jupyter.display')]: () => ({ 'text/html': '<i>me</i>' }) })")
        self.assertEqual(run.of("execute_result")[0]["data"], {"text/html": "<i>me</i>"})

    def test_display_of_several_types(self):
        self.run_ok("const show = (globalThis as any)[Symbol.for('polling-lab.display')]")
        run = self.run_ok(
            "const spec = { a: [1] };\n"
            "show({ 'application/json': spec, 'text/plain': 'words', 'image/png': new Uint8Array([1, 2]) },"
            " { displayId: 'chart' });\nspec.a.push(2);\n"
            "show({ 'text/plain': 'new words' }, { displayId: 'chart', update: true })"
        )
        [shown] = run.of("display_data")
        self.assertEqual(
            shown["data"],
            {"application/json": {"a": [1]}, "text/plain": "words", "image/png": "AQI="},
        )
        [updated] = run.of("update_display_data")
        self.assertEqual(updated["transient"], {"display_id": "chart"})
        self.assertEqual(updated["data"], {"text/plain": "new words"})
        self.run_error("show({}, { update: true })", "TypeError", "displayId")

    def test_text_in_an_encoding(self):
        run = self.run_ok(
            "process.stdout.write('w6kK', 'base64'); process.stdout.write('41', 'hex');"
            "process.stdout.write('B', 'latin1'); process.stdout.write('\\u00e9', 'utf8');"
        )
        self.assertEqual(run.text(), "\u00e9\nAB\u00e9")

    def test_output_of_a_child(self):
        run = self.run_ok(
            "import { execFileSync, spawn } from 'node:child_process';\n"
            "import { once } from 'node:events';\n"
            "const child = spawn('sh', ['-c', 'echo out; echo err >&2'], { stdio: 'inherit' });\n"
            "await once(child, 'close');\n"
            "execFileSync('echo', ['sync'], { stdio: 'inherit' });"
        )
        self.assertEqual(run.text(), "out\nsync\n")
        self.assertEqual(run.text("stderr"), "err\n")

    def test_output_of_a_command_that_is_waited_for(self):
        run = self.run_ok(
            "import { execFileSync, execSync, spawnSync } from 'node:child_process';\n"
            "console.log(execSync('echo 1; echo a >&2', { stdio: 'inherit' }));\n"
            "console.log(execSync('echo 2; echo b >&2', { stdio: ['ignore', 'pipe', 'inherit'] }).toString());\n"
            "spawnSync('sh', ['-c', 'echo 3; echo c >&2'], { stdio: 'inherit' });\n"
            "try { execFileSync('sh', ['-c', 'echo 4; echo d >&2; exit 1'], { stdio: 'inherit' }); } catch {}"
        )
        self.assertEqual(run.text().split(), ["1", "null", "2", "3", "4"])
        self.assertEqual(run.text("stderr").split(), ["a", "b", "c", "d"])


class SilentReader(unittest.TestCase):
    def test_a_client_that_never_reads_still_gets_its_reply(self):
        kernel = Kernel()
        self.addCleanup(kernel.shutdown)
        msg_id = kernel.send("for (let i = 0; i < 100_000; i++) console.log('x'.repeat(100))")
        self.assertEqual(kernel.reply_to(msg_id)["content"]["status"], "ok")


if __name__ == "__main__":
    unittest.main()
