#!/usr/bin/env python3
"""`podwire impact` from end to end against the generator's truth: every format of flows, packed and through a pipe, with
contradictions, clocks that differ, addresses that change hands, unknown pods, damaged and cut-off lines."""

import argparse
import gzip
import json
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import generator  # noqa: E402

SITUATIONS = {
    "plain": [],
    "clocks-differ": ["--skew", "3", "--seed", "2"],
    "contradicted-a-little": ["--disagreements", "2", "--connections", "4000", "--seed", "3"],
    "contradicted-a-lot": ["--disagreements", "100", "--seed", "4"],
    "strangers": ["--strangers", "40", "--seed", "5"],
    "addresses-change-hands": ["--reused", "4", "--seed", "6"],
    "damaged-and-cut": ["--damaged", "13", "--cut", "--losses", "3", "--seed", "7"],
    "everything": ["--skew", "2", "--disagreements", "1", "--strangers", "100", "--reused", "3", "--damaged", "9",
                   "--cut", "--losses", "2", "--seed", "8", "--connections", "3000", "--pods", "400"],
}


class Failures:
    def __init__(self):
        self.texts = []

    def equal(self, where, what, got, wanted):
        if got != wanted:
            self.texts.append(f"{where}: {what} is {got!r}, expected {wanted!r}")


def impact(binary, folder, flows, *further, stdin=None):
    command = [binary, "impact", flows, "--cluster", str(folder / "dump.json"), "--candidate", str(folder / "candidate"),
               "-o", "json", *further]
    done = subprocess.run(command, capture_output=True, input=stdin, check=False)
    if not done.stdout:
        raise SystemExit(f"{' '.join(command)}: exit {done.returncode}\n{done.stderr.decode()}")
    return done.returncode, json.loads(done.stdout)


def rows_of(result, outcome):
    return {f"{r['source']} {r['destination']} {r['port']}": r["flows"] for r in result["rows"]
            if r["outcome"] == outcome}


def check_hubble(failures, name, truth, code, result):
    totals, backtest, evidence = result["totals"], result["backtest"], result["evidence"]
    log = evidence["logs"][0]
    failures.equal(name, "records", log["records"], truth["records"])
    failures.equal(name, "damaged lines", log["damagedLines"], truth["damaged"])
    failures.equal(name, "cut off", log["isCutOff"], truth["hasCutOff"])
    failures.equal(name, "lost events", log["lostEvents"], truth["lostEvents"])
    failures.equal(name, "replies", evidence["replies"], truth["replies"])
    failures.equal(name, "merged", evidence["merged"], truth["merged"])
    failures.equal(name, "flows", totals["flows"], truth["connections"])
    for outcome in ("newlyDenied", "newlyAllowed"):
        failures.equal(name, outcome, totals[outcome], sum(truth[outcome].values()))
        failures.equal(name, f"rows of {outcome}", rows_of(result, outcome), truth[outcome])
    for outcome in ("stillAllowed", "stillDenied", "unknown"):
        failures.equal(name, outcome, totals[outcome], truth[outcome])
    failures.equal(name, "compared", backtest["compared"], truth["compared"])
    failures.equal(name, "disagreements", backtest["disagree"], truth["disagree"])
    failures.equal(name, "disagreements by cause", sum(c["flows"] for c in backtest["disagreements"]),
                   truth["disagree"])
    failures.equal(name, "unmapped", {e["end"]: e["flows"] for e in result["unmapped"]}, truth["unmapped"])
    failures.equal(name, "silent workloads", result["coverage"]["silentWorkloads"], truth["silent"])
    failures.equal(name, "idle CronJobs", result["coverage"]["idleCronJobs"], ["ns-0/nightly[CronJob]"])
    is_inconclusive = truth["disagree"] > 0.001 * truth["compared"]
    failures.equal(name, "exit code", code, 4 if is_inconclusive else 1 if truth["newlyDenied"] else 0)
    failures.equal(name, "result", result["result"], "inconclusive" if is_inconclusive else "impact")


def check_other_formats(failures, binary, folder, name, truth):
    """The same connections, without those from outside, by address alone or of strangers."""
    _, hubble = impact(binary, folder, str(folder / "flows.json"))
    for flows in ("flows.csv", "goldmane.json"):
        _, result = impact(binary, folder, str(folder / flows))
        where = f"{name}, {flows}"
        for outcome in ("newlyDenied", "newlyAllowed"):
            failures.equal(where, f"rows of {outcome}", rows_of(result, outcome), rows_of(hubble, outcome))
        failures.equal(where, "disagreements", result["backtest"]["disagree"], truth["disagree"])


def check_ways(failures, binary, folder):
    """Packed, through a pipe and split by node: the same answer."""
    text = (folder / "flows.json").read_bytes()
    _, wanted = impact(binary, folder, str(folder / "flows.json"))
    (folder / "flows.json.gz").write_bytes(gzip.compress(text, 1))
    _, packed = impact(binary, folder, str(folder / "flows.json.gz"))
    _, piped = impact(binary, folder, "-", stdin=text)
    nodes = {}
    for line in text.decode().splitlines():
        nodes.setdefault(line[line.rindex('"node_name"'):][:30], []).append(line)
    names = []
    for number, lines in enumerate(nodes.values()):
        names.append(str(folder / f"node-{number}.log"))
        Path(names[-1]).write_text("\n".join(lines) + "\n", encoding="utf-8")
    _, split = impact(binary, folder, names[0], *names[1:])
    for way, result in (("gzip", packed), ("pipe", piped), ("a file a node", split)):
        for part in ("totals", "backtest", "rows", "coverage"):
            if way == "a file a node" and part == "backtest":
                continue  # examples name other files
            got, expected = result[part], wanted[part]
            if part == "backtest":
                got, expected = dict(got, disagreements=0), dict(expected, disagreements=0)
            failures.equal(way, part, got, expected)
    cut = gzip.compress(text, 1)
    (folder / "cut.json.gz").write_bytes(cut[:len(cut) // 2])
    code, result = impact(binary, folder, str(folder / "cut.json.gz"))
    failures.equal("cut gzip", "exit code", code, 4)
    failures.equal("cut gzip", "problem", result["evidence"]["logs"][0]["problem"], "it ends in the middle (cut off?)")


def check_prune(failures, binary, folder, truth):
    """A candidate of one policy that prunes its namespace: what the others of it denied is allowed."""
    everything = json.loads((folder / "candidate" / "policies.json").read_text(encoding="utf-8"))
    one = next(p for p in everything["items"] if p["metadata"]["namespace"] == "ns-0")
    path = folder / "one.json"
    path.write_text(json.dumps(one), encoding="utf-8")
    command = [binary, "impact", str(folder / "flows.json"), "--cluster", str(folder / "dump.json"), "--candidate",
               str(path), "-o", "json"]
    plain = json.loads(subprocess.run(command, capture_output=True, check=False).stdout)
    pruned = json.loads(subprocess.run([*command, "--prune", "namespaces"], capture_output=True, check=False).stdout)
    failures.equal("prune", "namespaces", pruned["pruned"], ["ns-0"])
    kept = plain["coverage"]["policies"]["after"]
    gone = sum(1 for p in everything["items"] if p["metadata"]["namespace"] == "ns-0") - 1
    failures.equal("prune", "policies left", pruned["coverage"]["policies"]["after"], kept - gone)
    if not rows_of(pruned, "newlyAllowed"):
        failures.texts.append("prune: nothing is newly allowed")
    missing = subprocess.run([*command, "--prune", "ns-99"], capture_output=True, check=False)
    failures.equal("prune of an unknown namespace", "exit code", missing.returncode, 2)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", required=True, help="the folder with the program")
    parser.add_argument("--only", help="one situation")
    options = parser.parse_args()
    binary = str(Path(options.bin) / "podwire")
    failures = Failures()
    with tempfile.TemporaryDirectory() as scratch:
        for name, arguments in SITUATIONS.items():
            if options.only not in (None, name):
                continue
            folder = Path(scratch) / name
            truth = generator.generate(generator.parse([str(folder), *arguments]))
            code, result = impact(binary, folder, str(folder / "flows.json"))
            check_hubble(failures, name, truth, code, result)
            check_other_formats(failures, binary, folder, name, truth)
            if name == "plain":
                check_ways(failures, binary, folder)
                check_prune(failures, binary, folder, truth)
    for text in failures.texts:
        print(text[:2000])
    print(f"flows: {len(SITUATIONS) if options.only is None else 1} situations, {len(failures.texts)} failures")
    return 1 if failures.texts else 0


if __name__ == "__main__":
    sys.exit(main())
