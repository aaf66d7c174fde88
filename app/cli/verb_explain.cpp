// podwire explain: why one connection is allowed or denied.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>

#include "app/cli/cli.hpp"
#include "app/report/explain_report.hpp"
#include "app/scenario/judge.hpp"
#include "app/scenario/lookup.hpp"
#include "app/scenario/trace.hpp"
#include "models/analysis/explain.hpp"

namespace podwire::cli {
namespace {

// `external` stands for an address that no cluster has (RFC 5737), as in scenarios.
std::string external_address(const std::string& text) {
  constexpr std::string_view kWord = "external";
  constexpr std::string_view kAddress = "203.0.113.1";
  const bool is_external = text == kWord || text.starts_with("external:");
  return is_external ? fmt::format("{}{}", kAddress, text.substr(kWord.size())) : text;
}

// An address may stand in a URL too.
std::string without_scheme(const std::string& text) {
  const std::size_t scheme = text.find("://");
  if (scheme == std::string::npos) {
    return text;
  }
  const std::string rest = text.substr(scheme + 3);
  std::string destination = rest.substr(0, rest.find('/'));
  const bool has_port = destination.rfind(':') != std::string::npos && !destination.ends_with(']');
  destination += text.starts_with("http://") && !has_port ? ":80" : "";
  return destination;
}

// Until its node has programmed a new pod, what policies deny is open, or what they allow is closed.
bool may_differ_for_a_new_pod(const analysis::ConnectionExplanation& explanation, cni::PodStart start) {
  const bool is_open = start == cni::PodStart::open;
  const auto may_differ = [&](const policy::Explanation& side) {
    return side.verdict.cause != policy::Cause::not_a_subject && side.verdict.is_allowed() != is_open;
  };
  return std::any_of(explanation.paths.begin(), explanation.paths.end(), [&](const auto& path) {
    return is_open ? may_differ(path.egress) || may_differ(path.ingress)
                   : path.egress.verdict.is_allowed() && path.ingress.verdict.is_allowed() &&
                         (may_differ(path.egress) || may_differ(path.ingress));
  });
}

struct Answered {
  std::optional<scenario::Lookup> lookup;  // where the destination is a host name
  std::optional<analysis::ConnectionExplanation> connection;
};

// Explains the two words of the command line. A host name is resolved first: what policies or DNS refuse there decides
// before any packet is sent to the destination.
std::optional<Answered> explain_words(policy::PolicyEngine& engine, const CommandLine& line,
                                      const analysis::EntryPoints& entries, const dns::ExternalRecords& externals,
                                      Span span, Diagnostics& problems) {
  Answered result;
  const std::string source = external_address(line.words[0]);
  std::string destination = external_address(line.words[1]);
  const auto host = scenario::parse_host(destination);
  if (host) {
    result.lookup = scenario::look_up(engine, source, host->host, externals, span, problems);
    if (!result.lookup) {
      return std::nullopt;
    }
    if (!result.lookup->is_found()) {
      const auto wanted =
          analysis::parse_destination(fmt::format("{}:{}", host->host, host->port_text), span, problems);
      if (!wanted) {
        return std::nullopt;
      }
      result.connection.emplace();
      result.connection->source_name = engine.cluster().full_pod_name(result.lookup->pod);
      result.connection->destination_name = host->host;
      result.connection->protocol = wanted->protocol;
      result.connection->port = wanted->port;
      result.connection->answer = result.lookup->is_cut_off() ? analysis::Answer::denied : analysis::Answer::unresolved;
      return result;
    }
    destination = scenario::destination_of(engine.cluster(), *result.lookup, host->port_text);
  } else {
    destination = without_scheme(destination);
  }
  result.connection =
      analysis::explain(engine, source, destination, span, problems, scenario::addresses_of(externals), &entries);
  if (!result.connection) {
    return std::nullopt;
  }
  if (result.lookup && result.lookup->is_cut_off()) {
    result.connection->answer = analysis::Answer::denied;
    result.connection->notes.insert(result.connection->notes.begin(), "what follows holds once the name resolves:");
  } else if (result.lookup && result.lookup->is_dns_missing) {
    result.connection->notes.insert(
        result.connection->notes.begin(),
        "the input brings no kube-dns: it is taken to answer, and whether policies let questions pass is not known");
    const bool may_be_cut_off = std::any_of(result.connection->paths.begin(), result.connection->paths.end(),
                                            [](const analysis::ExplainedPath& path) {
                                              return !path.egress.isolating.empty() || !path.egress.chain.empty();
                                            });
    if (may_be_cut_off && result.connection->answer == analysis::Answer::allowed) {
      result.connection->answer = analysis::Answer::unknown;
    }
  } else if (result.lookup && result.lookup->udp && result.connection->answer == analysis::Answer::allowed) {
    // Some of the ways to DNS may be barred, or not known.
    const auto& asked = result.lookup->asks_over_tcp ? result.lookup->tcp : result.lookup->udp;
    const bool is_sure = asked->answer == analysis::Answer::allowed || asked->answer == analysis::Answer::external;
    result.connection->answer = is_sure ? analysis::Answer::allowed : asked->answer;
  }
  return result;
}

// What becomes of the connection under the other profiles that the plugin may as well be like. Where one of them says
// otherwise the answer is not known.
void ask_others(const scenario::PolicySetPlan& plan, const CommandLine& line, const dns::ExternalRecords& externals,
                Span span, analysis::ConnectionExplanation& explanation) {
  if (plan.state->others.empty()) {
    return;
  }
  scenario::Judges judges(plan);
  const auto answer_of = [&](policy::PolicyEngine& engine) {
    Diagnostics problems;
    const auto other = explain_words(engine, line, plan.state->entry_points, externals, span, problems);
    return other ? other->connection->answer : analysis::Answer::unknown;
  };
  const analysis::Answer first = explanation.answer;
  for (std::size_t i = 1; i < judges.size(); ++i) {
    const analysis::Answer answer = answer_of(judges.engine(i));
    if (answer == first) {
      continue;
    }
    const auto paths = judges.responsible(i, [&](policy::PolicyEngine& mixed) { return answer_of(mixed) == answer; });
    explanation.answer = analysis::Answer::unknown;
    explanation.notes.push_back(fmt::format("profile {} says {}, {} says {}{}{}; the reasons below are {}'s",
                                            plan.profile().name, to_string(first), plan.state->others[i - 1].name,
                                            to_string(answer), paths.empty() ? "" : ": ", fmt::join(paths, ", "),
                                            plan.profile().name));
  }
}

// Plays one connection of this policy set beside its explanation.
std::optional<report::TraceView> play(const scenario::Scenario& scenario, const scenario::PolicySetPlan& plan,
                                      policy::PolicyEngine& engine, const CommandLine& line,
                                      const analysis::ConnectionExplanation& explanation,
                                      const scenario::Lookup* lookup, Span span, const SourceMap& sources,
                                      Diagnostics& problems) {
  scenario::TraceRequest request;
  request.source = external_address(line.words[0]);
  request.destination = external_address(line.words[1]);
  request.host = scenario::parse_host(request.destination);
  if (!request.host) {
    request.destination = without_scheme(request.destination);
  } else if (lookup != nullptr && lookup->is_dns_missing && lookup->is_found()) {
    // Nobody would answer the questions that the explanation takes to be answered.
    request.destination = scenario::destination_of(engine.cluster(), *lookup, request.host->port_text);
    request.host.reset();
  }
  request.explanation = &explanation;
  request.seed = line.load.seeds ? line.load.seeds->front() : 1;
  auto run = scenario::trace(scenario, engine, request, span, problems);
  if (!run) {
    return std::nullopt;
  }
  return report::trace_view(std::move(*run), request.seed, plan.profile().timing, sources);
}

}  // namespace

Exit verb_explain(const CommandLine& line) {
  const std::vector<std::string> paths = paths_of(line, 2);
  if (line.words.size() < 2 || paths.empty()) {
    say("explain: give SOURCE, DESTINATION:PORT, and the manifests or the scenario");
    say("see `podwire explain --help`");
    return Exit::bad_input;
  }
  SourceMap sources;
  const auto scenario = load_input(sources, paths, line.load, line);
  if (!scenario) {
    return Exit::bad_input;
  }
  // The names are shown as a source of their own, so that carets have something to point at.
  const SourceId words = sources.add("command line", fmt::format("{} {}", line.words[0], line.words[1]));
  const Span span{words, 0, static_cast<std::uint32_t>(sources.text(words).size())};
  Exit exit = Exit::ok;
  std::vector<report::ExplainView> views;
  for (const scenario::PolicySetPlan& plan : scenario->policy_sets) {
    policy::PolicyEngine engine(plan.cluster(), plan.policies, plan.profile(), plan.names.get());
    Diagnostics problems;
    auto answer =
        explain_words(engine, line, plan.state->entry_points, scenario->file->cluster.externals, span, problems);
    show(problems, sources, line);
    if (!answer || problems.has_errors()) {
      return Exit::bad_input;
    }
    std::optional<analysis::ConnectionExplanation>& explanation = answer->connection;
    ask_others(plan, line, scenario->file->cluster.externals, span, *explanation);
    const bool is_unknown = explanation->answer == analysis::Answer::unknown;
    exit = worse(exit, is_unknown ? Exit::inconclusive : Exit::ok);
    report::Basis basis = report::basis_of(*scenario, plan, sources, false);
    if (!may_differ_for_a_new_pod(*explanation, plan.profile().policy.pod_start)) {
      basis.in_time.clear();
    }
    const bool is_through_nodes = !explanation->paths.empty() && explanation->paths.front().source.node.is_valid() &&
                                  explanation->paths.front().source_name != explanation->source_name;
    if (line.wants_trace && is_through_nodes) {
      explanation->notes.emplace_back("what is played dials a backend directly, with the client's own address");
    }
    views.push_back(report::explain_view(plan.name, std::move(basis), *explanation, engine, sources,
                                         answer->lookup ? &*answer->lookup : nullptr));
    if (line.wants_trace) {
      views.back().trace = play(*scenario, plan, engine, line, *explanation,
                                answer->lookup ? &*answer->lookup : nullptr, span, sources, problems);
      show(problems, sources, line);
      if (!views.back().trace) {
        return Exit::bad_input;
      }
    }
  }
  return worse(exit, write_outputs(line, [&](Format format, const report::Style& style) {
                 switch (format) {
                   case Format::json:
                     return report::explain_json(views, scenario->name());
                   case Format::csv:
                     return report::explain_csv(views);
                   default:  // table
                     break;
                 }
                 return report::explain_table(views, style);
               }));
}

}  // namespace podwire::cli
