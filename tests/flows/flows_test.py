#!/usr/bin/env python3
"""`podwire impact` from end to end against the generator's truth: every format of flows, packed and through a pipe, with
contradictions, clocks that differ, addresses that change hands, unknown pods, damaged and cut-off lines. The same flows
through `podwire init`: the scenario it writes has their pairs, and connects them when it is played."""

import argparse
import gzip
import json
import random
import re
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


def init(failures, where, binary, folder, out, *further):
    """The summary and the scenario's text; None when init failed."""
    command = [binary, "init", "--cluster", str(folder / "dump.json"), "-o", str(folder / out), "-q", *further]
    done = subprocess.run(command, capture_output=True, check=False)
    failures.equal(where, "exit code of init", done.returncode, 0)
    if done.returncode != 0:
        failures.texts.append(done.stderr.decode()[:500])
        return None
    return done.stdout.decode(), (folder / out / "scenario.yaml").read_text(encoding="utf-8")


def plain_name(text):
    """shop/deployment/web as shop/web[Deployment]; an address as its network."""
    parts = text.split("/")
    return f"{parts[0]}/{parts[2]}[Deployment]" if len(parts) == 3 else text.rsplit(".", 1)[0] + ".0"


def pairs_of(scenario):
    """Connections by pair: those that workloads play, and those that the commented expectations name."""
    played, dropped = {}, {}
    for source, flows, target, port in re.findall(
            r"^      from: (\S+) +# detected from (\d+) flows?.*\n      to: (\S+):(\d+)", scenario, re.M):
        played[f"{plain_name(source)} {plain_name(target)} {port}"] = int(flows)
    for source, target, port, flows in re.findall(
            r"^  #   - {policySet: current, from: (\S+), to: (\S+), port: (\d+)/TCP, verdict: denied}  "
            r"# detected from (\d+) flow", scenario, re.M):
        dropped[f"{plain_name(source)} {plain_name(target)} {port}"] = int(flows)
    return played, dropped


def check_init(failures, binary, folder, name, truth):
    """From flows to a scenario and back: the same pairs connect, and what was dropped is denied still."""
    where = f"{name}, init"
    wanted = {key: seen[0] for key, seen in truth["traffic"].items() if seen[0] > 0}
    wanted_dropped = {key: seen[1] for key, seen in truth["traffic"].items() if seen[0] == 0}
    written = init(failures, where, binary, folder, "all", "--flows", str(folder / "flows.json"), "--max-workloads",
                   "100000")
    if written is None:
        return
    summary, scenario = written
    played, dropped = pairs_of(scenario)
    failures.equal(where, "pairs played", played, wanted)
    failures.equal(where, "pairs dropped", dropped, wanted_dropped)
    strangers = sum(int(n) for n in re.findall(r"^  not played +(\d+) flows? +with an end that is not known", summary,
                                               re.M))
    failures.equal(where, "flows with unknown ends", strangers, sum(truth["unmapped"].values()))
    failures.equal(where, "damaged lines told", "cannot be read" in scenario, truth["damaged"] > 0)
    if truth["disagree"] > 0:
        return  # a contradicted pair was recorded as passed, and does not connect
    turned_on = re.sub(r"^  # (expect:|  - )", r"  \1", scenario, flags=re.M)
    failures.equal(where, "expectations to turn on", turned_on.count("\n  expect:"), 1 if dropped else 0)
    (folder / "all" / "scenario.yaml").write_text(turned_on, encoding="utf-8")
    done = subprocess.run([binary, "run", str(folder / "all"), "-o", "json", "-q"], capture_output=True, check=False)
    failures.equal(where, "exit code of run", done.returncode, 0)
    if done.returncode != 0:
        failures.texts.append(done.stderr.decode()[:500])
        return
    run = json.loads(done.stdout)["runs"][0]
    silent = [w["name"] for w in run["workloads"] if w["requests"] == 0]
    broken = [w["name"] for w in run["workloads"] if w["outcomes"].get("ok", 0) != w["requests"]]
    failures.equal(where, "workloads that ran", len(run["workloads"]), len(wanted))
    failures.equal(where, "pairs that a run leaves out", silent, [])
    failures.equal(where, "pairs that do not connect", broken, [])
    failures.equal(where, "expectations", len(run["expectations"]), len(dropped))


def check_init_ways(failures, binary, folder, truth):
    """Files of several nodes and formats, and a limit on workloads: the largest are kept, the rest is said."""
    nodes = sorted(str(path) for path in folder.glob("node-*.log"))
    everything = [word for path in nodes for word in ("--flows", path)]
    wanted = {key: seen[0] for key, seen in truth["traffic"].items() if seen[0] > 0}
    split = init(failures, "init, a file a node", binary, folder, "split", *everything, "--max-workloads", "100000")
    if split is not None:
        failures.equal("init, a file a node", "pairs played", pairs_of(split[1])[0], wanted)
    inside = {key: count for key, count in wanted.items() if "/" in key.split()[0]}
    for flows in ("flows.csv", "goldmane.json"):
        other = init(failures, f"init, {flows}", binary, folder, f"of-{flows}", "--flows", str(folder / flows),
                     "--max-workloads", "100000")
        if other is not None:
            failures.equal(f"init, {flows}", "pairs played", pairs_of(other[1])[0], inside)
    few = init(failures, "init, few", binary, folder, "few", "--flows", str(folder / "flows.json"), "--max-workloads",
               "7")
    if few is not None:
        played, _ = pairs_of(few[1])
        counts = sorted(wanted.values(), reverse=True)
        failures.equal("init, few", "the largest", sorted(played.values(), reverse=True), counts[:7])
        left = re.search(r"left out: (\d+) pairs of (\d+) flows", few[1])
        failures.equal("init, few", "pairs left out", left and int(left[1]), len(counts) - 7)
        # Those that others of a pair dropped count with it.
        least = sum(counts[7:])
        most = least + sum(seen[1] for seen in truth["traffic"].values() if seen[0] > 0)
        failures.equal("init, few", "flows left out", left is not None and least <= int(left[2]) <= most, True)


HOSTILE_NAMES = ("\u001b[31mred", "a\nb: {kind: Secret}", '"}\n- {x: ', "</script><script>", "::error::x", "=cmd()|x",
                 "../../etc/passwd", "x" * 5000, "\u202eevil", "# name", "%s%n", "'; drop", "\x00nul")
HUGE = ("18446744073709551616", "-1", "1e400", "0.00000001", "9223372036854775807", "65536", "null", '""', "[]", "{}")


def hostile_logs(folder, draw):
    """Logs that break one thing or several: (name, bytes)."""
    lines = (folder / "flows.json").read_text(encoding="utf-8").splitlines()[:120]
    text = "\n".join(lines).encode()
    yield "crlf", text.replace(b"\n", b"\r\n")
    yield "nul bytes", bytes(0 if draw.random() < 0.002 else byte for byte in text)
    yield "noise", bytes(draw.randrange(256) if draw.random() < 0.002 else byte for byte in text)
    yield "cut last line", text[:-60]
    yield "cut gzip", gzip.compress(text, 1)[:-200]
    yield "no line breaks", text.replace(b"\n", b" ")
    yield "nested", text + b"\n" + b'{"flow":' * 3000 + b"1" + b"}" * 3000
    yield "a long line", text + b'\n{"flow":{"Summary":"' + b"x" * 3_000_000 + b'"}}'
    yield "byte order mark", b"\xef\xbb\xbf" + text
    yield "utf-16", text.decode().encode("utf-16")
    for number in HUGE:
        yield f"number {number}", re.sub(r'("(?:destination_port|identity|drop_reason|source_port)"):\d+',
                                         lambda m, number=number: f"{m[1]}:{number}" if draw.random() < 0.3 else m[0],
                                         text.decode()).encode()
    for name in HOSTILE_NAMES:
        word = json.dumps(name)
        yield f"name {name[:20]!r}", re.sub(
            r'("(?:pod_name|namespace|name|drop_reason_desc|node_name)"):"[^"]*"',
            lambda m, word=word: f"{m[1]}:{word}" if draw.random() < 0.3 else m[0], text.decode()).encode()
    head = "time,source,destination,port,protocol,verdict\n"
    for name in HOSTILE_NAMES:
        yield f"csv {name[:20]!r}", (head + f'2026-03-01T09:00:00Z,"{name}",ns-0/w0,8000,TCP,forwarded\n' * 3).encode()


def check_hostile(failures, binary, folder):
    """Whatever stands in a log: an answer or an error, never a bug, and nothing that moves a terminal's cursor."""
    draw = random.Random(11)
    dump = str(folder / "dump.json")
    for name, data in hostile_logs(folder, draw):
        flows = folder / ("hostile.json.gz" if name == "cut gzip" else "hostile.json")
        flows.write_bytes(data)
        out = folder / "hostile"
        for command in (["impact", str(flows), "--cluster", dump, "--candidate", str(folder / "candidate")],
                        ["impact", str(flows), "--cluster", dump, "--candidate", str(folder / "candidate"), "-o", "csv"],
                        ["suggest", str(flows), "--cluster", dump],
                        ["init", "--flows", str(flows), "--cluster", dump, "-o", str(out), "--force"]):
            where = f"hostile log ({name}), {command[0]}"
            done = subprocess.run([binary, *command], capture_output=True, check=False)
            failures.equal(where, "exit code is one of 0, 1, 2, 4", done.returncode in (0, 1, 2, 4), True)
            for stream in (done.stdout, done.stderr):
                failures.equal(where, "controls printed", re.findall(rb"[\x00-\x08\x0b-\x1f\x7f]", stream)[:3], [])
        if done.returncode == 0:  # of init: what it wrote is a scenario
            again = subprocess.run([binary, "run", str(out), "-q", "--set", "run.duration=10ms"], capture_output=True,
                                   check=False)
            failures.equal(f"hostile log ({name}), the scenario", "exit code", again.returncode, 0)


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
            check_init(failures, binary, folder, name, truth)
            if name == "plain":
                check_ways(failures, binary, folder)
                check_prune(failures, binary, folder, truth)
                check_init_ways(failures, binary, folder, truth)
                check_hostile(failures, binary, folder)
    for text in failures.texts:
        print(text[:2000])
    print(f"flows: {len(SITUATIONS) if options.only is None else 1} situations, {len(failures.texts)} failures")
    return 1 if failures.texts else 0


if __name__ == "__main__":
    sys.exit(main())
