#!/usr/bin/env python3
"""Plays the transcripts tests/cli/*.txt and compares everything that is printed, and the exit codes.

A transcript:

    # Comments, at the start of a line, before the first command or between a blank line and a later one.
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
    if lines and lines[-1].startswith("#"):  # not a comment of what follows
        lines[-1] = "\\" + lines[-1]
    return lines + ([f"[exit {code}]"] if code else [])


def take_comment(lines):
    """Takes off the end of a step's lines the comment on the next command, and the blank lines before it."""
    comment = []
    while lines and (lines[-1] == "" or lines[-1].startswith("#")):
        comment.insert(0, lines.pop())
    while comment and comment[0] != "":  # without a blank line before it, it was printed
        lines.append(comment.pop(0))
    return [line for line in comment if line]


def parse(text):
    """Returns the head (lines before the first command) and [(line number, comment, command, expected lines)]."""
    head, steps = [], []
    for number, line in enumerate(text.splitlines(), start=1):
        if line.startswith("$ "):
            comment = take_comment(steps[-1][-1]) if steps else []
            steps.append((number, comment, line[2:], []))
        elif steps:
            steps[-1][-1].append(line.rstrip())
        else:
            head.append(line)
    for _, _, _, expected in steps:
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
        for number, comment, command, expected in steps:
            actual = written(*shell.run(command))
            while actual and actual[-1] == "":
                actual.pop()
            if update:
                tally.checked += 1
                kept = expected if transcript.matches(expected, actual) else actual
            else:
                tally.check(f"{path}:{number}", command, expected, actual)
                kept = expected
            blocks.append("\n".join([*comment, *([""] if comment else []), f"$ {command}", *kept]))
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
