// Connections that applications say they make (in their environment, say), judged under the policies in force and under
// a candidate's: evidence of its own beside recorded flows, never counted as flows and without a backtest.
//
// A declared connection leads from every pod of a workload to every end that its name stands for: it is allowed when
// all pairs are, denied when some pair is (then `is_partly` says that others are not), else unknown. Ends outside whose
// address nobody tells are judged as every address outside: known where all fare alike.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "models/analysis/impact.hpp"
#include "models/flows/mapping.hpp"
#include "models/policy/engine.hpp"

namespace podwire::analysis {

/// Where a connection is declared.
struct DeclaredPlace {
  std::string name;  // "BACKEND_URL", "args[1]"
  std::string text;  // "http://backend-api.backend:80", without credentials
  Span span;
};

struct DeclaredConnection {
  cluster::WorkloadId source = {};
  std::string destination;  // "shop/api (Service)", "shop/db[StatefulSet]", "198.51.100.7[External]"
  std::string host;         // as the client types it
  bool is_lookup = false;   // of the names: to the cluster's DNS
  bool is_outside = false;  // a name outside the cluster whose addresses are not known
  std::vector<flows::End> ends;
  IpProtocol protocol = IpProtocol::tcp;
  Port port;
  std::string port_source;  // who says so, where no text does: "IANA", "the Service's only port"
  std::vector<DeclaredPlace> places;
};

/// One side's word on a declared connection; for reach and impact.
class DeclaredJudge {
 public:
  explicit DeclaredJudge(policy::PolicyEngine& engine);
  ~DeclaredJudge();
  ImpactSide judge(const DeclaredConnection& connection, bool& is_partly);
  ImpactSide judge(const flows::End& source, const flows::End& destination, IpProtocol protocol, Port port);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

struct DeclaredRow {
  ImpactOutcome outcome = ImpactOutcome::unknown;
  ImpactDoubt doubt = ImpactDoubt::none;
  std::string source;  // "frontend/frontend[Deployment]"
  DeclaredConnection connection;
  std::optional<ImpactSide> before;  // none: only the candidate declares it
  ImpactSide after;
  bool is_partly = false;            // not between all pods
  std::optional<bool> was_recorded;  // whether flows took this way; none: no flows, or it cannot be told
};

/// Flows between workloads of the cluster that nobody declares.
struct UndeclaredPair {
  std::string source;
  std::string destination;
  flows::FlowProtocol protocol = flows::FlowProtocol::tcp;
  std::uint16_t port = 0;
  ImpactSeen seen;
};

struct DeclaredImpact {
  std::vector<DeclaredRow> rows;  // by outcome, then by source, destination and port
  std::array<std::uint64_t, kImpactOutcomes> totals{};
  std::uint64_t no_longer = 0;             // declared in the dump, and not under the candidate: not judged
  std::vector<UndeclaredPair> undeclared;  // most flows first
  std::uint64_t declared_in_cluster = 0;   // rows whose way can be told in flows
  std::uint64_t without_flow = 0;          // of those
};

/// `meant_before` and `meant_after` are declared in the clusters of the two engines; connections are the same when
/// source, destination, protocol and port are. One that only the candidate declares has no word before: it is newly
/// denied when the candidate denies it.
DeclaredImpact judge_declared(policy::PolicyEngine& before, policy::PolicyEngine& after,
                              std::span<const DeclaredConnection> meant_before,
                              std::span<const DeclaredConnection> meant_after);

/// Compares with what flows took: fills was_recorded, undeclared and the counts. Flows to and from outside, nodes and
/// the cluster's DNS are left out: nobody declares those. `cluster`: the candidate's.
void compare_with_flows(DeclaredImpact& declared, const ImpactReport& recorded, const cluster::Cluster& cluster);

}  // namespace podwire::analysis
