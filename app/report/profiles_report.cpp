#include "app/report/profiles_report.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "app/report/escape.hpp"
#include "app/report/json.hpp"
#include "sim/base/text.hpp"

namespace podwire::report {
namespace {

std::string cell_text(const analysis::ComparedCell& cell) {
  return connections_text(cell.row()) + (cell.varies ? " *" : "") + (cell.is_unknown ? " (unknown)" : "");
}

std::string fields_text(const analysis::ComparedRow& row) {
  return row.fields.empty() ? "several values together" : fmt::format("{}", fmt::join(row.fields, ", "));
}

}  // namespace

ProfilesView profiles_view(const std::string& policy_set, Basis basis, const std::vector<cni::Profile>& profiles,
                           std::vector<analysis::ComparedRow> rows) {
  ProfilesView view{.policy_set = policy_set, .basis = std::move(basis), .profiles = {}, .rows = {}, .same_rows = 0};
  for (const cni::Profile& profile : profiles) {
    view.profiles.push_back(profile.name);
  }
  view.basis.cni = fmt::format("{}, compared", fmt::join(view.profiles, ", "));
  for (analysis::ComparedRow& row : rows) {
    if (row.differs()) {
      view.rows.push_back(std::move(row));
    } else {
      ++view.same_rows;
    }
  }
  return view;
}

std::string profiles_table(const std::vector<ProfilesView>& views, const Style& style) {
  std::string out;
  for (const ProfilesView& view : views) {
    out += out.empty() ? "" : "\n";
    out += style.bold(views.size() > 1 ? "policy set " + printable(view.policy_set) : "where profiles disagree") +
           "\n" + basis_table(view.basis, style) + "\n";
    TextTable table;
    table.column("source");
    table.column("destination");
    for (const std::string& profile : view.profiles) {
      table.column(printable(profile));
    }
    table.column("because of");
    bool notes_varying = false;
    for (const analysis::ComparedRow& row : view.rows) {
      std::vector<std::string> cells = {printable(row.source), printable(row.destination)};
      for (const analysis::ComparedCell& cell : row.cells) {
        notes_varying = notes_varying || cell.varies;
        cells.push_back(cell.is_unknown ? style.doubtful(cell_text(cell)) : cell_text(cell));
      }
      cells.push_back(fields_text(row));
      table.row(std::move(cells));
    }
    if (!view.rows.empty()) {
      out += table.to_string(2, style) + "\n";
    }
    if (notes_varying) {
      out += "  " + style.dim("* not between every two pods of these workloads") + "\n";
    }
    out += fmt::format("  {} of {} connections differ\n", view.rows.size(), view.rows.size() + view.same_rows);
  }
  return out;
}

std::string profiles_json(const std::vector<ProfilesView>& views, const std::string& scenario_name) {
  ordered_json sets = ordered_json::array();
  for (const ProfilesView& view : views) {
    ordered_json rows = ordered_json::array();
    for (const analysis::ComparedRow& row : view.rows) {
      ordered_json connections = ordered_json::object();
      for (std::size_t i = 0; i < view.profiles.size(); ++i) {
        connections[view.profiles[i]] = cell_text(row.cells[i]);
      }
      rows.push_back({{"source", row.source},
                      {"destination", row.destination},
                      {"connections", std::move(connections)},
                      {"fields", row.fields}});
    }
    sets.push_back({{"policySet", view.policy_set},
                    {"basis", basis_json(view.basis)},
                    {"profiles", view.profiles},
                    {"differences", std::move(rows)},
                    {"sameRows", view.same_rows}});
  }
  return write_json({{"apiVersion", "podwire/v1"}, {"scenario", scenario_name}, {"policySets", std::move(sets)}}, true);
}

std::string profiles_csv(const std::vector<ProfilesView>& views) {
  const bool names_sets = views.size() > 1;
  std::vector<std::string> head = {"source", "destination"};
  if (names_sets) {
    head.insert(head.begin(), "policySet");
  }
  if (!views.empty()) {
    head.insert(head.end(), views.front().profiles.begin(), views.front().profiles.end());
  }
  head.emplace_back("fields");
  std::string out = csv_line(head);
  for (const ProfilesView& view : views) {
    for (const analysis::ComparedRow& row : view.rows) {
      std::vector<std::string> line = {row.source, row.destination};
      if (names_sets) {
        line.insert(line.begin(), view.policy_set);
      }
      for (const analysis::ComparedCell& cell : row.cells) {
        line.push_back(cell_text(cell));
      }
      line.push_back(fmt::format("{}", fmt::join(row.fields, " ")));
      out += csv_line(line);
    }
  }
  return out;
}

}  // namespace podwire::report
