// `podwire diff -o json`: rows as they come, a row a line; totals, policies and approvals after them.
#include <fmt/format.h>

#include "app/report/diff_report.hpp"
#include "app/report/json.hpp"

namespace podwire::report {
namespace {

std::string inline_json(const ordered_json& value) {
  std::string text = write_json(value, false);
  text.pop_back();  // the line break
  return text;
}

ordered_json reason_json(const DiffReason& reason) {
  return {{"direction", reason.direction},
          {"port", reason.port},
          {"before", {{"action", reason.before_action}, {"rule", reason.before}, {"place", reason.before_place}}},
          {"after", {{"action", reason.after_action}, {"rule", reason.after}, {"place", reason.after_place}}}};
}

ordered_json totals_json(const DiffTail& tail) {
  const analysis::DiffTotals& totals = tail.summary.totals;
  return {{"connections", totals.rows()},
          {"opened", totals.opened},
          {"openedOutside", totals.opened_outside},
          {"closed", totals.closed},
          {"closedOutside", totals.closed_outside},
          {"added", totals.added},
          {"removed", totals.removed},
          {"changed", totals.changed},
          {"unknown", totals.unknown},
          {"workloadAdded", totals.workload_added},
          {"workloadRemoved", totals.workload_removed},
          {"approved", tail.approved},
          {"unknownAlike", tail.summary.unknown_alike}};
}

ordered_json policies_json(const DiffTail& tail) {
  ordered_json policies = ordered_json::array();
  for (const DiffPolicy& policy : tail.policies) {
    ordered_json object{{"policy", policy.name},
                        {"change", policy.change},
                        {"before", policy.before_place},
                        {"after", policy.after_place}};
    object["affectsConnections"] = policy.effect == analysis::PolicyChange::Effect::not_tried
                                       ? ordered_json(nullptr)
                                       : ordered_json(policy.effect == analysis::PolicyChange::Effect::some);
    policies.push_back(std::move(object));
  }
  return policies;
}

ordered_json workloads_json(const DiffTail& tail) {
  ordered_json workloads = ordered_json::array();
  for (const analysis::WorkloadChange& workload : tail.summary.workloads) {
    workloads.push_back({{"workload", workload.name},
                         {"change", std::string(to_string(workload.kind))},
                         {"connections", workload.connections}});
  }
  return workloads;
}

ordered_json approvals_json(const std::vector<DiffApproval>& approvals) {
  ordered_json list = ordered_json::array();
  for (const DiffApproval& approval : approvals) {
    list.push_back({{"entry", approval.text},
                    {"owner", approval.owner},
                    {"reason", approval.reason},
                    {"expires", approval.expires},
                    {"place", approval.place},
                    {"matches", approval.matches}});
  }
  return list;
}

class JsonPrinter : public DiffPrinter {
 public:
  explicit JsonPrinter(Sink sink) : sink_(std::move(sink)) {}

  void begin(const DiffHead& head) override {
    sink_(
        fmt::format("{{\"apiVersion\":\"podwire/v1\",\n\"old\":{{\"name\":{},\"basis\":{}}},\n\"new\":{{\"name\":{},"
                    "\"basis\":{}}},\n\"connections\":[",
                    inline_json(head.before), inline_json(basis_json(head.basis_before)), inline_json(head.after),
                    inline_json(basis_json(head.basis_after))));
  }

  void row(const DiffLine& line) override {
    ordered_json object{{"change", line.change},           {"cause", line.cause},   {"source", line.source},
                        {"destination", line.destination}, {"before", line.before}, {"after", line.after},
                        {"opened", line.opened},           {"closed", line.closed}, {"approved", line.is_approved}};
    if (line.varies) {
      object["varies"] = true;
    }
    if (!line.family.empty()) {
      object["family"] = line.family;
    }
    ordered_json reasons = ordered_json::array();
    for (const DiffReason& reason : line.reasons()) {
      reasons.push_back(reason_json(reason));
    }
    object["reasons"] = std::move(reasons);
    sink_(fmt::format("{}\n{}", is_first_ ? "" : ",", inline_json(object)));
    is_first_ = false;
  }

  void end(const DiffTail& tail) override {
    sink_(fmt::format(
        "\n],\n\"workloads\":{},\n\"policies\":{},\n\"routes\":{},\n\"approvals\":{{\"expired\":{},\"stale\":{}}},\n"
        "\"totals\":{},\n\"answer\":{},\n\"failOn\":{},\n\"result\":{}}}\n",
        inline_json(workloads_json(tail)), inline_json(policies_json(tail)), inline_json(tail.routes),
        inline_json(approvals_json(tail.expired)), inline_json(approvals_json(tail.stale)),
        inline_json(totals_json(tail)), inline_json(diff_answer(tail)), inline_json(tail.fail_on),
        inline_json(tail.result)));
  }

 private:
  Sink sink_;
  bool is_first_ = true;
};

}  // namespace

std::unique_ptr<DiffPrinter> diff_json(Sink sink) {
  return std::make_unique<JsonPrinter>(std::move(sink));
}

}  // namespace podwire::report
