#!/usr/bin/env python3
"""Plays the transcripts tests/cli/*.txt and compares everything that is printed, and the exit codes.

A transcript:

    # Comments, at the start of a line and before the first command.
    $ podwire reach scenarios/three-tier -o csv
    source,destination,connections
    ...
    2| what goes to stderr, after all of stdout
    [exit 1]

`[exit N]` is left out for 0. An expected line that would be taken for one of these starts with a backslash. See
tests/harness/transcript.py for `...`, `[..]` and `$T`. With --update, what does not match is rewritten as it is printed
now (a `...` in it is lost: put it back by hand).
"""

import argparse
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "harness"))
import transcript  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
STDERR = "2| "
SPECIAL = re.compile(r"\$ |2\|( |$)|\[exit \d+\]$|\\")


def written(stdout, stderr, code):
    """The lines a transcript shows for this outcome."""
    lines = ["\\" + line if SPECIAL.match(line) or line == "..." else line for line in stdout]
    lines += [(STDERR + line).rstrip() for line in stderr]
    return lines + ([f"[exit {code}]"] if code else [])


def parse(text):
    """Returns the head (lines before the first command) and [(line number, command, expected lines)]."""
    head, steps = [], []
    for number, line in enumerate(text.splitlines(), start=1):
        if line.startswith("$ "):
            steps.append((number, line[2:], []))
        elif steps:
            steps[-1][2].append(line.rstrip())
        else:
            head.append(line)
    for _, _, expected in steps:
        while expected and expected[-1] == "":  # blank lines between commands
            expected.pop()
    return head, steps


def play(path, bin_folder, tally, update):
    head, steps = parse(path.read_text(encoding="utf-8"))
    if not steps:
        tally.problem(path, "no command in this transcript")
        return
    for number, line in enumerate(head, start=1):
        if line and not line.startswith("#"):
            tally.problem(f"{path}:{number}", "text before the first command that is no comment")
    blocks = []
    with transcript.Shell(ROOT, bin_folder) as shell:
        for number, command, expected in steps:
            actual = written(*shell.run(command))
            while actual and actual[-1] == "":
                actual.pop()
            if update:
                tally.checked += 1
                kept = expected if transcript.matches(expected, actual) else actual
            else:
                tally.check(f"{path}:{number}", command, expected, actual)
                kept = expected
            blocks.append("\n".join([f"$ {command}", *kept]))
    if update:
        start = "\n".join(head).rstrip("\n")
        path.write_text("\n\n".join(([start] if start else []) + blocks) + "\n", encoding="utf-8")


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", default=str(ROOT / "build/release/bin"), help="the folder of the program under test")
    parser.add_argument("--update", action="store_true", help="rewrite what does not match")
    parser.add_argument("transcripts", nargs="*", type=Path, help="default: tests/cli/*.txt")
    options = parser.parse_args(arguments)
    tally = transcript.Tally("cli")
    here = Path(__file__).resolve().parent
    for path in options.transcripts or sorted(p for p in here.glob("*.txt") if p.name != "CMakeLists.txt"):
        play(path, options.bin, tally, options.update)
    return tally.finish()


if __name__ == "__main__":
    sys.exit(main())
