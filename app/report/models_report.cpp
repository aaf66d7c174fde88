#include "app/report/models_report.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "app/report/escape.hpp"
#include "models/control/programming.hpp"
#include "models/dns/options.hpp"
#include "models/transport/transport.hpp"
#include "models/workload/spec.hpp"
#include "sim/base/text.hpp"

namespace podwire::report {
namespace {

using cni::Certainty;
using nlohmann::ordered_json;

// A group being filled.
class Group {
 public:
  Group(std::string name, std::string title) { group_.name = std::move(name), group_.title = std::move(title); }
  Group& add(std::string path, std::string value, std::string unit, Certainty certainty, std::string source,
             std::string description) {
    group_.parameters.push_back(
        {std::move(path), std::move(value), std::move(unit), certainty, std::move(source), std::move(description)});
    return *this;
  }
  ModelGroup done() const { return group_; }

 private:
  ModelGroup group_;
};

std::string gbps(BitRate rate) {
  return fmt::format("{}", rate.bps() / 1'000'000'000);
}
std::string microseconds(Duration time) {
  return fmt::format("{:g}", time.seconds() * 1e6);
}
std::string milliseconds(Duration time) {
  return fmt::format("{:g}", time.seconds() * 1e3);
}

ModelGroup underlay_group() {
  const workload::UnderlaySpec defaults;
  return Group("underlay", "The nodes' network (cluster.underlay)")
      .add("nodeRate", gbps(defaults.host_rate), "Gbit/s", Certainty::guess, "common servers", "link from node to leaf")
      .add("fabricRate", gbps(defaults.fabric_rate), "Gbit/s", Certainty::guess, "common leaf-spine fabrics",
           "link from leaf to spine")
      .add("propagation", microseconds(defaults.propagation), "us", Certainty::derived, "5 ns/m over 100 m of fibre",
           "of each link, one way")
      .add("switchLatency", microseconds(defaults.switch_latency), "us", Certainty::guess,
           "cut-through 0.3-1 us, store-and-forward 2-5 us, by vendors' data sheets", "of each switch")
      .add("buffer", fmt::format("{}", defaults.port_buffer.count()), "B", Certainty::guess, "shallow-buffer switches",
           "drop-tail, of each output port")
      .add("mtu", fmt::format("{}", defaults.mtu.count()), "B", Certainty::published, "IEEE 802.3",
           "of nodes and links")
      .add("loss", fmt::format("{:g}", defaults.loss), "", Certainty::guess, "loss comes from full queues",
           "probability for each packet and link")
      .add("edgeDelay", milliseconds(defaults.edge_delay), "ms", Certainty::guess, "a client of the same region",
           "one way, between the cluster's edge and addresses outside")
      .done();
}

ModelGroup transport_group() {
  const transport::TransportOptions defaults;
  return Group("transport", "TCP and UDP sockets, as Linux has them")
      .add("initialWindow", fmt::format("{}", defaults.initial_window), "segments", Certainty::published, "RFC 6928",
           "sent before the first acknowledgement")
      .add("minimumRto", milliseconds(defaults.minimum_rto), "ms", Certainty::published, "linux include/net/tcp.h",
           "least retransmission timeout")
      .add("maximumRto", milliseconds(defaults.maximum_rto), "ms", Certainty::published, "linux include/net/tcp.h",
           "greatest retransmission timeout")
      .add("synSchedule", "1,1,1,1,1,2,4,8,16,32,64", "s", Certainty::published,
           "linux 6.5, tcp_syn_linear_timeouts 4; ip-sysctl.rst", "waits between SYNs")
      .add("synAckRetries", fmt::format("{}", defaults.syn_ack_retries), "", Certainty::published,
           "linux ip-sysctl.rst, tcp_synack_retries", "")
      .add("dataRetries", fmt::format("{}", defaults.data_retries), "", Certainty::published,
           "linux ip-sysctl.rst, tcp_retries2", "")
      .done();
}

ModelGroup dns_group() {
  ModelGroup group = Group("dns", "CoreDNS and the pods' resolvers (glibc)").done();
  group.parameters = dns::parameters();
  return group;
}

ModelGroup control_group() {
  ModelGroup group = Group("control", "how long changes take to reach Service rules and DNS").done();
  group.parameters = control::parameters();
  return group;
}

}  // namespace

std::vector<ModelGroup> model_groups(const std::vector<cni::Profile>& profiles, bool with_others) {
  std::vector<ModelGroup> groups;
  for (const cni::Profile& profile : profiles) {
    groups.push_back({.name = profile.name,
                      .title = profile.title,
                      .timing = profile.timing,
                      .versions = (profile.plugin.empty() ? "" : profile.plugin + " ") + profile.versions.to_string(),
                      .versions_source = profile.versions.source,
                      .parameters = profile.parameters});
  }
  if (with_others) {
    groups.push_back(underlay_group());
    groups.push_back(transport_group());
    groups.push_back(dns_group());
    groups.push_back(control_group());
  }
  return groups;
}

std::string models_overview(const std::vector<ModelGroup>& groups, const Style& style) {
  TextTable profiles;
  for (const char* title : {"profile", "versions", "timing", "what"}) {
    profiles.column(title);
  }
  std::vector<ModelGroup> others;
  for (const ModelGroup& group : groups) {
    if (group.timing.empty()) {
      others.push_back(group);
    } else {
      profiles.row({printable(group.name), printable(group.versions), group.timing, printable(group.title)});
    }
  }
  TextTable fields;
  fields.column("value of a profile");
  fields.column("values");
  fields.column("spec", Align::right);
  fields.column("unit");
  fields.column("meaning");
  for (const cni::FieldDoc& doc : cni::field_docs()) {
    fields.row({doc.path, doc.values, doc.standard, doc.unit, doc.description});
  }
  return fmt::format(
      "{}  `podwire models NAME` lists one with its sources; calico and cilium stand for the vxlan ones\n{}\n{}"
      "  what a scenario may change: cni: {{profile: NAME, policy: {{…}}, overrides: {{…}}}}\n{}\n{}",
      style.bold("CNI profiles"), profiles.to_string(2, style), style.bold("what profiles say"),
      fields.to_string(2, style), models_table(others, style));
}

std::string models_table(const std::vector<ModelGroup>& groups, const Style& style) {
  std::string out;
  for (const ModelGroup& group : groups) {
    out += fmt::format("{}{}  {}{}\n", out.empty() ? "" : "\n", style.bold(printable(group.name)),
                       printable(group.title), group.timing.empty() ? "" : fmt::format("  [timing: {}]", group.timing));
    if (!group.versions.empty()) {
      out += fmt::format("  holds for {} ({})\n", printable(group.versions), printable(group.versions_source));
    }
    TextTable table;
    table.column("parameter");
    table.column("value", Align::right);
    table.column("unit");
    table.column("certainty");
    table.column("source");
    for (const cni::Parameter& parameter : group.parameters) {
      const std::string certainty(to_string(parameter.certainty));
      table.row({printable(parameter.path), printable(parameter.value, 40), printable(parameter.unit),
                 parameter.certainty == cni::Certainty::guess ? style.doubtful(certainty) : certainty,
                 printable(parameter.source)});
    }
    out += table.to_string(2, style);
  }
  return out;
}

std::string models_json(const std::vector<ModelGroup>& groups) {
  ordered_json models = ordered_json::array();
  for (const ModelGroup& group : groups) {
    ordered_json parameters = ordered_json::array();
    for (const cni::Parameter& parameter : group.parameters) {
      parameters.push_back({{"path", parameter.path},
                            {"value", parameter.value},
                            {"unit", parameter.unit},
                            {"certainty", to_string(parameter.certainty)},
                            {"source", parameter.source},
                            {"description", parameter.description}});
    }
    models.push_back({{"name", group.name},
                      {"title", group.title},
                      {"timing", group.timing},
                      {"versions", group.versions},
                      {"versionsSource", group.versions_source},
                      {"parameters", std::move(parameters)}});
  }
  const ordered_json object{{"apiVersion", "podwire/v1"}, {"models", std::move(models)}};
  return object.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

std::string models_csv(const std::vector<ModelGroup>& groups) {
  std::string out = "model,parameter,value,unit,certainty,source,description\n";
  for (const ModelGroup& group : groups) {
    for (const cni::Parameter& parameter : group.parameters) {
      out += csv_line({group.name, parameter.path, parameter.value, parameter.unit,
                       std::string(to_string(parameter.certainty)), parameter.source, parameter.description});
    }
  }
  return out;
}

std::string version_json(const Version& version) {
  const ordered_json object{{"apiVersion", "podwire/v1"},
                            {"version", version.version},
                            {"build", version.build},
                            {"compiler", version.compiler}};
  return object.dump(2) + "\n";
}

std::string version_csv(const Version& version) {
  return "version,build,compiler\n" + csv_line({version.version, version.build, version.compiler});
}

}  // namespace podwire::report
