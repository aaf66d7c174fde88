#!/usr/bin/env python3
"""Formats that other programs read: SARIF as its schema wants it, DOT as graphviz takes it, Mermaid as it is written.

SARIF is checked against what schema 2.1.0 (OASIS, errata01) says of the objects that podwire writes: their members, no
others, their types and required ones. DOT is given to `dot -Tsvg`; where that is missing the reason is printed and only
the text is checked. Nothing here needs the network.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = None

# Of each object: members that may be there with their kinds, and those that must. "X[]" is a list of X.
SARIF = {
    "log": ({"$schema": str, "version": str, "runs": "run[]"}, ["version", "runs"]),
    "run": ({"tool": "tool", "results": "result[]", "columnKind": str}, ["tool"]),
    "tool": ({"driver": "driver"}, ["driver"]),
    "driver": ({"name": str, "version": str, "rules": "rule[]", "informationUri": str}, ["name"]),
    "rule": (
        {"id": str, "shortDescription": "text", "fullDescription": "text", "help": "text", "helpUri": str,
         "defaultConfiguration": "configuration"},
        ["id"],
    ),
    "text": ({"text": str, "markdown": str}, ["text"]),
    "configuration": ({"level": "level"}, []),
    "result": (
        {"ruleId": str, "ruleIndex": int, "level": "level", "message": "text", "locations": "location[]",
         "relatedLocations": "location[]", "partialFingerprints": "fingerprints"},
        ["message"],
    ),
    "fingerprints": ({"ruleAndObject/v1": str}, []),  # names are the tool's own, values strings
    "location": (
        {"id": int, "physicalLocation": "physical", "logicalLocations": "logical[]", "message": "text"}, []),
    "physical": ({"artifactLocation": "artifact", "region": "region"}, ["artifactLocation"]),
    "artifact": ({"uri": "uri"}, ["uri"]),
    "region": (
        {"startLine": "positive", "startColumn": "positive", "endLine": "positive", "endColumn": "positive"},
        ["startLine"],
    ),
    "logical": ({"fullyQualifiedName": str, "kind": str, "name": str}, []),
}
# What a URI reference may hold (RFC 3986).
URI = re.compile(r"(%[0-9A-F]{2}|[A-Za-z0-9\-._~/!$&'()*+,;=:@?#])+")

MANIFESTS = """
apiVersion: v1
kind: Namespace
metadata: {name: a-b}
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: a-b, labels: {app: web}}
spec: {containers: [{name: c, image: i, ports: [{containerPort: 80}]}]}
---
apiVersion: v1
kind: Pod
metadata: {name: db, namespace: graph, labels: {app: db}}
spec: {containers: [{name: c, image: i, ports: [{containerPort: 5432}]}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: p, namespace: a-b}
spec:
  podSelector: {matchLabels: {app: none}}
  ingress: [{from: [{podSelector: {}}], ports: [{port: nowhere}]}, {from: [{podSelector: {}}], ports: [{port: nowhere}]}]
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web, namespace: a-b}
spec: {rules: [{host: '*.example.org', http: {paths: [{path: '/a"b\\\\', backend: {service: {name: web, port: {number: 80}}}}]}}]}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: a-b}
spec: {selector: {app: web}, ports: [{port: 80}]}
"""


def podwire(*arguments, text=None):
    done = subprocess.run(
        [PROGRAM, *arguments], cwd=ROOT, input=text, capture_output=True, text=True, timeout=300, check=False
    )
    if done.returncode not in (0, 1, 4):
        raise AssertionError(f"podwire {' '.join(arguments)}: {done.stderr}")
    return done.stdout


class Sarif(unittest.TestCase):
    def check(self, kind, value, path):
        if kind in (str, int):
            self.assertIs(type(value), kind, path)
        elif kind == "level":
            self.assertIn(value, ("none", "note", "warning", "error"), path)
        elif kind == "uri":
            self.assertTrue(URI.fullmatch(value), f"{path}: {value}")
        elif kind == "positive":
            self.assertIs(type(value), int, path)
            self.assertGreaterEqual(value, 1, path)
        elif kind.endswith("[]"):
            self.assertIs(type(value), list, path)
            for i, item in enumerate(value):
                self.check(kind[:-2], item, f"{path}[{i}]")
        else:
            members, required = SARIF[kind]
            self.assertIs(type(value), dict, path)
            for name in required:
                self.assertIn(name, value, path)
            for name, member in value.items():
                self.assertIn(name, members, f"{path}: the schema has no {name} here")
                self.check(members[name], member, f"{path}.{name}")

    def check_log(self, text):
        log = json.loads(text)
        self.check("log", log, "log")
        self.assertEqual(log["version"], "2.1.0")
        run = log["runs"][0]
        self.assertIn(run["columnKind"], ("utf16CodeUnits", "unicodeCodePoints"))
        rules = run["tool"]["driver"]["rules"]
        ids = [rule["id"] for rule in rules]
        self.assertEqual(len(set(ids)), len(ids))
        for result in run["results"]:
            self.assertEqual(rules[result["ruleIndex"]]["id"], result["ruleId"])
            self.assertTrue(result["locations"])
            related = [location["id"] for location in result.get("relatedLocations", [])]
            self.assertEqual(len(set(related)), len(related))
        return run["results"]

    def test_findings_are_as_the_schema_wants_them(self):
        self.assertTrue(self.check_log(podwire("lint", "scenarios/three-tier", "-o", "sarif")))
        self.assertTrue(self.check_log(podwire("lint", "-", "-o", "sarif", text=MANIFESTS)))

    def test_no_findings_are_an_empty_list(self):
        namespace = "apiVersion: v1\nkind: Namespace\nmetadata: {name: kube-system}\n"
        self.assertEqual(self.check_log(podwire("lint", "-", "-o", "sarif", text=namespace)), [])

    def test_a_member_that_the_schema_lacks_is_found(self):
        with self.assertRaises(AssertionError):
            self.check("log", {"version": "2.1.0", "runs": [], "more": 1}, "log")


class Graphs(unittest.TestCase):
    def draw(self, text):
        self.assertTrue(text.startswith("digraph "), text[:60])
        self.assertEqual(text.count("{"), text.count("}"), "labels of these inputs hold no brackets of one kind alone")
        if shutil.which("dot") is None:
            print("skipped: drawing with graphviz, which is not installed (dot)")
            return
        done = subprocess.run(["dot", "-Tsvg"], input=text, capture_output=True, text=True, timeout=120, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""), text)
        self.assertIn("<svg", done.stdout)

    def test_graphviz_draws_reach(self):
        self.draw(podwire("reach", "scenarios/three-tier", "-p", "complete", "-o", "dot"))
        self.draw(podwire("reach", "tests/cli/fixtures/reach", "-o", "dot"))
        self.draw(podwire("reach", "-", "-o", "dot", text=MANIFESTS))

    def test_graphviz_draws_diff(self):
        self.draw(podwire("diff", "tests/cli/fixtures/diff/old", "tests/cli/fixtures/diff/new", "--cluster",
                          "tests/cli/fixtures/diff/dump.yaml", "-o", "dot"))

    def test_mermaid_lines_are_nodes_edges_and_subgraphs(self):
        line = re.compile(
            r'%% .*|x\d+\(\["[^"]*"\]\)|w\d+\["[^"]*"\]|[xw]\d+ (-->|-\.->|==>)(\|"[^"]*"\|)? [xw]\d+'
            r'|subgraph \w+ \["[^"]*"\]|end|linkStyle .*|classDef .*|class .*'
        )
        for arguments, text in ((("reach", "tests/cli/fixtures/reach"), None), (("reach", "-"), MANIFESTS)):
            lines = podwire(*arguments, "-o", "mermaid", text=text).splitlines()
            self.assertEqual(lines[0], "flowchart LR")
            for one in lines[1:]:
                self.assertTrue(line.fullmatch(one.strip()), one)
            defined = {m[0] for one in lines for m in [re.match(r"\s*([xw]\d+)[\[(]", one)] if m for m in [m.groups()]}
            used = {name for one in lines if "->" in one for name in re.findall(r"(?:^\s*|\s)([xw]\d+)(?=\s|$)", one)}
            self.assertLessEqual(used, defined)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", default=str(ROOT / "build/release/bin"), help="the folder of the program under test")
    options = parser.parse_args()
    PROGRAM = os.path.join(options.bin, "podwire")
    sys.exit(not unittest.main(argv=sys.argv[:1], exit=False).result.wasSuccessful())
