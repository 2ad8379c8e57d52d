"""Runs these tests and prints one JSON line for each: `python run.py [pattern …]`.

Exit code 0 only if all passed. Without arguments: all of them. A pattern is one of unittest's `-k`.
"""

import json
import shutil
import sys
import unittest
import warnings
from pathlib import Path

HERE = Path(__file__).parent


class JsonLines(unittest.TestResult):
    def _say(self, test, outcome, detail=""):
        print(json.dumps({"name": test.id(), "outcome": outcome, "detail": detail}), flush=True)

    def addSuccess(self, test):
        super().addSuccess(test)
        self._say(test, "passed")

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        # Optional parts of jupyter_kernel_test are no part of this kernel.
        if not test.id().startswith("test_protocol.Conformance"):
            self._say(test, "skipped", reason)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._say(test, "failed", self.failures[-1][1])

    def addError(self, test, err):
        super().addError(test, err)
        self._say(test, "failed", self.errors[-1][1])

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self._say(subtest, "failed", (self.failures + self.errors)[-1][1])


if __name__ == "__main__":
    # jupyter_kernel_test leaves sockets open.
    warnings.simplefilter("ignore", ResourceWarning)
    sys.path.insert(0, str(HERE))
    loader = unittest.TestLoader()
    loader.testNamePatterns = [f"*{p}*" for p in sys.argv[1:]] or None
    result = JsonLines()
    loader.discover(str(HERE)).run(result)
    import harness

    shutil.rmtree(harness.specs, ignore_errors=True)
    sys.exit(0 if result.wasSuccessful() else 1)
