#!/usr/bin/env python3
"""Tests of the harness itself, with a shell script in podwire's place: that it passes what is right, fails what is not,
rewrites on --update, and never takes "nothing to check" for success."""

import contextlib
import io
import sys
import tempfile
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
for folder in (HERE, HERE.parent / "cli", HERE.parent / "docs"):
    sys.path.insert(0, str(folder))
import cli_test  # noqa: E402
import docs_test  # noqa: E402
import transcript  # noqa: E402

FAKE = r"""#!/bin/sh
case "$1" in
  hello) echo "hello"; echo "world" ;;
  many) seq 1 9 ;;
  bad) echo "partial"; echo "podwire: no such file" >&2; exit 2 ;;
  special) printf '$ cost\n...\n[exit 3]\n2| x\n\\back\n' ;;
  stdin) cat ;;
  write) echo data > "$T/out"; echo "written to $T/out" ;;
  environment) echo "$NO_COLOR$TERM$COLUMNS" ;;
esac
"""


class Harness(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.root = Path(self.folder.name)
        program = self.root / "bin/podwire"
        program.parent.mkdir()
        program.write_text(FAKE)
        program.chmod(0o755)
        self.output = ""

    def tearDown(self):
        self.folder.cleanup()

    def play(self, main, *arguments):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            code = main(["--bin", str(self.root / "bin"), *map(str, arguments)])
        self.output = printed.getvalue()
        return code

    def cli(self, text, *arguments):
        path = self.root / "case.txt"
        if text is not None:
            path.write_text(text, encoding="utf-8")
        return self.play(cli_test.main, *arguments, path)

    def docs(self, text, *arguments):
        path = self.root / "README.md"
        if text is not None:
            path.write_text(text, encoding="utf-8")
        return self.play(docs_test.main, "--root", self.root, *arguments)


class Matching(unittest.TestCase):
    def test_dots_stand_for_any_number_of_lines(self):
        self.assertTrue(transcript.matches(["a", "...", "z"], ["a", "b", "c", "z"]))
        self.assertTrue(transcript.matches(["a", "...", "z"], ["a", "z"]))
        self.assertTrue(transcript.matches(["...", "b", "..."], ["a", "b", "b", "c"]))
        self.assertTrue(transcript.matches(["..."], []))
        self.assertFalse(transcript.matches(["a", "...", "z"], ["a", "b"]))
        self.assertFalse(transcript.matches(["...", "a"], ["a", "b"]))

    def test_lines_match_exactly(self):
        self.assertTrue(transcript.matches([], []))
        self.assertFalse(transcript.matches(["a"], ["a", "b"]))
        self.assertFalse(transcript.matches(["a", "b"], ["a"]))
        self.assertFalse(transcript.matches(["a.c"], ["abc"]))

    def test_brackets_stand_for_anything_within_a_line(self):
        self.assertTrue(transcript.matches(["took [..] s (1+1)"], ["took 0.25 s (1+1)"]))
        self.assertFalse(transcript.matches(["took [..] s"], ["took 0.25 ms"]))


class Transcripts(Harness):
    def test_right_output_passes(self):
        self.assertEqual(self.cli("# a comment\n\n$ podwire hello\nhello\nworld\n\n$ podwire many\n1\n...\n9\n"), 0)
        self.assertIn("2 commands: 2 passed, 0 failed", self.output)

    def test_wrong_output_fails_with_its_place(self):
        self.assertEqual(self.cli("$ podwire hello\nhello\nmoon\n"), 1)
        self.assertIn("case.txt:1", self.output)
        self.assertIn("-moon", self.output)

    def test_comments_between_commands_are_no_output_and_survive_an_update(self):
        text = "$ podwire hello\nhello\nmoon\n\n# a comment\n# of two lines\n\n$ podwire many\n1\n...\n9\n"
        self.assertEqual(self.cli(text, "--update"), 0)
        self.assertEqual((self.root / "case.txt").read_text(), text.replace("moon", "world"))
        self.assertEqual(self.cli(None), 0)

    def test_output_that_looks_like_a_comment_is_output(self):
        self.assertEqual(self.cli("$ printf '# title\\n'\n\\# title\n\n# a comment\n\n$ podwire hello\nhello\nworld\n"), 0)
        self.assertEqual(self.cli("$ printf '# title\\n'\n\n$ podwire hello\nhello\nworld\n"), 1)

    def test_missing_and_surplus_lines_fail(self):
        self.assertEqual(self.cli("$ podwire hello\nhello\n"), 1)
        self.assertEqual(self.cli("$ podwire hello\nhello\nworld\nmore\n"), 1)

    def test_stderr_and_exit_code_belong_to_the_transcript(self):
        self.assertEqual(self.cli("$ podwire bad\npartial\n2| podwire: no such file\n[exit 2]\n"), 0)
        self.assertEqual(self.cli("$ podwire bad\npartial\n2| podwire: no such file\n"), 1)
        self.assertEqual(self.cli("$ podwire bad\npartial\n[exit 2]\n"), 1)
        self.assertEqual(self.cli("$ podwire bad\npartial\npodwire: no such file\n[exit 2]\n"), 1)

    def test_missing_program_fails(self):
        (self.root / "bin/podwire").unlink()
        self.assertEqual(self.cli("$ podwire hello\nhello\nworld\n"), 1)
        self.assertIn("127", self.output)

    def test_nothing_to_check_fails(self):
        self.assertEqual(self.cli("# only a comment\n"), 1)
        self.assertEqual(self.cli("podwire hello\nhello\n"), 1)

    def test_files_input_and_environment(self):
        self.assertEqual(self.cli("$ podwire write\nwritten to $T/out\n\n$ podwire stdin < $T/out\ndata\n"), 0)
        self.assertEqual(self.cli("$ podwire stdin\n"), 0)
        self.assertEqual(self.cli("$ podwire environment\n1dumb100\n"), 0)

    def test_update_writes_what_then_passes(self):
        text = "# kept\n\n$ podwire special\nold\n\n$ podwire bad\n\n$ podwire many\n1\n...\n9\n"
        self.assertEqual(self.cli(text, "--update"), 0)
        self.assertEqual(self.cli(None), 0)
        updated = (self.root / "case.txt").read_text()
        self.assertTrue(updated.startswith("# kept\n\n$ podwire special\n\\$ cost\n\\...\n\\[exit 3]\n\\2| x\n\\\\back\n\n"))
        self.assertIn("$ podwire bad\npartial\n2| podwire: no such file\n[exit 2]\n", updated)
        self.assertIn("1\n...\n9\n", updated)  # what matches is left as it is
        self.assertEqual(self.cli(None, "--update"), 0)
        self.assertEqual((self.root / "case.txt").read_text(), updated)


class Documents(Harness):
    def test_right_block_passes_and_other_commands_are_left_alone(self):
        text = "# x\n```console\n$ git clone y\nCloning\n$ podwire hello\nhello\nworld\n```\n```sh\n$ podwire hello\n```\n"
        self.assertEqual(self.docs(text), 0)
        self.assertIn("1 commands: 1 passed", self.output)

    def test_wrong_block_fails_with_its_place(self):
        self.assertEqual(self.docs("text\n\n```console\n$ podwire hello\nhello\n```\n"), 1)
        self.assertIn("README.md:4", self.output)

    def test_failing_command_needs_its_exit_code_shown(self):
        shown = "```console\n$ podwire bad\npartial\npodwire: no such file\n"
        self.assertEqual(self.docs(shown + "```\n"), 1)
        self.assertEqual(self.docs(shown + "$ echo $?\n2\n```\n"), 0)
        self.assertEqual(self.docs(shown + "$ echo $?\n1\n```\n"), 1)

    def test_blank_line_between_commands_is_no_output(self):
        self.assertEqual(self.docs("```console\n$ podwire hello\nhello\nworld\n\n$ podwire hello\n...\n```\n"), 0)

    def test_piped_input_is_run(self):
        (self.root / "in.yaml").write_text("a: b\n")
        self.assertEqual(self.docs("```console\n$ cat in.yaml | podwire stdin -\na: b\n```\n"), 0)
        self.assertEqual(self.docs("```console\n$ cat in.yaml | podwire stdin -\na: c\n```\n"), 1)

    def test_command_over_two_lines(self):
        self.assertEqual(self.docs("```console\n$ podwire \\\n    hello\nhello\nworld\n```\n"), 0)
        self.assertEqual(self.docs("```console\n$ podwire \\\n    hello\nmoon\n```\n", "--update"), 0)
        self.assertEqual((self.root / "README.md").read_text(), "```console\n$ podwire \\\n    hello\nhello\nworld\n```\n")

    def test_nothing_to_check_fails(self):
        self.assertEqual(self.docs("# no block\n"), 1)
        self.assertEqual(self.docs("```console\n$ git clone y\n```\n"), 1)

    def test_block_without_end_fails(self):
        self.assertEqual(self.docs("```console\n$ podwire hello\nhello\nworld\n"), 1)

    def test_update_rewrites_only_what_is_shown(self):
        text = "# x\n```console\n$ podwire hello\nold\n\n$ podwire many\n1\n...\n9\n```\nafter\n```console\n$ podwire hello\n```\n"
        self.assertEqual(self.docs(text, "--update"), 0)
        self.assertEqual(
            (self.root / "README.md").read_text(),
            "# x\n```console\n$ podwire hello\nhello\nworld\n\n$ podwire many\n1\n...\n9\n```\nafter\n"
            "```console\n$ podwire hello\nhello\nworld\n```\n",
        )
        self.assertEqual(self.docs(None), 0)


if __name__ == "__main__":
    unittest.main()
