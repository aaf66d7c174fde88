// The simulated experiment: the timed resolver of models/dns on a machine of a bare cluster, asking name servers
// outside that answer by the same table. Queries and answers cross the simulated network as real ones would.
#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "models/dns/resolver.hpp"
#include "tests/linux/dns/script.hpp"

namespace podwire::kernel {

class ModelExperiment {
 public:
  explicit ModelExperiment(const Script& script)
      : script_(script),
        cluster_(bare_cluster()),
        underlay_(underlay_options()),
        network_(
            simulator_,
            {.cluster = &cluster_, .profile = &profile_, .engine = nullptr, .log = nullptr, .underlay = &underlay_},
            {}),
        transport_(simulator_, network_, transport_options()),
        zone_(cluster_, names_, externals(script)),
        resolver_(simulator_, transport_, cluster_, names_, zone_, dns_options(script)) {
    resolver_.on_result<&ModelExperiment::on_result>(*this);
    server_application_ = transport_.add_application<&ModelExperiment::on_datagram>(*this);
    for (unsigned s = 0; s < script.servers; ++s) {
      const dataplane::ExternalId id = network_.external(server_address(s));
      servers_by_end_[dataplane::End::external(id)] = s;
      if (!script.is_closed(s)) {
        transport_.serve(dataplane::End::external(id), IpProtocol::udp, Port(53), server_application_);
      }
    }
  }

  Record play() {
    dns::LookupOptions options;
    options.client = dataplane::End::node(cluster::NodeId(0u));
    options.host = resolver_.intern_host(script_.host);
    options.identity = 7;
    resolver_.start(options);
    simulator_.run_until(Time() + Duration::from_s(600));
    return record_;
  }

 private:
  static cluster::Cluster bare_cluster() {
    cluster::ClusterOptions options;
    options.node_count = 1;
    return std::move(cluster::build_cluster(cluster::ObjectStore(), options)).value();
  }
  static topology::UnderlayOptions underlay_options() {
    topology::UnderlayOptions options;
    options.hosts = 1;
    options.edge_link.propagation = Duration::from_us(10);
    return options;
  }
  static transport::TransportOptions transport_options() {
    transport::TransportOptions options;
    options.outside_listens = false;  // a server that does not serve refuses
    return options;
  }
  static IpAddress server_address(unsigned server) { return IpAddress::v4(198, 51, 100, server + 1); }
  static dns::ExternalRecords externals(const Script& script) {
    dns::ExternalRecords records = {{"empty.test", {}}};
    for (unsigned s = 0; s < script.servers; ++s) {
      records["full-" + std::to_string(s) + ".test"] = {*IpAddress::parse(address_of(s, "A")),
                                                        *IpAddress::parse(address_of(s, "AAAA"))};
    }
    return records;
  }
  static dns::DnsOptions dns_options(const Script& script) {
    dns::DnsOptions options;
    options.host = {};
    for (unsigned s = 0; s < script.servers; ++s) {
      options.host.nameservers.push_back(server_address(s));
    }
    options.host.searches = script.searches;
    for (const std::string& option : script.options) {
      const std::size_t colon = option.find(':');
      options.host.options.emplace_back(option.substr(0, colon),
                                        colon == std::string::npos ? "" : option.substr(colon + 1));
    }
    return options;
  }
  double now() const { return static_cast<double>(simulator_.now().ps()) * 1e-12; }

  dns::AnswerId canned(Reply reply, unsigned server, dns::RecordType type) {
    const auto outside = [&](const std::string& name) {
      return zone_.resolve(names_.intern(name), type, dns::Zone::Scope::outside);
    };
    switch (reply) {
      case Reply::addresses:
        return outside("full-" + std::to_string(server) + ".test");
      case Reply::no_data:
        return outside("empty.test");
      case Reply::servfail:
        return zone_.servfail();
      case Reply::refused:
        return zone_.refused();
      case Reply::nxdomain:
      case Reply::silence:
        break;
    }
    return outside("nowhere.test");
  }

  void on_datagram(const transport::Event& event) {
    if (event.kind != transport::EventKind::received) {
      return;
    }
    const dns::Question question = dns::Question::from_tag(event.tag);
    Asked one;
    one.server = servers_by_end_.at(transport_.local_end(event.socket));
    one.name = names_[question.name];
    one.type = question.type == dns::RecordType::a ? "A" : "AAAA";
    one.socket = network_.flow(event.socket).peer.value();
    one.second = now();
    record_.asked.push_back(one);
    const Reply reply = reply_to(script_, one.server, one.name, one.type, times_[{one.server, one.name, one.type}]++);
    if (reply != Reply::silence) {
      const dns::Response response{canned(reply, one.server, question.type), question.type, false};
      transport_.send_datagram(event.socket, 100, response.tag());
    }
  }

  void on_result(const dns::LookupResult& result) {
    record_.seconds = now();
    switch (result.status) {
      case dns::LookupStatus::found: {
        record_.result = {"found"};
        for (const IpAddress& address : result.addresses) {
          record_.result.push_back(address.to_string());
        }
        std::sort(record_.result.begin() + 1, record_.result.end());
        break;
      }
      case dns::LookupStatus::servfail:
      case dns::LookupStatus::timeout:
        record_.result = {"again"};  // EAI_AGAIN stands for both
        break;
      default:
        record_.result = {std::string(to_string(result.status))};
    }
  }

  const Script& script_;
  cluster::Cluster cluster_;
  cni::Profile profile_;
  topology::Underlay underlay_;
  des::Simulator simulator_;
  dataplane::Network network_;
  transport::Transport transport_;
  dns::NameTable names_;
  dns::Zone zone_;
  dns::Resolver resolver_;
  transport::ApplicationId server_application_;
  std::map<dataplane::End, unsigned> servers_by_end_;
  std::map<std::tuple<unsigned, std::string, std::string>, unsigned> times_;
  Record record_;
};

inline Record play_in_model(const Script& script) {
  return ModelExperiment(script).play();
}

}  // namespace podwire::kernel
