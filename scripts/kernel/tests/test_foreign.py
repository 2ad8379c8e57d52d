"""Notebooks that others wrote, for a stock tslab, run as there; and what their project asks for is honored."""

import json
import os
import unittest

from harness import PATIENCE, Kernel, KernelCase


class WithoutConfig(KernelCase):
    """The options of stock tslab."""

    def test_a_parameter_needs_no_type(self):
        self.run_ok("function add(a, b) { return a + b; }\nadd(1, 2)")

    def test_an_empty_array_may_grow_in_a_function(self):
        self.run_ok("let xs = [];\nfunction grow() { xs.push(1); return xs; }\ngrow()")

    def test_null_is_of_every_type(self):
        self.run_ok("let n: number = null;\nn")

    def test_the_library_is_that_of_the_node_that_runs(self):
        self.run_ok("[3, 1, 2].toSorted().findLast((n) => n < 3); new Uint8Array(2).with(0, 1)")
        self.run_ok("'x'.isWellFormed()")
        newer = {
            "Array.fromAsync": "(await Array.fromAsync([1, Promise.resolve(2)])).map((n) => n.toFixed())",
            "Object.groupBy": "Object.groupBy([1, 2], (n) => n % 2 ? 'odd' : 'even').odd[0].toFixed()",
            "Promise.withResolvers": "Promise.withResolvers<number>().resolve(1)",
            "Set.prototype.union": "new Set([1]).union(new Set(['a'])).size",
            "globalThis.Iterator": "[1, 2].values().map((n) => n + 1).toArray().length",
        }
        for feature, code in newer.items():
            there = self.run_ok(f"({feature.rsplit('.', 1)[0]} as any)?.{feature.rsplit('.', 1)[1]} !== undefined")
            has = there.of("execute_result")[0]["data"]["text/plain"] == "true"
            self.assertEqual(self.kernel.run(code).status, "ok" if has else "error", code)

    def test_export(self):
        run = self.run_ok("export const a = 1; a")
        self.assertEqual(run.of("execute_result")[0]["data"]["text/plain"], "1")
        self.run_ok("export default class Shape { side = a }\nexport function f(n: number) { return n }")
        self.run_ok("export { f as g }; export interface Size { width: number }")
        self.run_ok("const size: Size = { width: f(a) + new Shape().side }; size.width.toFixed()")
        self.run_error("a.toUpperCase()", "CompileError", "toUpperCase")
        self.run_ok("const __under = 1")
        self.run_ok("__under.toFixed()")

    def test_a_class_expression_with_private_members(self):
        self.run_ok("const Counter = class { private n = 1; #m = 2; sum() { return this.n + this.#m } };")
        self.run_ok("const make = () => class { protected n = 1 };\nnew Counter().sum()")
        self.run_ok("new Counter().sum() + new (make())()['n']")

    def test_what_a_cell_declares_for_all_files_is_there_in_later_cells(self):
        self.run_ok("declare global { interface String { shout(): string } }\nexport {}")
        self.run_ok("String.prototype.shout = function () { return this.toUpperCase() + '!' }")
        self.run_ok("namespace Units { export const metre = 1 }")
        self.run_ok("'a'.shout().length + Units.metre")

    def test_a_property_of_a_type_may_be_named_as_a_variable(self):
        self.run_ok("const count = 1; interface Page { count: number }; const page: Page = { count: 2 }")
        run = self.run_ok("const { count: n } = page; n + count")
        self.assertEqual(run.of("execute_result")[0]["data"]["text/plain"], "3")


class Jsx(KernelCase):
    files = {"view.tsx": "import * as React from './react';\nexport const View = () => <b>{React.version}</b>;\n"}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        (cls.kernel.folder / "react.ts").write_text(
            "export const version = '1';\n"
            "export function createElement(type: any, props: any, ...children: any[]): any {\n"
            "  return typeof type === 'function' ? type(props ?? {}) : { type, props, children };\n}\n"
            "declare global { namespace JSX { interface IntrinsicElements { [name: string]: any } } }\n"
        )

    def test_jsx_in_a_cell(self):
        self.run_ok("import * as React from './react'")
        self.run_ok("const Name = (props: any) => <i>{props.text}</i>; const typed = <T,>(x: T) => x")
        run = self.run_ok("const element = <Name text='a' />;\nelement.children[0]")
        self.assertEqual(run.of("execute_result")[0]["data"]["text/plain"], "'a'")

    def test_type_assertions_are_no_jsx(self):
        self.run_ok("const text = <string>(<unknown>'a'); const same = <T>(x: T) => x; same(text) + '</b>'")

    def test_a_helper_with_jsx(self):
        run = self.run_ok("import { View } from './view';\nView().children[0]")
        self.assertEqual(run.of("execute_result")[0]["data"]["text/plain"], "'1'")


class Browser(KernelCase):
    files = {"page.ts": "export const greet = (name: string): string => `hello, ${name}`;\n"}

    def test_a_browser_cell_is_shown_as_a_script(self):
        run = self.run_ok("/** @browser */\nimport { greet } from './page';\ndocument.title = greet('</script>');")
        (shown,) = run.of("display_data")
        html = shown["data"]["text/html"]
        self.assertTrue(html.startswith('<script type="module">'))
        self.assertEqual(html.count("</script>"), 1)
        self.assertIn("`hello, ${name}`", html)
        self.assertNotIn("import", html)
        self.run_ok("/** @module names\n@browser */\nexport const name: string = 'Ada';")
        run = self.run_ok("/** @browser */\nimport { name } from './names';\ndocument.title = name;")
        self.assertIn('"Ada"', run.of("display_data")[0]["data"]["text/html"])
        self.assertEqual(self.run_ok("1").of("execute_result")[0]["data"]["text/plain"], "1")


class Helpers(KernelCase):
    """Files beside the notebook, as they are now."""

    def write(self, **files):
        for name, text in files.items():
            path = self.kernel.folder / name.replace("__", "/").replace("_", ".")
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)

    def value(self, code):
        return self.run_ok(code).of("execute_result")[0]["data"]["text/plain"]

    def test_a_cell_that_awaits_declares_a_variable_of_a_type_of_another_file(self):
        self.write(run_ts="export interface Run { text(): Promise<string> }")
        self.write(start_ts="import type { Run } from './run';\nexport const start = (): Run => ({ text: async () => 'abc' })")
        self.run_ok("import { start } from './start';\nconst ready = await Promise.resolve(1)")
        self.assertEqual(self.value("const run = start();\nconst text = await (run.text());\ntext.length + ready"), "4")

    def test_a_helper_of_a_helper_is_edited(self):
        self.write(inner_ts="export const i = 1;", middle_ts="export { i } from './inner';")
        self.write(outer_ts="import { i } from './middle';\nexport const o = () => i * 10;")
        self.assertEqual(self.value("import { o } from './outer';\no()"), "10")
        self.write(inner_ts="export const i = 2;")
        self.assertEqual(self.value("import { o } from './outer';\no()"), "20")

    def test_a_helper_is_edited_twice_in_no_time(self):
        self.run_ok("import * as fs from 'node:fs';")
        for n in "123":
            self.run_ok(f"fs.writeFileSync('quick.ts', 'export const q = {n};')")
            self.assertEqual(self.value("import { q } from './quick';\nq"), n)

    def test_a_helper_is_made_after_its_import_failed(self):
        self.run_error("import { n } from './later';", "CompileError", "Cannot find module './later'")
        self.write(later_ts="export const n = 7;")
        self.assertEqual(self.value("import { n } from './later';\nn"), "7")

    def test_a_helper_of_a_helper_is_made_after_its_import_failed(self):
        self.write(needs_ts="export { n } from './needed';")
        self.run_error("import { n as m } from './needs';", "CompileError", "Cannot find module './needed'")
        self.write(needed_ts="export const n = 8;")
        self.assertEqual(self.value("import { n as m } from './needs';\nm"), "8")

    def test_a_package_is_installed_after_its_import_failed(self):
        modules = self.kernel.folder / "node_modules"
        target = modules.readlink()
        self.run_error("import { late } from 'late-package';", "CompileError", "Cannot find module 'late-package'")
        modules.unlink()
        (modules / "late-package").mkdir(parents=True)
        for entry in target.iterdir():
            (modules / entry.name).symlink_to(entry)
        (modules / "late-package/package.json").write_text('{"name": "late-package", "types": "index.d.ts"}')
        (modules / "late-package/index.d.ts").write_text("export const late: number;")
        (modules / "late-package/index.js").write_text("exports.late = 9;")
        self.assertEqual(self.value("import { late } from 'late-package';\nlate.toFixed()"), "'9'")

    def test_a_folder_with_an_index(self):
        self.write(folder__index_ts="export { p } from './part';", folder__part_ts="export const p = 3;")
        self.assertEqual(self.value("import { p } from './folder';\np"), "3")

    def test_a_file_of_the_parent_folder(self):
        above = self.kernel.folder.parent / f"{self.kernel.folder.name}-above.ts"
        above.write_text("export const above = (n: number) => n + 1;")
        self.addCleanup(above.unlink)
        self.assertEqual(self.value(f"import {{ above }} from '../{above.stem}';\nabove(1)"), "2")

    def test_a_file_that_awaits_at_its_top_level_is_refused(self):
        self.write(waits_ts="export const w = await 1;")
        self.run_error("import { w } from './waits';\nw", "CompileError", "await.*top level.*")

    def test_dynamic_import_of_an_es_module_that_awaits(self):
        self.write(tla_mjs="export const x = await 1;\nexport default 2;")
        run = self.run_ok("const m: any = await import('./tla.mjs');\nm.x + m.default")
        self.assertEqual(run.of("execute_result")[0]["data"]["text/plain"], "3")
        self.assertEqual(run.text("stderr"), "")  # no warning of the loader, which is the kernel's

    def test_dynamic_import_of_typescript(self):
        self.write(lazy_ts="export const z: number = 4;")
        self.assertEqual(self.value("(await import('./lazy')).z.toFixed()"), "'4'")

    def test_dynamic_import_of_a_built_in_module_and_of_packages(self):
        self.assertEqual(self.value("(await import('node:path')).join('a', 'b')"), "'a/b'")
        self.assertEqual(self.value("(await import('semver')).default.major('1.2.3')"), "1")
        run = self.run_ok("typeof (await import('node-fetch')).default")
        self.assertEqual(run.of("execute_result")[0]["data"]["text/plain"], "'function'")
        self.assertEqual(run.text("stderr"), "")


class Configured(unittest.TestCase):
    """What a tsconfig.json or the notebook's metadata says."""

    def run_in(self, files, *cells):
        kernel = Kernel("ours", files)
        try:
            return [kernel.run(cell) for cell in cells]
        finally:
            kernel.shutdown()

    def assertFails(self, run, message):
        self.assertEqual(run.status, "error", run.reply)
        self.assertRegex(run.reply["evalue"], message)

    def test_strict(self):
        options = '"strict": true, "noUnusedLocals": true, "noUnusedParameters": true'
        strict = {"tsconfig.json": f'{{ "compilerOptions": {{ {options} }}, "include": ["elsewhere"] }}'}
        run, unused = self.run_in(strict, "(x) => x", "(unused: number) => { const neither = 1 }")
        self.assertFails(run, "implicitly has an 'any' type")
        self.assertEqual(unused.status, "ok", unused.reply)

    def test_types_lib_paths_and_decorators(self):
        options = {
            "extends": "./base",
            "compilerOptions": {
                "module": "NodeNext",
                "moduleResolution": "nonsense of a newer compiler",
                "types": ["special"],
                "typeRoots": ["./roots"],
                "lib": ["ES2022", "DOM"],
                "baseUrl": ".",
                "paths": {"@lib/*": ["source/*"]},
                "emitDecoratorMetadata": True,
            },
        }
        files = {
            "tsconfig.json": json.dumps(options),
            "base.json": '{ "compilerOptions": { "noImplicitAny": true } }',
            "roots/special/index.d.ts": "declare const special: number | undefined;",
            "source/tool.ts": "export const tool = 5;",
            "source/data.json": '{ "n": 6 }',
        }
        runs = self.run_in(
            files,
            "typeof special; let element: HTMLElement; process.argv.length",
            "import { tool } from '@lib/tool'; import data from '@lib/data.json'; tool + data.n",
            "const seen: unknown[] = []; Object.assign(Reflect, { metadata: (k: any, v: any) => (seen.push(v), () => {}) })",
            "class Point {}\nconst log = (_target: object, _key: string) => {};",
            "class Shape { @log at: Point }\nseen[0] === Point",
            "(x) => x",
            "[1].toSorted()",
        )
        for run in runs[:5]:
            self.assertEqual(run.status, "ok", run.reply)
        values = [run.of("execute_result")[0]["data"]["text/plain"] for run in (runs[1], runs[4])]
        self.assertEqual(values, ["11", "true"])
        self.assertFails(runs[5], "implicitly has an 'any' type")
        self.assertFails(runs[6], "toSorted")

    def test_of_the_folder_above_what_makes_more_compile_if_it_includes_this_one(self):
        options = {"strict": True, "lib": ["ES2015", "DOM"], "baseUrl": ".", "paths": {"@source/*": ["source/*"]}}
        for include, status in ((["notebooks"], "ok"), (["source"], "error"), (None, "ok")):
            config = {"compilerOptions": options, **({"include": include} if include else {})}
            files = {"../tsconfig.json": json.dumps(config), "../source/tool.ts": "export const tool = 5;"}
            kernel = Kernel("ours", files, subfolder="notebooks")
            run = kernel.run("import { tool } from '@source/tool'; let element: HTMLElement; tool")
            self.assertEqual(run.status, status, include)
            # No notebook is held to what only its project wants.
            self.assertEqual(kernel.run("const same = (x) => x; [3].toSorted()").status, "ok", include)
            kernel.shutdown()

    def test_a_broken_one_is_told_and_what_can_be_read_is_used(self):
        run, again = self.run_in({"tsconfig.json": '{ "extends": "./nowhere" }'}, "1", "2")
        self.assertEqual(run.status, "ok")
        self.assertRegex(run.text("stderr"), "tsconfig.json: .*nowhere")
        self.assertEqual(again.text("stderr"), "")

    if os.environ.get("SOAK"):  # another compiler takes seconds to load

        def test_the_compiler_of_the_project(self):
            files = {"package.json": '{ "polling-lab": { "compiler": "typescript" } }'}
            runs = self.run_in(
                files,
                "using f = { n: 1, [Symbol.dispose]() { console.log('closed') } };\nconsole.log('open', f.n);",
                "const twice = (x) => 2 * x; let n: NoInfer<number> = null;\ntwice(f.n) + [1].toSorted().length",
                "n.toUpperCase()",
            )
            self.assertEqual([run.status for run in runs], ["ok", "ok", "error"], [run.reply for run in runs])
            self.assertEqual(runs[0].text(), "open 1\nclosed\n")
            self.assertEqual(runs[1].of("execute_result")[0]["data"]["text/plain"], "3")

    def test_metadata_goes_over_it(self):
        files = {
            "tsconfig.json": '{ "compilerOptions": { "strict": true } }',
            "loose.ipynb": json.dumps({"metadata": {"polling-lab": {"compilerOptions": {"strict": False}}}}),
        }
        kernel = Kernel("ours", files, session="loose.ipynb")
        self.assertEqual(kernel.run("(x) => x").status, "ok")
        kernel.shutdown()

    def test_a_reference_holds_for_the_cells_after_it(self):
        files = {
            "globals.d.ts": "declare const version: string | undefined;",
            "node_modules/@types/unasked/index.d.ts": "declare const unasked: 1 | undefined;",
            "tsconfig.json": '{ "compilerOptions": { "types": [] } }',
        }
        runs = self.run_in(
            files,
            "// A comment first.\n/// <reference path='./globals.d.ts' />\n/// <reference types='unasked' />\ntypeof version",
            "typeof version + typeof unasked",
            "/// <reference lib='dom' />\nlet node: Node;",
            "let other: HTMLElement; typeof version",
        )
        self.assertEqual([run.status for run in runs], ["ok"] * 4, [run.reply for run in runs])

    def test_packages(self):
        def package(name, exports, **files):
            manifest = json.dumps({"name": name, "version": "1.0.0", "type": "module", "exports": exports})
            written = {"package.json": manifest, **{path.replace("_", "."): text for path, text in files.items()}}
            return {f"node_modules/{name}/{path}": text for path, text in written.items()}

        only = lambda name: {"types": f"./{name}.d.ts", "import": f"./{name}.js"}
        files = {
            "node_modules/@types/ambient/index.d.ts": "declare const ambient: 1;",
            **package(
                "modern",
                {".": only("main"), "./part": only("part")},
                main_js="export const n = 1; export default class { side = 2 };",
                main_d_ts="export const n: number; export default class { side: number }",
                part_js="export const part = 'x';",
                part_d_ts="export const part: string;",
            ),
            **package(
                "waiting",
                {"types": "./main.d.ts", "default": "./main.js"},
                main_js="export let count = await 1; export const add = () => { count += 1 }; export default { a: 5 };",
                main_d_ts="export let count: number; export const add: () => void; declare const o: { a: number }; export default o;",
            ),
            **package("broken", "./main.js", main_js="await 1; throw new Error('of the package');"),
            # As `require` has it, not as `import` has it.
            **package(
                "twofold",
                {"import": only("esm"), "require": {"types": "./cjs.d.cts", "default": "./cjs.cjs"}},
                cjs_cjs="exports.kind = 'required';",
                cjs_d_cts="export const kind: 'required';",
                esm_d_ts="export const kind: 'imported';",
            ),
            "uses.ts": "import o, { count } from 'waiting';\nexport const both = () => o.a + count;",
        }
        values = {
            "typeof ambient": "'undefined'",
            "import Shape, { n } from 'modern';\nimport { part } from 'modern/part';\nn.toFixed() + new Shape().side + part": "'12x'",
            "import o, { count, add } from 'waiting';\nadd();\no.a + count": "7",
            "import { both } from './uses';\nimport * as all from 'waiting';\nadd();\n[both(), all.count, Object.keys(all).length]": "[ 8, 3, 3 ]",
            "import { kind } from 'twofold';\nconst same: 'required' = kind;\nsame": "'required'",
        }
        wrong = {"n.toUpperCase()": "toUpperCase", "import 'broken';": "of the package"}
        runs = self.run_in(files, *values, *wrong)
        for run, value in zip(runs, values.values()):
            self.assertEqual(run.status, "ok", run.reply)
            self.assertEqual(run.of("execute_result")[0]["data"]["text/plain"], value)
            self.assertEqual(run.text("stderr"), "")
        for run, message in zip(runs[len(values) :], wrong.values()):
            self.assertFails(run, message)


class Javascript(KernelCase):
    kernel_name = "jslab"

    def test_it_says_so(self):
        msg_id = self.kernel.client.kernel_info()
        info = self.kernel.reply_to(msg_id)["content"]
        self.assertEqual(info["language_info"]["name"], "javascript")
        self.assertEqual(info["language_info"]["file_extension"], ".js")

    def test_cells(self):
        self.run_ok("function twice(x) { return x * 2; }\nclass Shape { #side = 3; area() { return this.#side ** 2 } }")
        self.run_ok("const fs = require('fs'); let list = []; list.push(1)")
        run = self.run_ok("list.push(await twice(4)); [...list, new Shape().area(), typeof fs.readFileSync]")
        self.assertEqual(run.of("execute_result")[0]["data"]["text/plain"], "[ 1, 8, 9, 'function' ]")
        self.run_error("throw new RangeError('far')", "RangeError", "far")

    def test_type_syntax_is_refused(self):
        self.run_error("let n: number = 1", "CompileError", "TypeScript files")

    def test_a_class_expression_with_private_members(self):
        self.run_ok("const Counter = class { #n = 1; value() { return this.#n } }")
        self.run_ok("new Counter().value()")


class StandardInput(KernelCase):
    RL = "import * as readline from 'node:readline/promises';\n"

    def answer(self, code, *lines, **options):
        msg_id = self.kernel.send(code, allow_stdin=True, **options)
        prompts = []
        for line in lines:
            request = self.kernel.client.get_stdin_msg(timeout=PATIENCE)
            self.assertEqual(request["msg_type"], "input_request")
            self.assertEqual(request["parent_header"]["msg_id"], msg_id)
            prompts.append(request["content"]["prompt"])
            self.kernel.client.input(line)
        return self.kernel.finish(msg_id), prompts

    def test_questions(self):
        self.kernel.run(
            self.RL + "const rl = readline.createInterface({ input: process.stdin, output: process.stdout });"
        )
        code = "const name = await rl.question('Name? ');\nconst age = await rl.question('Age? ');\n[name, age]"
        run, _ = self.answer(code, "Ada", "36")
        self.assertEqual(run.status, "ok", run.reply)
        self.assertEqual(run.of("execute_result")[0]["data"]["text/plain"], "[ 'Ada', '36' ]")
        self.assertEqual(run.text(), "Name? Age? ")

    def test_a_line_without_a_question(self):
        code = "await new Promise<string>((done) => process.stdin.once('data', (data) => done(String(data))))"
        kernel = Kernel()
        try:
            msg_id = kernel.send(code, allow_stdin=True)
            kernel.client.get_stdin_msg(timeout=PATIENCE)
            kernel.client.input("typed")
            run = kernel.finish(msg_id)
            self.assertEqual(run.of("execute_result")[0]["data"]["text/plain"], "'typed\\n'")
        finally:
            kernel.shutdown()

    def test_where_the_client_does_not_ask_the_cell_fails(self):
        self.run_error(
            self.RL + "await readline.createInterface({ input: process.stdin }).question('Name? ')",
            "StdinNotImplementedError",
            "reads a line",
            allow_stdin=False,
        )
        self.run_ok("1", allow_stdin=False)

    def test_a_readline_that_asks_nothing_is_no_fault(self):
        self.run_ok(
            self.RL + "const idle = readline.createInterface({ input: process.stdin });\nidle.close();",
            allow_stdin=False,
        )


class Transport(unittest.TestCase):
    def test_ipc(self):
        kernel = Kernel(transport="ipc")
        try:
            self.assertEqual(kernel.run("console.log('over a file')").text(), "over a file\n")
        finally:
            kernel.shutdown()


if __name__ == "__main__":
    unittest.main()
