#!/usr/bin/env python3
"""Signals during `podwire run`: SIGINT and SIGTERM end it with 130 and nothing printed; after SIGKILL no file looks
complete, and the next run into the same folder is not disturbed by what lies there.

A run that would take far longer than the test is played with --record; a file named ….partial shows that it has begun.
Nothing is measured: the deadlines only keep a broken program from blocking the suite.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DEADLINE_S = 120
PROGRAM = None


def files_of(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


class Signals(unittest.TestCase):
    def setUp(self):
        self.scratch = tempfile.TemporaryDirectory(prefix="podwire-")
        self.records = Path(self.scratch.name) / "records"
        self.report = Path(self.scratch.name) / "report.json"

    def tearDown(self):
        self.scratch.cleanup()

    def command(self, duration):
        return [
            PROGRAM, "run", "scenarios/three-tier", "-p", "complete", "--quiet", "--set", f"run.duration={duration}",
            "--record", self.records, "-o", f"json={self.report}", "-o", "table",
        ]

    def interrupted_by(self, number):
        """Sends the signal once the run writes its record; returns (exit code, stdout, stderr)."""
        process = subprocess.Popen(
            self.command("100000s"), cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        try:
            deadline = time.monotonic() + DEADLINE_S
            while not any(name.endswith(".partial") for name in files_of(self.records)):
                self.assertIsNone(process.poll(), "it ended before it was interrupted")
                self.assertLess(time.monotonic(), deadline, "no record was begun")
                time.sleep(0.02)
            process.send_signal(number)
            stdout, stderr = process.communicate(timeout=DEADLINE_S)
        finally:
            process.kill()
            process.wait()
        return process.returncode, stdout.decode(), stderr.decode()

    def check_polite(self, number):
        code, stdout, stderr = self.interrupted_by(number)
        self.assertEqual(code, 130, stderr)
        self.assertEqual(stdout, "")
        self.assertIn("interrupted after 0 of 1 runs", stderr)
        self.assertEqual(files_of(Path(self.scratch.name)), [])  # no report, and no record, not even a partial one

    def test_interrupt_ends_it_with_130_and_no_files(self):
        self.check_polite(signal.SIGINT)

    def test_termination_ends_it_likewise(self):
        self.check_polite(signal.SIGTERM)

    def test_a_killed_run_leaves_nothing_that_looks_complete(self):
        code, stdout, _ = self.interrupted_by(signal.SIGKILL)
        self.assertEqual(code, -signal.SIGKILL)
        self.assertEqual(stdout, "")
        left = files_of(Path(self.scratch.name))
        self.assertTrue(left)
        self.assertEqual([name for name in left if not name.endswith(".partial")], [])
        # The same again, short: it takes the place of what was left.
        subprocess.run(self.command("1s"), cwd=ROOT, check=False, capture_output=True, timeout=DEADLINE_S)
        self.assertEqual(files_of(self.records), ["complete-seed1.h5"])
        self.assertTrue(self.report.is_file())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", default=str(ROOT / "build/release/bin"), help="the folder of the program under test")
    options = parser.parse_args()
    PROGRAM = os.path.join(options.bin, "podwire")
    sys.exit(not unittest.main(argv=sys.argv[:1], exit=False).result.wasSuccessful())
