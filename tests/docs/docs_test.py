#!/usr/bin/env python3
"""Runs the commands shown in the documents and compares what they print: README.md, CONTRIBUTING.md, docs/*.md,
scenarios/*/README.md.

A block fenced with ```console holds commands (lines that start with `$ `), each followed by what a terminal shows:
stdout, then stderr. Commands that start with `podwire`, or with `cat` and pipe into it, and `./dev --help` are run; others
(installing, cloning) are not, and nothing is shown below them unless it is not meant to be checked. A command that fails
must be followed by `$ echo $?` and its exit code. See tests/harness/transcript.py for `...`, `[..]` and `$T`. With
--update, what does not match is rewritten as it is printed now.
"""

import argparse
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "harness"))
import transcript  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
RUNS = re.compile(r"podwire( |$)|\./dev --help$|cat [^;&]*\| *podwire ")
EXIT_CODE = "echo $?"


def documents(root):
    patterns = ("README.md", "CONTRIBUTING.md", "docs/*.md", "scenarios/*/README.md")
    return [path for pattern in patterns for path in sorted(root.glob(pattern))]


class Block:
    """The console block whose text lines are lines[begin:end] of a document."""

    def __init__(self, lines, begin, end):
        self.begin, self.end = begin, end
        self.head, self.steps = [], []  # steps: [line number, command, shown lines]
        for index in range(begin, end):
            line = lines[index]
            if line.startswith("$ "):
                self.steps.append([index + 1, line[2:], []])
            elif self.steps and self.steps[-1][1].endswith("\\") and not self.steps[-1][2]:
                self.steps[-1][1] += "\n" + line  # a command that goes on
            else:
                (self.steps[-1][2] if self.steps else self.head).append(line.rstrip())

    def text(self):
        return self.head + [line for _, command, shown in self.steps for line in [*f"$ {command}".split("\n"), *shown]]


def blocks_of(lines):
    blocks, begin = [], None
    for index, line in enumerate(lines):
        if begin is None and re.fullmatch(r"```console\s*", line):
            begin = index + 1
        elif begin is not None and line.startswith("```"):
            blocks.append(Block(lines, begin, index))
            begin = None
    return blocks, begin


def play_block(block, shell, path, tally, update):
    code = 0
    for position, step in enumerate(block.steps):
        number, command, shown = step
        place = f"{path}:{number}"
        blanks = len(shown) - len("\n".join(shown).rstrip("\n").split("\n")) if any(shown) else 0
        expected = shown[: len(shown) - blanks] if any(shown) else []
        if command == EXIT_CODE:
            actual = [str(code)]
        elif RUNS.match(command):
            out, err, code = shell.run(command)
            actual = "\n".join(out + err).rstrip("\n").split("\n") if out or err else []
            asked = position + 1 < len(block.steps) and block.steps[position + 1][1] == EXIT_CODE
            if code != 0 and not asked:
                tally.problem(place, f"$ {command}: exit code {code}, and no `$ {EXIT_CODE}` below says so")
        else:
            continue
        if not update:
            tally.check(place, command, expected, actual)
            continue
        tally.checked += 1
        if not transcript.matches(expected, actual):
            last = position + 1 == len(block.steps)
            step[2] = actual + ([] if last else [""] * blanks)


def play(root, path, bin_folder, tally, update):
    lines = path.read_text(encoding="utf-8").splitlines()
    blocks, unclosed = blocks_of(lines)
    if unclosed is not None:
        tally.problem(f"{path}:{unclosed}", "this console block does not end")
        return
    with transcript.Shell(root, bin_folder) as shell:
        for block in blocks:
            play_block(block, shell, path, tally, update)
    if update:
        for block in reversed(blocks):
            lines[block.begin : block.end] = block.text()
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", default=str(ROOT / "build/release/bin"), help="the folder of the program under test")
    parser.add_argument("--root", default=str(ROOT), type=Path, help="where the documents lie and the commands run")
    parser.add_argument("--update", action="store_true", help="rewrite what does not match")
    options = parser.parse_args(arguments)
    tally = transcript.Tally("docs")
    for path in documents(options.root):
        play(options.root, path, options.bin, tally, options.update)
    return tally.finish()


if __name__ == "__main__":
    sys.exit(main())
