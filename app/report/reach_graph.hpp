// What drawings of `podwire reach` have in common: arrows are written as they come; then namespaces with the ends that
// were drawn (all of them, when nothing was narrowed). Kept: which ends were drawn, at most one bit for each.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "app/report/reach_report.hpp"

namespace podwire::report {

class ReachGraph : public ReachPrinter {
 public:
  ReachGraph(Sink sink, const ReachShown& shown) : sink_(std::move(sink)), shown_(shown) {}

  void begin_set(const std::string& name, const Basis& basis, const cluster::Cluster& cluster) final;
  void row(const analysis::ReachRow& row) final;
  void entry_points(const std::vector<analysis::EntryRow>& rows) final;
  void exposure(const analysis::ExposureLine& line) final;
  void unreached(const analysis::UnreachedUse& use) final;
  void uses(const ReachUses& uses) final;
  void end_set(const analysis::ReachSummary& summary) final;

 protected:
  enum class Line : std::uint8_t { solid, dashed, denied };  // dashed: perhaps, or not always

  virtual void open(const std::string& name) = 0;
  virtual void arrow(const std::string& from, const std::string& to, const std::string& label, Line line) = 0;
  virtual void begin_namespace(std::size_t number, const std::string& name) = 0;
  virtual void node(const std::string& id, const std::string& label) = 0;
  virtual void outside_node(const std::string& id, const std::string& label) = 0;
  virtual void end_namespace() = 0;
  virtual void note(const std::string& text) = 0;
  virtual void close() = 0;

  Sink sink_;

 private:
  std::string id_of(const analysis::ReachEnd& end);
  std::string workload_id(cluster::WorkloadId workload);
  std::string outside_id(std::string_view label);
  void write_namespaces();

  ReachShown shown_;
  const cluster::Cluster* cluster_ = nullptr;
  std::vector<bool> is_drawn_;                                // by workload, or by pod at pod level
  std::vector<std::pair<std::string, std::string>> outside_;  // label, id; sorted: ranges, controllers, regions
};

}  // namespace podwire::report
