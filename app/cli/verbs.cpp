// The text of the command's help: verbs, options, examples. What is not built is not named here.
#include <fmt/format.h>

#include <algorithm>

#include "app/cli/options.hpp"
#include "app/report/text_table.hpp"
#include "sim/base/check.hpp"

namespace podwire::cli {
namespace {

constexpr OptionDoc kOptions[] = {
    {"filename", 'f', "FILE", "a further input; - is standard input"},
    {"output", 'o', "FORMAT[=FILE]", "to standard output or a file; may be repeated"},
    {"policy-set", 'p', "NAME", "only these policy sets of the scenario"},
    {"cni", 0, "PROFILE",
     "the network plugin (calico-vxlan, or with a version: calico@3.22), instead of what the input says; `podwire "
     "models` lists them"},
    {"set", 0, "PATH=VALUE",
     "change a field of the scenario, e.g. cluster.nodes.count=10, workloads.browse.rate=500/s"},
    {"seed", 0, "SEED", "play with this seed (default: the scenario's, else 1)"},
    {"jobs", 'j', "N", "runs played at once (default: the number of processors)"},
    {"record", 0, "FOLDER", "write one HDF5 file for each run into this folder"},
    {"rule", 0, "ID", "only these rules"},
    {"skip", 0, "ID", "without these rules"},
    {"rules", 0, "", "list the rules (text, md, json) instead of reading an input"},
    {"no-ignore", 0, "", "report what podwire/ignore annotations suppress too"},
    {"ignore-kind", 0, "KIND", "accept that objects of this kind are not modelled; the output repeats it"},
    {"allow-path", 0, "PATH", "files may also lie below this folder, not only below the scenario's"},
    {"scenario", 's', "SCENARIO", "a scenario's folder or file"},
    {"cluster", 0, "DUMP", "the cluster: a dump, a folder, or - for standard input; may be repeated"},
    {"namespace", 'n', "NAMES",
     "only policies for these namespaces (default: all but Kubernetes' own); may be repeated"},
    {"min-count", 0, "N", "what was seen less often gets no rule (default: 1)"},
    {"folder", 'o', "FOLDER", "where the scenario is written; made if it is not there"},
    {"force", 0, "", "replace a scenario that is there already"},
    {"print-collect", 0, "", "print the read-only commands that collect a dump and flows, as a shell script"},
    {"flows", 0, "FILE",
     "recorded flows (Hubble's JSON, Calico's flow logs, CSV; .gz, .zst, -), which become workloads; may be repeated"},
    {"max-workloads", 0, "N", "how many workloads flows become at most, the largest first (default: 100)"},
    {"candidate", 0, "PATH", "what is to be applied: a folder, a file, - for standard input, or REV:PATH of git"},
    {"prune", 0, "NAMESPACES",
     "NetworkPolicies of these namespaces go unless the candidate has them (kubectl apply --prune); `namespaces` "
     "stands "
     "for all that the candidate has NetworkPolicies in"},
    {"max-disagreement", 0, "SHARE",
     "how much the policies in force may disagree with recorded verdicts before nothing is concluded (default: 0.1%)"},
    {"max-age", 0, "AGE", "nothing is concluded when the last flow is older: 90s, 45m, 24h, 7d"},
    {"from-env", 0, "",
     "also judge the connections that containers declare in env, command and args; with or without FLOWS"},
    {"used-by", 0, "WHAT",
     "only connections that are used: by recorded FLOWS (a file as for impact, or -), by env (what containers declare) "
     "or by workloads (of the scenario); may be repeated"},
    {"fail-on", 0, "WHAT", "what makes the exit status 1"},
    {"approved", 0, "FILE", "intended changes, each with owner, reason and the day on which it expires"},
    {"today", 0, "DATE", "the day that expiry is judged by, as 2026-12-31 (default: today, UTC)"},
    {"to", 0, "WHAT", "what pods probe: service (by its name, the default), service-ip, or pod"},
    {"ports", 0, "PORTS", "TCP/80,UDP/81,SCTP/80: each is probed at every destination; may be repeated"},
    {"step", 0, "FILE",
     "objects to apply, and what a document of kind Step deletes or labels; another mesh follows; may be repeated"},
    {"at", 0, "TIME", "a mesh begins so long after its step, whether or not all nodes have it in force (500ms)"},
    {"compare", 0, "FILE", "a measured mesh, CSV as -o csv writes it; exit 1 when it disagrees"},
    {"pods", 0, "", "a line for each pod instead of one for each workload"},
    {"focus", 0, "NAME",
     "only what touches this namespace, workload (namespace/kind/name, namespace/name), pod or Service's pods; may be "
     "repeated"},
    {"direction", 0, "WHICH", "with --focus: in (towards it) or out (from it)"},
    {"exposure", 0, "", "also which pods that do not exist yet could reach, or be reached from, each workload"},
    {"entry-points", 0, "",
     "with -o csv: also what Ingresses, HTTPRoutes and Services let in from outside (other formats always say); exit "
     "status 4 when that is unknown"},
    {"trace", 0, "",
     "also play one connection, packet by packet, and show when it was where, for how long, and what dropped it"},
    {"color", 0, "WHEN", "auto, always or never; NO_COLOR is honoured"},
    {"quiet", 'q', "", "no progress, no warnings"},
    {"help", 'h', "", "this text"},
};

/// What an option does in one verb, where that is not what it does in the others.
struct OwnText {
  std::string_view verb;
  std::string_view option;
  std::string_view text;
};
constexpr OwnText kOwnTexts[] = {
    {"diff", "cluster",
     "the rest of the cluster, under both sides: a dump, a folder, or - for standard input; may be repeated"},
    {"impact", "cluster",
     "the cluster that the flows were recorded in: a dump, a folder, or - for standard input; may be repeated"},
    {"suggest", "cluster",
     "the cluster that the flows were recorded in: a dump, a folder, or - for standard input; may be repeated"},
    {"init", "cluster",
     "what is made a scenario: a dump, a folder, or - for standard input; may be repeated, a later one over an "
     "earlier"},
    {"diff", "fail-on",
     "exit 1 when a connection opened, closed, or any difference (the default); what is approved does not count"},
    {"impact", "fail-on",
     "exit 1 when flows are newly-denied (the default), newly-allowed or unknown; several with commas, or none"},
    {"lint", "fail-on", "exit 1 from this severity on: error, warning (the default), info, or none"},
    {"diff", "scenario", "OLD and NEW are policy sets of this scenario (its folder or file)"},
    {"suggest", "scenario", "play this scenario (its folder or file), instead of reading FLOWS"},
    {"suggest", "policy-set", "the policy set under which the scenario is played"},
    {"impact", "today", "the day by which --max-age is judged, as 2026-12-31 (default: now)"},
    {"reach", "cni",
     "the network plugin (calico-vxlan, or with a version: calico@3.22), instead of what the input says; several are "
     "compared: A,B,C; `podwire models` lists them"},
    {"run", "seed", "play these seeds: 7, 1..5 or 1,4,9"},
};

constexpr std::string_view kRunOptions[] = {"output",   "policy-set",  "set",        "seed",  "jobs",  "cni", "record",
                                            "filename", "ignore-kind", "allow-path", "color", "quiet", "help"};
constexpr std::string_view kRunExamples[] = {
    "podwire run scenarios/three-tier",
    "podwire run scenarios/three-tier -p complete --seed 1..5 -o table -o json=result.json",
    "podwire run scenario.yaml --set workloads.browse.rate=2000/s --cni cilium-vxlan",
};
constexpr std::string_view kReachOptions[] = {
    "output", "pods", "focus",    "direction",   "exposure",   "used-by", "entry-points", "policy-set",
    "cni",    "set",  "filename", "ignore-kind", "allow-path", "color",   "quiet",        "help"};
constexpr Format kReachFormats[] = {Format::table, Format::json, Format::csv, Format::md, Format::dot, Format::mermaid};
constexpr std::string_view kExplainOptions[] = {"trace",    "seed",        "output",     "policy-set", "cni",   "set",
                                                "filename", "ignore-kind", "allow-path", "color",      "quiet", "help"};
constexpr std::string_view kReachExamples[] = {
    "podwire reach manifests/ policies/",
    "kustomize build overlays/prod | podwire reach -",
    "podwire reach scenarios/three-tier -p complete -o csv",
    "podwire reach manifests/ --cni spec,calico-3.18,cilium-1.9",
    "podwire reach manifests/ --focus shop/web --direction in --exposure",
    "podwire reach manifests/ -o mermaid=flows.mmd -o md=flows.md",
    "podwire reach manifests/ --used-by env -o mermaid",
};
constexpr std::string_view kExplainExamples[] = {
    "podwire explain frontend/deploy/web backend/svc/api:80 manifests/",
    "podwire explain shop/web-0 10.0.0.7:5432/TCP dump.json",
    "podwire explain frontend/deploy/web http://backend-api.backend:80 manifests/",
    "podwire explain external frontend/deploy/web:8080 scenarios/three-tier",
    "podwire explain frontend/deploy/web http://backend-api.backend manifests/ --trace",
};
constexpr std::string_view kDiffOptions[] = {"scenario", "cluster", "fail-on",     "approved",   "today",
                                             "output",   "cni",     "ignore-kind", "allow-path", "set",
                                             "color",    "quiet",   "help"};
constexpr std::string_view kDiffExamples[] = {
    "podwire diff -s scenarios/three-tier open complete",
    "podwire diff --cluster dump.json main:policies HEAD:policies -o md=comment.md",
    "kustomize build overlays/prod | podwire diff --cluster dump.json main:rendered/prod.yaml -",
    "podwire diff before/ after/ --fail-on opened --approved approved.yaml",
};
constexpr Format kDiffFormats[] = {Format::table, Format::json, Format::csv, Format::md, Format::dot};
constexpr std::string_view kImpactOptions[] = {
    "cluster",    "candidate", "from-env", "prune", "fail-on",     "max-disagreement",
    "max-age",    "today",     "output",   "cni",   "ignore-kind", "set",
    "allow-path", "color",     "quiet",    "help"};
constexpr std::string_view kImpactExamples[] = {
    "podwire impact flows.json.gz --cluster dump.json --candidate policies/",
    "hubble observe --since 1h -o jsonpb | podwire impact - --cluster dump.json --candidate policies/",
    "podwire impact --from-env --cluster manifests/ --candidate policies/",
    "podwire impact node-a.log node-b.log --cluster dump/ --candidate HEAD:policies --prune namespaces -o md=impact.md",
};
constexpr Format kImpactFormats[] = {Format::table, Format::json, Format::csv, Format::md, Format::sarif};
constexpr std::string_view kLintOptions[] = {"output",      "fail-on",    "rule",       "skip",  "rules",
                                             "no-ignore",   "filename",   "policy-set", "cni",   "set",
                                             "ignore-kind", "allow-path", "color",      "quiet", "help"};
constexpr std::string_view kLintExamples[] = {
    "podwire lint manifests/ policies/",
    "kustomize build overlays/prod | podwire lint - --fail-on error",
    "podwire lint scenarios/three-tier -o text -o sarif=lint.sarif",
    "podwire lint --rules -o md",
};
constexpr Format kLintFormats[] = {Format::text, Format::json, Format::sarif, Format::github, Format::md};
constexpr std::string_view kProbeOptions[] = {"to",         "ports", "step",       "at",  "compare",  "output",
                                              "cni",        "seed",  "policy-set", "set", "filename", "ignore-kind",
                                              "allow-path", "color", "quiet",      "help"};
constexpr std::string_view kProbeExamples[] = {
    "podwire probe manifests/ --ports TCP/80,UDP/80",
    "podwire probe manifests/ --cni calico-3.18 --to service --ports TCP/80,SCTP/81 --step deny.yaml -o csv",
    "podwire probe manifests/ --to pod --ports TCP/8080 --step deny.yaml --at 200ms",
    "podwire probe manifests/ --ports TCP/80 --compare measured.csv",
};
constexpr std::string_view kInitOptions[] = {"cluster", "flows",         "max-workloads", "folder", "force",
                                             "quiet",   "print-collect", "ignore-kind",   "color",  "help"};
constexpr std::string_view kInitExamples[] = {
    "podwire init --print-collect | sh",
    "podwire init --cluster podwire-dump/ -o my-cluster",
    "podwire init --cluster podwire-dump/ --flows podwire-dump.flows.json -o my-cluster && podwire run my-cluster",
    "kubectl get all,networkpolicies,nodes,namespaces,endpointslices -A -o json | podwire init --cluster - -o "
    "my-cluster",
};
constexpr std::string_view kSuggestOptions[] = {"cluster",    "scenario", "policy-set", "namespace", "min-count",
                                                "output",     "seed",     "set",        "cni",       "ignore-kind",
                                                "allow-path", "color",    "quiet",      "help"};
constexpr Format kSuggestFormats[] = {Format::yaml, Format::json};
constexpr std::string_view kSuggestExamples[] = {
    "podwire suggest flows.json --cluster podwire-dump/ -n shop > suggested.yaml",
    "podwire suggest flows.json.gz --cluster dump.json --min-count 10 -o yaml=suggested.yaml",
    "podwire suggest --scenario scenarios/three-tier -p open -n frontend,backend,database",
};
constexpr std::string_view kModelsOptions[] = {"output", "color", "help"};
constexpr std::string_view kModelsExamples[] = {"podwire models", "podwire models calico-3.18",
                                                "podwire models -o csv=models.csv"};
constexpr std::string_view kSchemaOptions[] = {"help"};
constexpr std::string_view kSchemaExamples[] = {"podwire schema > scenario.schema.json"};
constexpr std::string_view kVersionOptions[] = {"output", "help"};
constexpr std::string_view kVersionExamples[] = {"podwire version", "podwire version -o json"};

/// "table, json or csv"
std::string format_names(const VerbDoc& verb) {
  std::string names;
  for (std::size_t i = 0; i < verb.formats.size(); ++i) {
    names += fmt::format("{}{}",
                         i == 0                         ? ""
                         : i + 1 == verb.formats.size() ? " or "
                                                        : ", ",
                         to_string(verb.formats[i]));
  }
  return names;
}

constexpr VerbDoc kVerbs[] = {
    {"init", "", "make a scenario out of a live cluster's dump, and of recorded flows if there are",
     "Reads what `kubectl get -o json|yaml` wrote (files, folders, packed ones too) and writes a folder with "
     "scenario.yaml and a stripped copy of the dump. Each line of the scenario says what it was detected from, or that "
     "it is assumed. managedFields, last-applied annotations, env values (but the peers they name, without "
     "credentials), ConfigMaps and Secrets are dropped. Recorded flows become its workloads: who called whom, on which "
     "port, at the rate observed. Flows recorded as dropped become expectations, in comments for you to turn on; "
     "lookups (podwire plays its own DNS) and flows that cannot be mapped or played are counted, with the reason. "
     "Exit status: 0, 2 bad input.",
     kInitOptions, kInitExamples},
    {"run", "PATH…", "play a scenario: what connects, what breaks, why, and how slowly",
     "Plays every policy set of a scenario (a folder with scenario.yaml, or the file) under every seed, prints a table "
     "for each policy set, and evaluates the scenario's expectations. Exit status: 0 all as expected, 1 an expectation "
     "failed, 2 bad input, 4 inconclusive, 130 interrupted.",
     kRunOptions, kRunExamples},
    {"reach", "PATH…", "list all allowed connections between workloads, and with the outside",
     "Reads a scenario, or manifests as layers (files, folders, `kubectl get -o yaml|json` dumps, - for standard "
     "input; a later one replaces objects of an earlier one), and lists what the policies allow. Nothing is played. "
     "What Ingresses, HTTPRoutes, NodePort and LoadBalancer Services let in follows, and whether policies allow it. "
     "Exit status: 0, 2 bad input, 4 when verdicts are unknown.",
     kReachOptions, kReachExamples, kReachFormats},
    {"explain", "SOURCE DESTINATION[:PORT[/PROTOCOL]] PATH…", "say why one connection is allowed or denied",
     "Names both directions' verdicts, tier by tier, with the deciding rule, the rules that nearly matched, and their "
     "places in the files. SOURCE and DESTINATION are namespace/kind/name, namespace/name where that is unambiguous, "
     "an address, or `external`; a port is the Service's own for Services, the pod's otherwise. A DESTINATION may be a "
     "URL or a host name too: it is resolved as the source pod's resolver would, and policies that bar the way to DNS "
     "come first. Exit status: 0, 2 bad input, 4 when the verdict is unknown.",
     kExplainOptions, kExplainExamples},
    {"diff", "OLD NEW", "say which connections a change opens and closes, and which rules do it",
     "Compares what two sides allow, pair by pair. A side is a folder or file of manifests, - for standard input, or "
     "REV:PATH of the git repository that one stands in; with -s it is a policy set of a scenario. A word with a colon "
     "is REV:PATH unless it begins with / or ./ or ../. A side says all that it governs: an object that only the other "
     "side has is gone here. With --cluster, objects of the dump that neither side names stay under both. "
     "Exit status: 0 the same, or all differences are approved, 1 different, 2 bad input, 4 when an object that is not "
     "modelled leaves differences unknown.",
     kDiffOptions, kDiffExamples, kDiffFormats},
    {"impact", "[FLOWS…]", "say which recorded flows a change of policies would deny or allow",
     "Reads recorded flows (Hubble's JSON, Calico's flow logs, CSV; .gz and .zst too) one by one, and judges each "
     "under "
     "the policies of --cluster and under those with --candidate laid over them. First the policies in force are "
     "compared with the recorded verdicts: where they disagree too much, nothing is concluded. Files of several nodes "
     "are given as several FLOWS. With --from-env, connections that containers declare are judged too. See "
     "docs/my-cluster.md. Exit status: 0 nothing of --fail-on, 1 something, 2 bad "
     "input, 4 inconclusive.",
     kImpactOptions, kImpactExamples, kImpactFormats},
    {"lint", "PATH…", "find the mistakes that people make in policies and manifests",
     "Reads a scenario or manifests as layers, and reports what is wrong or deceptive, each finding with its place and "
     "what to do. An object, or a namespace for all that is in it, suppresses rules by the annotation podwire/ignore: "
     "RULE[, RULE]. `podwire lint --rules` lists the rules, docs/lint.md explains them. Exit status: 0 nothing from "
     "the severity of --fail-on on, 1 something, 2 bad input, 4 when an object that is not modelled leaves a rule "
     "undecided.",
     kLintOptions, kLintExamples, kLintFormats},
    {"probe", "PATH…", "play a full mesh of probes: a truth table of who really reaches whom",
     "Each pod probes each Service (or pod) on each protocol and port, itself included, through DNS, Service "
     "translation, policies and conntrack. A probe is allowed when an answer came from the application; refused is "
     "what "
     "policies let through and nothing listens on (in CSV: false). Step 0 is the input as it stands; each --step "
     "changes "
     "it, and the next mesh begins when every node enforces the change. Exit status: 0, 1 when --compare finds a "
     "disagreement, 2 bad input, 4 when probes are unknown.",
     kProbeOptions, kProbeExamples},
    {"suggest", "[FLOWS…]", "write the least NetworkPolicies under which seen traffic goes on",
     "From recorded flows (as for `impact`) of the cluster that --cluster dumps, or from a scenario that is played: a "
     "default deny and DNS for each namespace, and a policy for each workload with a rule for each peer that it was "
     "seen "
     "with, and how often. Pods are selected by labels that outlive them. What was recorded as dropped gets no rule. "
     "What cannot be said is said on standard error and at the top of the manifest. Exit status: 0, 2 bad input.",
     kSuggestOptions, kSuggestExamples, kSuggestFormats},
    {"models", "[PROFILE…]", "list every parameter with its unit, default, certainty and source",
     "Without names: the network plugins' profiles with the versions they hold for, what each of their values means, "
     "and "
     "the parameters of the other models. With names: every value of these profiles with its certainty and source. "
     "JSON "
     "and CSV always list every value.",
     kModelsOptions, kModelsExamples},
    {"schema", "", "print the JSON Schema of scenario files, for editors",
     "Prints the JSON Schema (draft 7) of scenario files: keys, types and bounds. What names and units mean is checked "
     "when "
     "a scenario is read.",
     kSchemaOptions, kSchemaExamples},
    {"version", "", "print the version", "Prints the version and what it was built with.", kVersionOptions,
     kVersionExamples},
};

}  // namespace

std::span<const VerbDoc> verbs() {
  return kVerbs;
}

const VerbDoc* find_verb(std::string_view name) {
  const auto at = std::find_if(std::begin(kVerbs), std::end(kVerbs), [&](const VerbDoc& v) { return v.name == name; });
  return at == std::end(kVerbs) ? nullptr : at;
}

const OptionDoc& option_doc(std::string_view name) {
  const auto at =
      std::find_if(std::begin(kOptions), std::end(kOptions), [&](const OptionDoc& o) { return o.name == name; });
  PODWIRE_CHECK(at != std::end(kOptions), "cli", "verbs name known options");
  return *at;
}

namespace {

std::string_view text_in(const VerbDoc& verb, const OptionDoc& option) {
  const auto at = std::find_if(std::begin(kOwnTexts), std::end(kOwnTexts),
                               [&](const OwnText& own) { return own.verb == verb.name && own.option == option.name; });
  return at == std::end(kOwnTexts) ? option.text : at->text;
}

}  // namespace

std::string overall_help() {
  report::TextTable table;
  table.column("");
  table.column("");
  for (const VerbDoc& verb : kVerbs) {
    table.row({std::string(verb.name), std::string(verb.summary)});
  }
  return fmt::format(
      "podwire rehearses a Kubernetes cluster's network: what connects, what breaks, why, when and how slowly.\n\n"
      "usage: podwire VERB [OPTIONS] [ARGUMENTS]\n\n{}\n"
      "examples:\n  podwire run scenarios/three-tier\n  podwire reach manifests/\n"
      "  podwire explain frontend/deploy/web backend/svc/api:80 manifests/\n\n"
      "`podwire VERB --help` explains a verb and its options.\n",
      table.to_string(2, report::Style(false)));
}

std::string verb_help(const VerbDoc& verb) {
  report::TextTable options;
  options.column("");
  options.column("");
  for (const std::string_view name : verb.options) {
    const OptionDoc& option = option_doc(name);
    const std::string letter = option.letter == 0 ? std::string("    ") : fmt::format("-{}, ", option.letter);
    options.row({fmt::format("{}--{}{}{}", letter, option.name, option.argument.empty() ? "" : " ", option.argument),
                 (name == "output" ? format_names(verb) + ", " : "") + std::string(text_in(verb, option))});
  }
  std::string examples;
  for (const std::string_view example : verb.examples) {
    examples += fmt::format("  {}\n", example);
  }
  return fmt::format("podwire {}: {}\n\nusage: podwire {} [OPTIONS]{}{}\n\n{}\n\noptions:\n{}\nexamples:\n{}",
                     verb.name, verb.summary, verb.name, verb.arguments.empty() ? "" : " ", verb.arguments,
                     report::wrapped(verb.text, 0), options.to_string(2, report::Style(false)), examples);
}

}  // namespace podwire::cli
