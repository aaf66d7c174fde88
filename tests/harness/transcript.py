"""Runs commands as a reader would and compares what they print with what is written down.

Shared by tests/cli (transcripts) and tests/docs (console blocks in Markdown). Commands run in bash at the repository's
root, with the build's bin/ first on PATH, no input unless they redirect it, and an environment that does not depend on
who runs them. `$T` is a fresh folder for files they write; its path is shown as `$T` in what they print.

In the expected text a line `...` stands for any number of lines, and `[..]` for anything within its line.
"""

import difflib
import os
import re
import subprocess
import tempfile
from pathlib import Path

TIMEOUT_S = 300


class Shell:
    """Runs the commands of one document, one after the other, with a `$T` of their own."""

    def __init__(self, root, bin_folder):
        self._scratch = tempfile.TemporaryDirectory(prefix="podwire-")
        self._root = Path(root)
        keep = {k: v for k, v in os.environ.items() if k in ("HOME", "LD_LIBRARY_PATH") or k.endswith("SAN_OPTIONS")}
        self._environment = {
            **keep,
            "PATH": f"{Path(bin_folder).resolve()}:/usr/local/bin:/usr/bin:/bin",
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
            "TERM": "dumb",
            "NO_COLOR": "1",
            "COLUMNS": "100",
            "T": self._scratch.name,
        }

    def run(self, command):
        """Returns (stdout lines, stderr lines, exit code)."""
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=self._root,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        return self._lines(done.stdout), self._lines(done.stderr), done.returncode

    def _lines(self, data):
        text = data.decode("utf-8", "backslashreplace").replace(self._scratch.name, "$T")
        return [line.rstrip() for line in text.splitlines()]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._scratch.cleanup()


def line_matches(expected, actual):
    if "[..]" not in expected:
        return expected == actual
    return re.fullmatch(".*".join(re.escape(part) for part in expected.split("[..]")), actual) is not None


def matches(expected, actual):
    """Whether the lines `actual` are what `expected` describes; `...` there stands for any number of lines."""
    reachable = {0}  # how many lines of `actual` may be used up so far
    for line in expected:
        if line == "...":
            reachable = set(range(min(reachable), len(actual) + 1))
        else:
            reachable = {n + 1 for n in reachable if n < len(actual) and line_matches(line, actual[n])}
        if not reachable:
            return False
    return len(actual) in reachable


def difference(expected, actual):
    lines = difflib.unified_diff(expected, actual, "expected", "printed", lineterm="", n=3)
    return "\n".join("    " + line for line in lines)


class Tally:
    """Counts checks and prints each failure with its place."""

    def __init__(self, name):
        self.name = name
        self.checked = 0
        self.failed = 0

    def check(self, place, command, expected, actual):
        """Returns whether they match."""
        self.checked += 1
        if matches(expected, actual):
            return True
        self.failed += 1
        print(f"{place}: $ {command}\n{difference(expected, actual)}")
        return False

    def problem(self, place, message):
        self.checked += 1
        self.failed += 1
        print(f"{place}: {message}")

    def finish(self):
        """Prints the count and returns the exit code. Nothing to check is a failure: it would otherwise look like success."""
        if self.checked == 0:
            print(f"{self.name}: found nothing to check")
            return 1
        print(f"{self.name}: {self.checked} commands: {self.checked - self.failed} passed, {self.failed} failed")
        return 1 if self.failed else 0
