#!/usr/bin/env python3
"""Makes a cluster's dump, a candidate's policies and recorded flows whose truth is known, for tests and benchmarks.

Every workload has one port; its pods carry the labels of `labels_of` (app, tier, team, release). A protected workload
has one NetworkPolicy that allows listed workloads (by namespace and app) to its port; a locked one allows listed
destinations alone; an edge one allows EDGE_BLOCK. The candidate takes some allowances away and adds others. What policies
say is decided here by set membership (`World.allows`), not by any engine. Injected, each counted in truth.json:
records that contradict the policies, clocks that differ by node, addresses that change hands, pods that are nowhere,
lines that are damaged, a last line that is cut off, lost events, replies.

    generator.py OUT [--namespaces N] [--workloads N] [--pods N] [--connections N] [--seed N] …

writes OUT/dump.json, OUT/candidate/policies.json, OUT/flows.json (Hubble's exporter), OUT/flows.csv, OUT/goldmane.json
and OUT/truth.json.
"""

import argparse
import json
import random
from pathlib import Path

START = 1_772_355_600  # 2026-03-01T09:00:00Z
EDGE_BLOCK = "203.0.113.0/24"
SUFFIX = "bcdfghjklmnpqrstvwxz2456789"
HASH = "7d77fb55cc"


def suffix(number):
    text = ""
    for _ in range(5):
        number, digit = divmod(number, len(SUFFIX))
        text += SUFFIX[digit]
    return text


def labels_of(name_space, index):
    """The label generator: app is unique within a namespace, the others are shared."""
    return {"app": f"w{index}", "tier": ("web", "api", "db")[index % 3], "team": name_space,
            "release": f"r{index % 7}"}


class Workload:
    def __init__(self, name_space, index, port):
        self.name_space, self.index, self.port = name_space, index, port
        self.name, self.labels = f"w{index}", labels_of(name_space, index)
        self.pods = []  # (name, ip, node)
        self.sources, self.targets = None, None  # sets of workload keys; None: not protected, not locked
        self.is_edge = False
        self.new_sources = None
        self.is_silent = False

    key = property(lambda self: (self.name_space, self.name))
    full = property(lambda self: f"{self.name_space}/{self.name}[Deployment]")


class World:
    def __init__(self, options):
        self.options = options
        self.random = random.Random(options.seed)
        self.nodes = [f"node-{i}" for i in range(options.nodes)]
        self.skew = {node: self.random.uniform(-options.skew, options.skew) for node in self.nodes}
        self.spaces = [f"ns-{i}" for i in range(options.namespaces)]
        per_space = max(1, options.workloads // options.namespaces)
        self.workloads = [Workload(space, i, 8000 + i % 50) for space in self.spaces for i in range(per_space)]
        self.by_key = {w.key: w for w in self.workloads}
        self.place_pods()
        self.make_policies()

    def place_pods(self):
        per_workload = max(1, self.options.pods // len(self.workloads))
        number = 0
        for workload in self.workloads:
            for i in range(per_workload):
                node = number % len(self.nodes)
                ip = f"10.{1 + node // 256}.{node % 256}.{2 + number // len(self.nodes)}"
                workload.pods.append((f"{workload.name}-{HASH}-{suffix(i)}", ip, self.nodes[node]))
                number += 1

    def make_policies(self):
        draw = self.random
        count = len(self.workloads)
        for number, workload in enumerate(self.workloads):
            if number % 10 == 9:
                continue  # unprotected
            workload.sources = {draw.choice(self.workloads).key for _ in range(4)}
            workload.is_edge = number % 10 == 5
            workload.new_sources = set(workload.sources)
            if number % 10 == 3:  # the candidate takes one away
                workload.new_sources.discard(sorted(workload.sources)[0])
            if number % 10 == 4:  # and adds one
                workload.new_sources.add(self.workloads[(number * 7 + 3) % count].key)
            if number % 10 == 7:
                workload.targets = {draw.choice(self.workloads).key for _ in range(3)}
        if count > 5:
            self.workloads[2].is_silent = True

    def allows(self, source, target, port, is_candidate):
        """(egress, ingress) of a connection between workloads; source is None for an address outside."""
        egress = source is None or source.targets is None or (
            target.key in source.targets and port == target.port)
        sources = target.new_sources if is_candidate else target.sources
        ingress = sources is None or (port == target.port and source is not None and source.key in sources)
        return egress, ingress

    def allows_edge(self, target, ip, port):
        return target.sources is None or (target.is_edge and port == target.port and ip.startswith("203.0.113."))

    # --- manifests ---

    def policy(self, workload, is_candidate):
        def peer(key):
            return {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": key[0]}},
                    "podSelector": {"matchLabels": {"app": key[1]}}}

        sources = workload.new_sources if is_candidate else workload.sources
        peers = [peer(key) for key in sorted(sources)]
        if workload.is_edge:
            peers.append({"ipBlock": {"cidr": EDGE_BLOCK}})
        spec = {"podSelector": {"matchLabels": {"app": workload.name}}, "policyTypes": ["Ingress"],
                "ingress": [{"from": peers, "ports": [{"port": workload.port}]}] if peers else []}
        if workload.targets is not None:
            spec["policyTypes"].append("Egress")
            spec["egress"] = [{"to": [peer(key)], "ports": [{"port": self.by_key[key].port}]}
                              for key in sorted(workload.targets)]
        return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
                "metadata": {"name": f"allow-{workload.name}", "namespace": workload.name_space}, "spec": spec}

    def dump(self):
        items = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": space}} for space in self.spaces]
        for number, node in enumerate(self.nodes):
            items.append({"apiVersion": "v1", "kind": "Node", "metadata": {"name": node},
                          "spec": {"podCIDR": f"10.{1 + number // 256}.{number % 256}.0/24"},
                          "status": {"addresses": [{"type": "InternalIP",
                                                    "address": f"172.31.{number // 256}.{number % 256}"}],
                                     "conditions": [{"type": "Ready", "status": "True"}]}})
        for w in self.workloads:
            template = {"metadata": {"labels": w.labels},
                        "spec": {"containers": [{"name": "main", "image": "main",
                                                 "ports": [{"containerPort": w.port}]}]}}
            spec = {"replicas": len(w.pods), "selector": {"matchLabels": {"app": w.name}}, "template": template}
            items.append({"apiVersion": "apps/v1", "kind": "Deployment",
                          "metadata": {"name": w.name, "namespace": w.name_space}, "spec": spec})
            items.append({"apiVersion": "apps/v1", "kind": "ReplicaSet",
                          "metadata": {"name": f"{w.name}-{HASH}", "namespace": w.name_space,
                                       "ownerReferences": [{"apiVersion": "apps/v1", "kind": "Deployment",
                                                            "name": w.name, "uid": "d", "controller": True}]},
                          "spec": spec})
            for name, ip, node in w.pods:
                items.append({"apiVersion": "v1", "kind": "Pod",
                              "metadata": {"name": name, "namespace": w.name_space,
                                           "labels": {**w.labels, "pod-template-hash": HASH},
                                           "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet",
                                                                "name": f"{w.name}-{HASH}", "uid": "r",
                                                                "controller": True}]},
                              "spec": {"nodeName": node, **template["spec"]},
                              "status": {"phase": "Running", "podIP": ip, "startTime": "2026-02-01T00:00:00Z",
                                         "conditions": [{"type": "Ready", "status": "True"}]}})
        items.append({"apiVersion": "batch/v1", "kind": "CronJob",
                      "metadata": {"name": "nightly", "namespace": self.spaces[0]},
                      "spec": {"schedule": "0 3 * * *", "jobTemplate": {"spec": {"template": {
                          "metadata": {"labels": {"app": "nightly"}},
                          "spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": "main"}]}}}}}})
        items += [self.policy(w, False) for w in self.workloads if w.sources is not None]
        return {"apiVersion": "v1", "kind": "List", "items": items}

    def candidate(self):
        return {"apiVersion": "v1", "kind": "List",
                "items": [self.policy(w, True) for w in self.workloads if w.sources is not None]}


def stamp(seconds):
    whole = int(seconds // 1)
    hours, rest = divmod(whole - START + 9 * 3600, 3600)
    days, hours = divmod(hours, 24)
    return (f"2026-03-{1 + days:02}T{hours:02}:{rest // 60:02}:{rest % 60:02}."
            f"{int((seconds - whole) * 1e9):09}Z")


class Log:
    """Hubble's lines, with their times, and the rows of the other formats."""

    def __init__(self, world):
        self.world, self.lines, self.rows, self.truth = world, [], [], {
            "newlyDenied": {}, "newlyAllowed": {}, "stillAllowed": 0, "stillDenied": 0, "unknown": 0, "compared": 0,
            "disagree": 0, "connections": 0, "records": 0, "replies": 0, "merged": 0, "unmapped": {},
            "traffic": {}}
        self.used, self.seen, self.next_port = {}, set(), {}
        self.ends = {}

    def end(self, workload, pod):
        known = self.ends.get(pod[0])
        if known is None or known[0] is not workload:
            labels = json.dumps([f"k8s:{k}={v}" for k, v in sorted(workload.labels.items())] + [
                f"k8s:io.cilium.k8s.namespace.labels.kubernetes.io/metadata.name={workload.name_space}",
                "k8s:io.cilium.k8s.policy.cluster=default",
                f"k8s:io.kubernetes.pod.namespace={workload.name_space}"])
            identity = 10_000 + self.world.workloads.index(workload)
            known = (workload, f'{{"ID":77,"identity":{identity},"cluster_name":"default","namespace":'
                     f'"{workload.name_space}","labels":{labels},"pod_name":"{pod[0]}","workloads":'
                     f'[{{"name":"{workload.name}","kind":"Deployment"}}]}}')
            self.ends[pod[0]] = known
        return known[1]

    def record(self, time, node, source, target, ports, verdict, direction, reply=False, point="", syn=True):
        """source and target are (json of the end, ip)."""
        time = time + self.world.skew[node]
        when = stamp(time)
        dropped = ',"drop_reason":133' if verdict == "DROPPED" else ""
        reason = ',"drop_reason_desc":"POLICY_DENIED"' if verdict == "DROPPED" else ""
        flags = '{"SYN":true}' if syn and not reply else '{"SYN":true,"ACK":true}' if reply else '{"ACK":true}'
        answer = "" if verdict == "DROPPED" else f',"is_reply":{"true" if reply else "false"}'
        line = (f'{{"flow":{{"time":"{when}","uuid":"2848b6b6-59c0-4be2-8bdc-3a5861de4c68","verdict":"{verdict}"{dropped},'
                f'"ethernet":{{"source":"0a:58:0a:f4:01:3c","destination":"0a:58:0a:f4:01:05"}},'
                f'"IP":{{"source":"{source[1]}","destination":"{target[1]}","ipVersion":"IPv4"}},'
                f'"l4":{{"TCP":{{"source_port":{ports[0]},"destination_port":{ports[1]},"flags":{flags}}}}},'
                f'"source":{source[0]},"destination":{target[0]},"Type":"L3_L4","node_name":"default/{node}",'
                f'"event_type":{{"type":4,"sub_type":3}},"traffic_direction":"{direction}"'
                f'{point}{answer}{reason},"Summary":"TCP Flags: SYN"}},"node_name":"default/{node}","time":"{when}"}}')
        self.lines.append((time, line))
        self.truth["records"] += 1
        self.truth["replies"] += 1 if reply else 0

    def port_of(self, pod):
        self.next_port[pod] = self.next_port.get(pod, 32_768 - 1) + 1
        return 32_768 + self.next_port[pod] % 28_000

    def count(self, source_name, target_name, port, before, after, is_contradicted):
        truth = self.truth
        truth["connections"] += 1
        truth["compared"] += 1
        if is_contradicted:
            truth["disagree"] += 1
            truth["unknown"] += 1
        elif before and not after:
            key = f"{source_name} {target_name} {port}"
            truth["newlyDenied"][key] = truth["newlyDenied"].get(key, 0) + 1
        elif after and not before:
            key = f"{source_name} {target_name} {port}"
            truth["newlyAllowed"][key] = truth["newlyAllowed"].get(key, 0) + 1
        else:
            truth["stillAllowed" if before else "stillDenied"] += 1

    def traffic(self, source_name, target, port, passed):
        """What was recorded of each pair: connections that passed, and that were dropped."""
        seen = self.truth["traffic"].setdefault(f"{source_name} {target.full} {port}", [0, 0])
        seen[0 if passed else 1] += 1

    def reports(self, time, source, source_pod, target, target_pod, port, egress, ingress, source_end=None):
        self.traffic(source.full, target, port, egress and ingress)
        ports = (self.port_of(source_pod[0]), port)
        ends = (source_end or (self.end(source, source_pod), source_pod[1]), (self.end(target, target_pod), target_pod[1]))
        self.record(time, source_pod[2], *ends, ports, "FORWARDED" if egress else "DROPPED", "EGRESS",
                    point=',"trace_observation_point":"TO_OVERLAY"' if egress else "")
        if not egress:
            return
        self.record(time + 0.001, target_pod[2], *ends, ports, "FORWARDED" if ingress else "DROPPED", "INGRESS",
                    point=',"trace_observation_point":"TO_ENDPOINT"' if ingress else "")
        self.truth["merged"] += 1
        if ingress:
            self.record(time + 0.002, target_pod[2], ends[1], ends[0], (ports[1], ports[0]), "FORWARDED", "EGRESS",
                        reply=True)

    def pods_of(self, workload):
        """Those that take part; with addresses that change hands, the first of each keeps still but for that."""
        return workload.pods[1:] if self.world.options.reused and len(workload.pods) > 1 else workload.pods

    def connection(self, time, is_contradicted=False):
        world, draw = self.world, self.world.random
        target = draw.choice(world.workloads)
        while target.is_silent:
            target = draw.choice(world.workloads)
        if target.sources and draw.random() < 0.8:
            union = sorted(target.sources | target.new_sources)
            source = world.by_key[draw.choice(union)]
        else:
            source = draw.choice(world.workloads)
        if source.is_silent:
            return self.connection(time, is_contradicted)
        port = target.port if draw.random() < 0.97 else 9999
        source_pod, target_pod = draw.choice(self.pods_of(source)), draw.choice(self.pods_of(target))
        if source_pod == target_pod:
            return self.connection(time, is_contradicted)
        egress, ingress = world.allows(source, target, port, False)
        after = all(world.allows(source, target, port, True))
        before = egress and ingress
        self.count(source.full, target.full, port, before, after, is_contradicted)
        self.used[source.key] = self.used[target.key] = True
        if is_contradicted:  # the record says the opposite
            egress, ingress = (True, False) if before else (True, True)
        self.reports(time, source, source_pod, target, target_pod, port, egress, ingress)
        self.rows.append((time, source, source_pod, target, target_pod, port, egress, ingress))

    def from_outside(self, time):
        world, draw = self.world, self.world.random
        target = draw.choice([w for w in world.workloads if not w.is_silent])
        ip = draw.choice(("203.0.113.", "198.51.100.")) + str(draw.randrange(1, 250))
        pod = draw.choice(self.pods_of(target))
        allowed = world.allows_edge(target, ip, target.port)
        self.truth["connections"] += 1
        self.truth["compared"] += 1
        self.truth["stillAllowed" if allowed else "stillDenied"] += 1
        self.used[target.key] = True
        self.traffic(ip.rsplit(".", 1)[0] + ".0", target, target.port, allowed)
        outside = ('{"identity":2,"labels":["reserved:world"]}', ip)
        self.record(time, pod[2], outside, (self.end(target, pod), pod[1]), (self.port_of(ip), target.port),
                    "FORWARDED" if allowed else "DROPPED", "INGRESS",
                    point=',"trace_observation_point":"TO_ENDPOINT"' if allowed else "")

    def stranger(self, time, number):
        world, draw = self.world, self.world.random
        target = draw.choice([w for w in world.workloads if not w.is_silent])
        pod = draw.choice(self.pods_of(target))
        name = f"ghost-{number % 7}"
        source = (f'{{"identity":99,"namespace":"elsewhere","labels":["k8s:app=ghost"],"pod_name":"{name}"}}', "10.200.0.9")
        self.truth["connections"] += 1
        self.truth["unknown"] += 1
        key = f"elsewhere/{name}"
        self.truth["unmapped"][key] = self.truth["unmapped"].get(key, 0) + 1
        self.used[target.key] = True
        self.record(time, pod[2], source, (self.end(target, pod), pod[1]), (self.port_of(name), target.port),
                    "FORWARDED", "INGRESS")

    def reused_address(self, number):
        """A pod that is no more had an address for the first minutes, then one of the dump has it; records without names
        between them belong to the one or the other. The two workloads fare differently at `target`."""
        world = self.world
        allowed = next((w, world.by_key[key]) for w in world.workloads[number:] if w.sources and not w.is_silent
                       for key in sorted(w.sources & w.new_sources) if world.by_key[key].targets is None
                       and not world.by_key[key].is_silent)
        target, friend = allowed
        enemy = next(w for w in world.workloads if w.key not in target.sources | target.new_sources
                     and w.targets is None and w is not target and not w.is_silent)
        address, node = enemy.pods[0][1], enemy.pods[0][2]
        gone = (f"{friend.name}-6c9f5dd8b4-{suffix(number + 99)}", address, node)
        pod = target.pods[0]
        nameless = ("{}", address)
        for at, owner, owner_pod, is_allowed in ((60 + 120 * number, friend, gone, True),
                                                 (1800 + 120 * number, enemy, enemy.pods[0], False)):
            for step in (0.0, 0.5, 1.0):
                source_end = nameless if step == 0.5 else None
                self.count(owner.full, target.full, target.port, is_allowed, is_allowed, False)
                self.used[owner.key] = self.used[target.key] = True
                self.reports(START + at + step, owner, owner_pod, target, pod, target.port, True, is_allowed, source_end)


def write_goldmane(log, path):
    """The same connections as Whisker's flows, a line each: names of replica sets, one record a side."""
    with path.open("w", encoding="utf-8") as out:
        for time, source, _, target, _, port, egress, ingress in log.rows:
            for reporter, action in (("Src", egress), ("Dst", ingress)):
                if reporter == "Dst" and not egress:
                    continue
                out.write(json.dumps({
                    "start_time": stamp(time), "end_time": stamp(time + 15), "action": "Allow" if action else "Deny",
                    "source_name": f"{source.name}-{HASH}-*", "source_namespace": source.name_space,
                    "source_labels": " | ".join(f"{k}={v}" for k, v in sorted(source.labels.items())),
                    "dest_name": f"{target.name}-{HASH}-*", "dest_namespace": target.name_space, "dest_labels": "",
                    "protocol": "tcp", "dest_port": port, "reporter": reporter, "packets_in": 1}) + "\n")


def write_csv(log, path):
    with path.open("w", encoding="utf-8") as out:
        out.write("time,source,destination,port,protocol,verdict\n")
        for time, source, source_pod, target, target_pod, port, egress, ingress in log.rows:
            out.write(f"{stamp(time)},{source.name_space}/{source_pod[0]},{target.name_space}/{target_pod[0]},{port},TCP,"
                      f"{'forwarded' if egress and ingress else 'dropped'}\n")


def generate(options):
    out = Path(options.out)
    (out / "candidate").mkdir(parents=True, exist_ok=True)
    world = World(options)
    log = Log(world)
    contradicted = set(world.random.sample(range(options.connections), options.disagreements))
    for i in range(options.connections):
        time = START + 5 + 3590 * i / max(1, options.connections)
        log.connection(time, i in contradicted)
        if options.outside and i % options.outside == 0:
            log.from_outside(time)
        if options.strangers and i % options.strangers == 0:
            log.stranger(time, i)
    for i in range(options.reused):
        log.reused_address(i)
    log.lines.sort(key=lambda line: line[0])
    texts = [line for _, line in log.lines]
    truth = log.truth
    truth["lostEvents"] = 0
    for i in range(options.losses):
        texts.insert(world.random.randrange(len(texts)), json.dumps(
            {"lost_events": {"source": "PERF_EVENT_RING_BUFFER", "num_events_lost": str(i + 1)}, "node_name": "node-0"}))
        truth["lostEvents"] += i + 1
    for i in range(options.damaged):
        never = ('{"flow":{"time":"never","verdict":"FORWARDED","IP":{"source":"10.0.0.1","destination":"10.0.0.2"},'
                 '"l4":{"TCP":{"source_port":1,"destination_port":2}}}}')
        junk = (log.lines[0][1][:150 + i], "not json at all", never, "\x00", "[1,2")[i % 5]
        texts.insert(1 + world.random.randrange(len(texts) - 1), junk)
    truth["damaged"] = options.damaged + (1 if options.cut else 0)
    truth["silent"] = sorted(w.full for w in world.workloads if w.key not in log.used)
    truth["hasCutOff"] = options.cut
    with (out / "flows.json").open("w", encoding="utf-8") as file:
        file.write("\n".join(texts) + "\n")
        if options.cut:
            file.write(log.lines[0][1][:len(log.lines[0][1]) // 2])
    write_csv(log, out / "flows.csv")
    write_goldmane(log, out / "goldmane.json")
    (out / "dump.json").write_text(json.dumps(world.dump()), encoding="utf-8")
    (out / "candidate" / "policies.json").write_text(json.dumps(world.candidate(), indent=1), encoding="utf-8")
    (out / "truth.json").write_text(json.dumps(truth, indent=1), encoding="utf-8")
    return truth


def parse(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out")
    for name, default in (("namespaces", 5), ("workloads", 50), ("pods", 150), ("nodes", 6), ("connections", 2000),
                          ("seed", 1), ("disagreements", 0), ("outside", 50), ("strangers", 0), ("reused", 0),
                          ("losses", 0), ("damaged", 0)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--skew", type=float, default=0.0, help="clocks differ by up to this many seconds")
    parser.add_argument("--cut", action="store_true", help="the last line is cut off")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    generate(parse())
