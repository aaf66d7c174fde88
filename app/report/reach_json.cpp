// `podwire reach -o json`.
#include <fmt/format.h>

#include "app/report/json.hpp"
#include "app/report/reach_report.hpp"

namespace podwire::report {
namespace {

class JsonPrinter : public ReachPrinter {
 public:
  JsonPrinter(Sink sink, std::string scenario, const ReachShown& shown)
      : sink_(std::move(sink)), scenario_(std::move(scenario)), shown_(shown) {}

  void begin() override {
    sink_(fmt::format("{{\"apiVersion\":\"podwire/v1\",\"scenario\":{},\"policySets\":[", inline_json(scenario_)));
  }
  void begin_set(const std::string& name, const Basis& basis, const cluster::Cluster& cluster) override {
    cluster_ = &cluster;
    sink_(fmt::format("{}\n{{\"policySet\":{},\n\"basis\":{},\n\"reachability\":[", is_first_set_ ? "" : ",",
                      inline_json(name), inline_json(basis_json(basis))));
    is_first_set_ = false;
    is_first_row_ = true;
  }
  void row(const analysis::ReachRow& row) override {
    ordered_json object{
        {"source", row.source.name}, {"destination", row.destination.name}, {"connections", row.ports->to_string()}};
    if (row.is_unknown) {
      object["unknown"] = true;
    }
    if (row.varies) {
      object["varies"] = true;
    }
    if (row.families_differ()) {
      object["ipv4"] = row.ipv4->to_string();
      object["ipv6"] = row.ipv6->to_string();
    }
    write_item(object);
  }
  void entry_points(const std::vector<analysis::EntryRow>& rows) override {
    begin_list("entryPoints");
    for (const analysis::EntryRow& row : rows) {
      ordered_json object{{"source", row.source},
                          {"destination", row.destination},
                          {"connections", row.connections},
                          {"via", row.via},
                          {"host", row.host},
                          {"path", row.path},
                          {"service", row.service},
                          {"outcome", to_string(row.outcome)}};
      if (!row.note.empty()) {
        object["note"] = row.note;
      }
      write_item(object);
    }
  }
  void exposure(const analysis::ExposureLine& line) override {
    if (!is_exposure_begun_) {
      begin_list("exposure");
      is_exposure_begun_ = true;
    }
    ordered_json object{{"workload", cluster_->workload_name(line.workload)},
                        {"direction", to_string(line.direction)},
                        {"pods", line.region.to_string()},
                        {"connections", line.ports_text()},
                        {"podsNow", line.pods_now}};
    if (line.is_unknown) {
      object["unknown"] = true;
    }
    if (line.varies) {
      object["varies"] = true;
    }
    write_item(object);
  }
  void unreached(const analysis::UnreachedUse& use) override {
    if (!has_unreached_) {
      begin_list("otherUses");
      has_unreached_ = true;
    }
    constexpr std::string_view kWords[] = {"allowed", "denied", "unknown"};
    write_item({{"source", unreached_end(use, true)},
                {"destination", unreached_end(use, false)},
                {"connections", use.ports.to_string()},
                {"verdict", kWords[static_cast<std::size_t>(use.side.action)]},
                {"rule", use.side.rule}});
  }
  void uses(const ReachUses& uses) override {
    if (!has_unreached_) {
      begin_list("otherUses");
    }
    has_unreached_ = false;
    begin_list("used");
    write_item({{"by", uses.by},
                {"shown", uses.shown},
                {"unused", uses.unused},
                {"denied", uses.denied},
                {"notes", uses.notes}});
  }
  void end_set(const analysis::ReachSummary&) override {
    if (shown_.has_exposure && !is_exposure_begun_) {
      begin_list("exposure");
    }
    is_exposure_begun_ = false;
    sink_("\n]}");
  }
  void end() override { sink_("\n]}\n"); }

 private:
  void begin_list(std::string_view name) {
    sink_(fmt::format("\n],\n\"{}\":[", name));
    is_first_row_ = true;
  }
  void write_item(const ordered_json& object) {
    sink_(fmt::format("{}\n{}", is_first_row_ ? "" : ",", inline_json(object)));
    is_first_row_ = false;
  }

  static std::string inline_json(const ordered_json& value) {
    std::string text = write_json(value, false);
    text.pop_back();  // the line break
    return text;
  }

  Sink sink_;
  std::string scenario_;
  ReachShown shown_;
  const cluster::Cluster* cluster_ = nullptr;
  bool is_exposure_begun_ = false;
  bool has_unreached_ = false;
  bool is_first_set_ = true;
  bool is_first_row_ = true;
};

}  // namespace

std::unique_ptr<ReachPrinter> reach_json(Sink sink, const std::string& scenario_name, const ReachShown& shown) {
  return std::make_unique<JsonPrinter>(std::move(sink), scenario_name, shown);
}

}  // namespace podwire::report
