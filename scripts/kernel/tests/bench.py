"""Times from starting a kernel to its answers, ours and stock tslab's in turn. Medians, in seconds."""

import statistics
import sys
import time

from harness import Kernel

IMPORT = "import fetch from 'node-fetch'; import * as vega from 'vega'; typeof fetch"


def measure(name):
    began = time.perf_counter()
    kernel = Kernel(name)
    times = {"kernel_info": time.perf_counter() - began}
    kernel.run("1 + 1")
    times["first cell"] = time.perf_counter() - began
    for label, code in (("another cell", "2 + 2"), ("a cell with imports", IMPORT)):
        began = time.perf_counter()
        kernel.run(code)
        times[label] = time.perf_counter() - began
    if name == "ours":  # stock tslab loses most of them, and its own idle status with them
        began = time.perf_counter()
        kernel.run("for (let i = 0; i < 100_000; i++) console.log(i)")
        times["100,000 lines"] = time.perf_counter() - began
    began = time.perf_counter()
    kernel.manager.shutdown_kernel()
    times["shutdown"] = time.perf_counter() - began
    kernel.shutdown()
    return times


if __name__ == "__main__":
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    measure("ours")  # fills the caches, as set-up's first kernel does
    taken = {"ours": [], "stock": []}
    for _ in range(rounds):
        for name, results in taken.items():
            results.append(measure(name))
    print(f"{'':22}{'ours':>8}{'stock':>8}{'ratio':>8}")
    for label in taken["ours"][0]:
        ours, stock = (
            statistics.median(r.get(label, float("nan")) for r in taken[kind])
            for kind in ("ours", "stock")
        )
        print(f"{label:22}{ours:8.3f}{stock:8.3f}{ours / stock:8.2f}")
