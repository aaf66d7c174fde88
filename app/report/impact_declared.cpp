// Declared connections in `podwire impact --from-env`: the parts of the table, Markdown, JSON and CSV that are theirs.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "app/report/escape.hpp"
#include "app/report/impact_report.hpp"
#include "app/report/json.hpp"
#include "sim/base/text.hpp"

namespace podwire::report {
namespace {

using analysis::DeclaredRow;
using analysis::ImpactOutcome;

constexpr std::size_t kMostRows = 200;  // of one outcome
constexpr std::size_t kMostNames = 20;  // of a list
constexpr std::size_t kIndent = 13;
constexpr std::size_t kCell = 160;  // bytes of a name in Markdown

std::uint64_t total(const ImpactView& view, ImpactOutcome outcome) {
  return view.declared->impact.totals[static_cast<std::size_t>(outcome)];
}

std::string_view key_of(ImpactOutcome outcome) {
  constexpr std::array<std::string_view, analysis::kImpactOutcomes> kKeys = {"newlyDenied", "newlyAllowed", "unknown",
                                                                             "stillAllowed", "stillDenied"};
  return kKeys[static_cast<std::size_t>(outcome)];
}

std::string row_port(const DeclaredRow& row) {
  return fmt::format("{} {}", to_string(row.connection.protocol), row.connection.port.number());
}

std::string before_text(const DeclaredRow& row, const SourceMap& sources) {
  return row.before ? side_text(*row.before, sources) : "not declared";
}

/// The first place, how many more, and what its port rests on.
std::string places_text(const DeclaredRow& row, const SourceMap& sources) {
  if (row.connection.places.empty()) {
    return "";
  }
  std::string text = declared_place(row.connection.places.front(), sources);
  if (row.connection.is_lookup) {
    text = "the names in it are looked up, " + text;
  }
  if (row.connection.places.size() > 1) {
    text += fmt::format(" and {} more", row.connection.places.size() - 1);
  }
  return row.connection.port_source.empty() ? text : fmt::format("{} (port: {})", text, row.connection.port_source);
}

std::string peer_text(const ImpactPeer& peer, const SourceMap& sources) {
  const std::string place = sources.place(peer.span);
  return fmt::format("{} {}{}{}: {}", peer.source, peer.name, peer.text.empty() ? "" : " " + peer.text,
                     place.empty() ? "" : " at " + place, peer.reason);
}

std::string pair_text(const std::string& source, const std::string& destination, const std::string& port) {
  return fmt::format("{} → {} {}", source, destination, port);
}

std::vector<std::string> without_flow(const ImpactView& view) {
  std::vector<std::string> pairs;
  for (const DeclaredRow& row : view.declared->impact.rows) {
    if (row.was_recorded && !*row.was_recorded) {
      pairs.push_back(pair_text(row.source, row.connection.destination, row_port(row)));
    }
  }
  return pairs;
}

std::vector<std::string> undeclared(const ImpactView& view) {
  std::vector<std::string> pairs;
  for (const analysis::UndeclaredPair& pair : view.declared->impact.undeclared) {
    pairs.push_back(pair_text(pair.source, pair.destination, port_text(pair.protocol, pair.port)));
  }
  return pairs;
}

std::vector<std::string> peer_texts(const std::vector<ImpactPeer>& peers, const SourceMap& sources) {
  std::vector<std::string> texts;
  for (const ImpactPeer& peer : peers) {
    texts.push_back(peer_text(peer, sources));
  }
  return texts;
}

/// Titles and texts of the lists below the rows.
std::vector<std::pair<std::string, std::vector<std::string>>> lists(const ImpactView& view) {
  const ImpactDeclared& declared = *view.declared;
  std::vector<std::pair<std::string, std::vector<std::string>>> all;
  const auto add = [&](std::string title, std::vector<std::string> texts) {
    if (!texts.empty()) {
      all.emplace_back(std::move(title), std::move(texts));
    }
  };
  add("declared, and nobody has it", peer_texts(declared.unresolved, *view.sources));
  add(fmt::format("declared, and no flow went there ({} of {})", declared.impact.without_flow,
                  declared.impact.declared_in_cluster),
      without_flow(view));
  add(fmt::format("recorded, and nobody declares it ({})", declared.impact.undeclared.size()), undeclared(view));
  add(fmt::format("not read ({})", declared.unread.size()), peer_texts(declared.unread, *view.sources));
  return all;
}

}  // namespace

std::string declared_place(const analysis::DeclaredPlace& place, const SourceMap& sources) {
  const std::string where = sources.place(place.span);
  return fmt::format("{} {}{}", place.name, place.text, where.empty() ? "" : " at " + where);
}

std::string declared_answer(const ImpactView& view) {
  const std::uint64_t unknown = total(view, ImpactOutcome::unknown);
  const std::size_t count = view.declared->impact.rows.size();
  return fmt::format("{} declared connection{}: {} newly denied, {} newly allowed, {} still allowed, {} still denied{}",
                     count, count == 1 ? "" : "s", total(view, ImpactOutcome::newly_denied),
                     total(view, ImpactOutcome::newly_allowed), total(view, ImpactOutcome::still_allowed),
                     total(view, ImpactOutcome::still_denied),
                     unknown == 0 ? "" : fmt::format(", {} unknown", unknown));
}

std::string declared_table(const ImpactView& view, const Style& style) {
  if (!view.declared) {
    return "";
  }
  const analysis::DeclaredImpact& impact = view.declared->impact;
  std::string out;
  // What stays denied is said too: somebody means it, and it does not work.
  for (const ImpactOutcome outcome : {ImpactOutcome::newly_denied, ImpactOutcome::newly_allowed, ImpactOutcome::unknown,
                                      ImpactOutcome::still_denied}) {
    std::size_t shown = 0;
    for (const DeclaredRow& row : impact.rows) {
      if (row.outcome != outcome || ++shown > kMostRows) {
        continue;
      }
      if (shown == 1) {
        out += fmt::format("\n{}\n",
                           style.bold(fmt::format("declared, {} ({})", to_string(outcome), total(view, outcome))));
      }
      const std::string port = row_port(row);
      out += fmt::format("  {} → {}  {}{}\n", printable(row.source), printable(row.connection.destination),
                         outcome == ImpactOutcome::newly_denied ? style.bad(port) : port,
                         row.is_partly ? "  (not from every pod to every pod)" : "");
      out += fmt::format("    in       {}\n", wrapped(printable(places_text(row, *view.sources), 2000), kIndent));
      if (outcome == ImpactOutcome::unknown) {
        const std::string& rule = row.after.rule;
        out += fmt::format("    because  {}\n",
                           wrapped(printable(row.doubt == analysis::ImpactDoubt::model && !rule.empty()
                                                 ? rule
                                                 : std::string(to_string(row.doubt)),
                                             2000),
                                   kIndent));
        continue;
      }
      out += fmt::format("    before   {}\n", wrapped(printable(before_text(row, *view.sources), 2000), kIndent));
      out += fmt::format("    after    {}\n", wrapped(printable(side_text(row.after, *view.sources), 2000), kIndent));
    }
    if (shown > kMostRows) {
      out += fmt::format("  … and {} more (-o csv and -o json have all)\n", shown - kMostRows);
    }
  }
  for (const auto& [title, texts] : lists(view)) {
    out += fmt::format("\n{}\n", style.bold(title));
    for (std::size_t i = 0; i < std::min(texts.size(), kMostNames); ++i) {
      out += fmt::format("  {}\n", wrapped(printable(texts[i], 2000), 4, style.text_width()));
    }
    if (texts.size() > kMostNames) {
      out += fmt::format("  … and {} more (-o json has all)\n", texts.size() - kMostNames);
    }
  }
  return out;
}

std::vector<std::string> declared_md(const ImpactView& view) {
  std::vector<std::string> pieces;
  if (!view.declared) {
    return pieces;
  }
  // Without flows the title has said it.
  pieces.push_back(fmt::format("\n#### {}\n", view.has_flows() ? declared_answer(view) : "declared connections"));
  bool is_first = true;
  std::size_t shown = 0;
  for (const DeclaredRow& row : view.declared->impact.rows) {
    if (row.outcome == ImpactOutcome::still_allowed || ++shown > kMostRows) {
      continue;
    }
    if (is_first) {
      pieces.emplace_back(
          "\n| outcome | source | destination | port | declared by | before | after "
          "|\n|---|---|---|---|---|---|---|\n");
      is_first = false;
    }
    pieces.push_back(fmt::format(
        "| {} | {} | {} | {} | {} | {} | {} |\n", to_string(row.outcome), md_code(row.source, kCell),
        md_code(row.connection.destination, kCell), row_port(row), md_code(places_text(row, *view.sources), 2 * kCell),
        md_code(before_text(row, *view.sources), kCell), md_code(side_text(row.after, *view.sources), kCell)));
  }
  for (const auto& [title, texts] : lists(view)) {
    pieces.push_back(fmt::format("\n{}:\n\n", title));
    for (std::size_t i = 0; i < std::min(texts.size(), kMostNames); ++i) {
      pieces.push_back(fmt::format("- {}\n", md_code(texts[i], 3 * kCell)));
    }
    if (texts.size() > kMostNames) {
      pieces.push_back(fmt::format("- and {} more\n", texts.size() - kMostNames));
    }
  }
  return pieces;
}

namespace {

ordered_json declared_side(const analysis::ImpactSide& side, const SourceMap& sources) {
  constexpr std::array<std::string_view, 3> kWords = {"allowed", "denied", "unknown"};
  return {{"action", kWords[static_cast<std::size_t>(side.action)]},
          {"direction", std::string(to_string(side.direction))},
          {"rule", side.rule},
          {"place", sources.file_and_line(side.span)}};
}

ordered_json peers_json(const std::vector<ImpactPeer>& peers, std::string_view reason, const SourceMap& sources) {
  ordered_json list = ordered_json::array();
  for (const ImpactPeer& peer : peers) {
    ordered_json object{{"source", peer.source}, {"name", peer.name}};
    if (!peer.text.empty()) {
      object["peer"] = peer.text;
    }
    object[std::string(reason)] = peer.reason;
    object["place"] = sources.place(peer.span);
    list.push_back(std::move(object));
  }
  return list;
}

}  // namespace

std::string declared_json(const ImpactView& view) {
  const analysis::DeclaredImpact& impact = view.declared->impact;
  ordered_json totals = ordered_json::object();
  for (std::size_t i = 0; i < analysis::kImpactOutcomes; ++i) {
    totals[std::string(key_of(static_cast<ImpactOutcome>(i)))] = impact.totals[i];
  }
  totals["noLongerDeclared"] = impact.no_longer;
  ordered_json rows = ordered_json::array();
  for (const DeclaredRow& row : impact.rows) {
    ordered_json places = ordered_json::array();
    for (const analysis::DeclaredPlace& place : row.connection.places) {
      places.push_back({{"name", place.name}, {"peer", place.text}, {"place", view.sources->place(place.span)}});
    }
    ordered_json object{{"outcome", key_of(row.outcome)},
                        {"source", row.source},
                        {"destination", row.connection.destination},
                        {"host", row.connection.host},
                        {"protocol", std::string(to_string(row.connection.protocol))},
                        {"port", row.connection.port.number()}};
    if (!row.connection.port_source.empty()) {
      object["portSource"] = row.connection.port_source;
    }
    if (row.connection.is_lookup) {
      object["lookup"] = true;
    }
    if (row.is_partly) {
      object["partly"] = true;
    }
    if (row.was_recorded) {
      object["recorded"] = *row.was_recorded;
    }
    object["declaredBy"] = std::move(places);
    object["before"] = row.before ? declared_side(*row.before, *view.sources) : ordered_json(nullptr);
    object["after"] = declared_side(row.after, *view.sources);
    rows.push_back(std::move(object));
  }
  ordered_json undeclared_pairs = ordered_json::array();
  for (const analysis::UndeclaredPair& pair : impact.undeclared) {
    undeclared_pairs.push_back({{"source", pair.source},
                                {"destination", pair.destination},
                                {"protocol", std::string(to_string(pair.protocol))},
                                {"port", pair.port},
                                {"flows", pair.seen.count}});
  }
  const ordered_json object{{"answer", declared_answer(view)},
                            {"valuesRead", view.declared->values},
                            {"totals", std::move(totals)},
                            {"connections", std::move(rows)},
                            {"unresolved", peers_json(view.declared->unresolved, "reason", *view.sources)},
                            {"notRead", peers_json(view.declared->unread, "from", *view.sources)},
                            {"withoutFlow", impact.without_flow},
                            {"undeclared", std::move(undeclared_pairs)}};
  std::string text = write_json(object, false);
  text.pop_back();  // the line break
  return text;
}

std::string declared_csv(const ImpactView& view) {
  // Names of variables are checked by nobody: control characters do not reach a terminal that shows the table.
  constexpr std::size_t kLongest = 1000;
  std::string text;
  constexpr std::array<std::string_view, 3> kWords = {"allowed", "denied", "unknown"};
  const auto word = [&](const analysis::ImpactSide& side) {
    return std::string(kWords[static_cast<std::size_t>(side.action)]);
  };
  for (const DeclaredRow& row : view.declared->impact.rows) {
    const analysis::DeclaredPlace* place = row.connection.places.empty() ? nullptr : &row.connection.places.front();
    text += csv_line({std::string(to_string(row.outcome)), "", row.source, row.connection.destination,
                      std::string(to_string(row.connection.protocol)), std::to_string(row.connection.port.number()), "",
                      "", "", row.before ? word(*row.before) : "not declared", row.before ? row.before->rule : "",
                      row.before ? view.sources->file_and_line(row.before->span) : "", word(row.after), row.after.rule,
                      view.sources->file_and_line(row.after.span),
                      place == nullptr ? "" : printable(declared_place(*place, *view.sources), kLongest)});
  }
  for (const ImpactPeer& peer : view.declared->unresolved) {
    text += csv_line({"unresolved", peer.reason, peer.source, peer.text, "", "", "", "", "", "", "", "", "", "", "",
                      printable(fmt::format("{} at {}", peer.name, view.sources->place(peer.span)), kLongest)});
  }
  return text;
}

}  // namespace podwire::report
