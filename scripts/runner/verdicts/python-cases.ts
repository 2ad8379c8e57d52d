// The verdict notebooks that mean something in Python too, under the same names, for `compare.ts`: how do other tools judge
// the kernel that they were made for?

/** A cell's source, and its tags. */
export type PythonCell = string | [source: string, ...tags: string[]];

/** An `asyncio` task that nothing awaits; it raises when `event` is set. */
const TASK = `import asyncio
event = asyncio.Event()
async def work():
    await event.wait()
    raise RuntimeError('nobody listens')
task = asyncio.create_task(work())`;
const UNAWAITED = 'event.set()\nawait asyncio.sleep(0.1)';

export const pythonFailing: Record<string, PythonCell[]> = {
  // raises
  throws: ['print(1)', "raise ValueError('no such luck')"],
  'throws-after-await': ["import asyncio\nawait asyncio.sleep(0.01)\nraise ValueError('after the await')"],
  'throws-in-for-await': [
    "async def stream():\n    yield 1\n    raise OSError('the stream broke')",
    'async for one in stream():\n    print(one)',
  ],
  'overflows-stack': ['def f(n):\n    return f(n + 1) + 1\nf(0)'],
  'fails-assertion': ["assert 6 == 7, 'client and ledger disagree'"],
  'has-syntax-error': ['x = = 1'],
  'names-what-is-not-there': ['print(1)', 'print(missing)'],
  'imports-missing-module': ['import no_such_module'],
  // fails where nothing waits for it
  'rejects-while-cell-runs': [`${TASK}\n${UNAWAITED}\ndel task`, 'import gc\ngc.collect()\nprint(2)'],
  'rejects-in-later-cell': [TASK, UNAWAITED, 'print(3)'],
  'rejects-after-last-cell': [`${TASK}\nasyncio.get_running_loop().call_later(0.2, event.set)`],
  'throws-in-timer': [
    "import asyncio\ndef late():\n    raise RuntimeError('in a timer')\nasyncio.get_running_loop().call_later(0.05, late)\nawait asyncio.sleep(0.3)",
    "print('never')",
  ],
  'worker-throws': [
    "import threading\ndef work():\n    raise RuntimeError('in a thread')\nthread = threading.Thread(target=work)\nthread.start()\nthread.join()",
    "print('never')",
  ],
  'throws-in-exit-handler': ["import atexit\ndef end():\n    raise RuntimeError('at exit')\natexit.register(end)"],
  // ends or never ends
  'exits-process': ['import sys\nsys.exit(0)', "print('never')"],
  'kills-its-kernel': ['import os, signal\nos.kill(os.getpid(), signal.SIGKILL)'],
  'loops-forever': ['while True:\n    pass'],
  'waits-forever': ['import asyncio\nawait asyncio.Event().wait()'],
  'asks-its-reader': ['print(1)', "input('Name? ')"],
  // tests, and expected errors
  'fails-node-test': [
    "import unittest\nclass Sums(unittest.TestCase):\n    def test_sum(self):\n        self.assertEqual(1 + 1, 3)\nunittest.main(argv=['cell'], exit=False)",
  ],
  'does-not-raise-what-is-expected': [['print(1)', 'raises-exception']],
  'expects-error-but-does-not-compile': [['x = = 1', 'raises-exception']],
  'expects-error-but-exits-process': [['import sys\nsys.exit(0)', 'raises-exception'], 'print(1)'],
  'fails-after-expected-error': [["raise ValueError('expected')", 'raises-exception'], 'print(1)', '1 / 0'],
  // leaves something open
  'leaves-port-listening': ["import socket\nserver = socket.create_server(('127.0.0.1', 0))"],
  'leaves-process-running': ["import subprocess\nchild = subprocess.Popen(['sleep', '600'])"],
  'leaves-timer-pending': ['import asyncio\nasyncio.get_running_loop().call_later(600, print)'],
  'leaves-worker-running': [
    'import threading, time\nthreading.Thread(target=time.sleep, args=(600,), daemon=True).start()',
  ],
  'has-no-code': [],
};

export const pythonPassing: Record<string, PythonCell[]> = {
  'awaits-at-top-level': ['import asyncio\nvalue = await asyncio.sleep(0.01, 1)', 'assert value == 1'],
  'closes-what-it-opens': ["import socket\nwith socket.create_server(('127.0.0.1', 0)):\n    pass"],
  'ends-its-background-work-in-time': ['import asyncio\ntask = asyncio.create_task(asyncio.sleep(0.2))'],
  'handles-its-errors': ['try:\n    1 / 0\nexcept ZeroDivisionError as error:\n    print(error)'],
  'has-empty-cells': ['', 'print(1)', ''],
  'has-parameters': [['clients = 1', 'parameters'], 'assert clients == 1'],
  'prints-100000-lines': ["for n in range(100_000):\n    print('line', n)"],
  'prints-from-earlier-cell': [
    "import threading, time\ndef work():\n    time.sleep(0.2)\n    print('late')\nthread = threading.Thread(target=work)\nthread.start()",
    'thread.join()',
  ],
  'raises-what-is-expected': [['1 / 0', 'raises-exception'], 'print(1)'],
  'skips-tagged-cell': [['1 / 0', 'skip-execution'], 'print(1)'],
  'writes-to-stderr': ["import sys\nprint('only a warning', file=sys.stderr)"],
};

/** The text of a notebook with these cells. */
export function pythonNotebook(cells: PythonCell[]): string {
  const kernelspec = { name: 'python3', display_name: 'Python 3', language: 'python' };
  return JSON.stringify({
    ...{ nbformat: 4, nbformat_minor: 4, metadata: { kernelspec, language_info: { name: 'python' } } },
    cells: cells.map((cell) => {
      const [source, ...tags] = typeof cell === 'string' ? [cell] : cell;
      return { cell_type: 'code', source, metadata: { tags }, outputs: [], execution_count: null };
    }),
  });
}
