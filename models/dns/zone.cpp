// Answering questions from the cluster's records.
#include "models/dns/zone.hpp"

#include <algorithm>
#include <optional>

#include "sim/base/check.hpp"

namespace podwire::dns {

using cluster::Backend;
using cluster::Service;
using cluster::ServiceId;
using cluster::ServicePort;

namespace {

constexpr int kMostLinks = 10;  // CNAMEs that CoreDNS follows

Answer with_code(Rcode rcode) {
  Answer answer;
  answer.rcode = rcode;
  return answer;
}

bool is_of_type(const IpAddress& address, RecordType type) {
  return type == (address.is_v4() ? RecordType::a : RecordType::aaaa);
}

bool asks_for_address(RecordType type) {
  return type == RecordType::a || type == RecordType::aaaa;
}

void add_address(Answer& answer, const IpAddress& address, RecordType type) {
  if (is_of_type(address, type) &&
      std::find(answer.addresses.begin(), answer.addresses.end(), address) == answer.addresses.end()) {
    answer.addresses.push_back(address);
  }
}

/// Takes the last label off `rest`.
std::string_view take_label(std::string_view& rest) {
  const std::size_t dot = rest.rfind('.');
  const std::string_view label = dot == std::string_view::npos ? rest : rest.substr(dot + 1);
  rest = dot == std::string_view::npos ? std::string_view() : rest.substr(0, dot);
  return label;
}

std::string_view without_underscore(std::string_view label) {
  return label.starts_with('_') ? label.substr(1) : label;
}

/// What an EndpointSlice says of readiness: a terminating pod is not ready, unless unready addresses are published.
bool is_ready(const cluster::Cluster& cluster, const Service& service, const Backend& backend) {
  if (backend.ip.is_unspecified()) {
    return false;
  }
  if (service.publishes_not_ready) {
    return true;
  }
  const bool is_leaving =
      backend.is_terminating || (backend.pod.is_valid() && cluster.pods[backend.pod.index()].is_terminating);
  return backend.is_ready && !is_leaving;
}

bool is_port(const ServicePort& port, std::string_view name, std::string_view protocol) {
  if (name.empty() && protocol.empty()) {
    return true;
  }
  return normalized(port.name) == name && normalized(to_string(port.protocol)) == protocol;
}

/// "1.0.96.10" of 1.0.96.10.in-addr.arpa, turned round; nothing when it is no whole address.
std::optional<IpAddress> reverse_address(std::string_view name) {
  constexpr std::string_view kSuffix = ".in-addr.arpa";
  if (!name.ends_with(kSuffix)) {
    return std::nullopt;
  }
  std::string_view rest = name.substr(0, name.size() - kSuffix.size());
  std::string text;
  while (!rest.empty()) {
    text += (text.empty() ? "" : ".") + std::string(take_label(rest));
  }
  return IpAddress::parse(text);
}

}  // namespace

std::string_view to_string(RecordType type) {
  constexpr std::string_view kNames[] = {"A", "AAAA", "SRV", "PTR", "TXT", "CNAME"};
  return kNames[static_cast<std::size_t>(type)];
}

std::string_view to_string(Rcode rcode) {
  switch (rcode) {
    case Rcode::noerror:
      return "NOERROR";
    case Rcode::servfail:
      return "SERVFAIL";
    case Rcode::nxdomain:
      return "NXDOMAIN";
    case Rcode::refused:
      return "REFUSED";
  }
  return "";
}

std::string endpoint_label(const Backend& backend) {
  if (!backend.hostname.empty()) {
    return normalized(backend.hostname);
  }
  std::string label = backend.ip.to_string();
  std::replace(label.begin(), label.end(), '.', '-');
  std::replace(label.begin(), label.end(), ':', '-');
  return label;
}

Zone::Zone(const cluster::Cluster& cluster, NameTable& names, ExternalRecords externals)
    : cluster_(&cluster), names_(names), domain_(normalized(cluster.cluster_domain)), externals_(std::move(externals)) {
  for (std::size_t i = 0; i < cluster.namespaces.size(); ++i) {
    namespaces_.emplace(normalized(cluster.namespaces[i].name), cluster::NamespaceId(i));
  }
  for (std::size_t i = 0; i < cluster.services.size(); ++i) {
    const Service& service = cluster.services[i];
    services_.emplace(normalized(service.name + "." + cluster.namespaces[service.name_space.index()].name),
                      ServiceId(i));
  }
  for (const Rcode rcode : {Rcode::refused, Rcode::servfail}) {  // refused() and servfail()
    answers_.push_back(with_code(rcode));
    answers_.back().message_bytes = answers_.back().compressed_bytes = query_bytes(domain_);
  }
}

void Zone::update(const cluster::Cluster& cluster) {
  cluster_ = &cluster;
  by_question_.clear();
}

AnswerId Zone::resolve(NameId name, RecordType type, Scope scope) {
  const std::uint64_t key =
      std::uint64_t{name.value()} << 8 | static_cast<std::uint64_t>(scope) << 4 | static_cast<std::uint64_t>(type);
  const auto found = by_question_.find(key);
  if (found != by_question_.end()) {
    return found->second;
  }
  const std::string_view text = names_[name];
  Answer answer = scope == Scope::cluster ? make(text, type, 0) : make_external(text, type);
  if (scope == Scope::cluster && answer.is_forwarded) {
    answer.ttl = std::clamp(answer.ttl, kLeastCachedTtl, kMostCachedTtl);
  }
  measure(text, answer, type);
  if (answer.is_assumed) {
    assumed_.push_back(name);
  }
  const AnswerId id(answers_.size());
  answers_.push_back(std::move(answer));
  by_question_.emplace(key, id);
  return id;
}

Answer Zone::make(std::string_view name, RecordType type, int links) const {
  if (is_within(name, domain_)) {
    return make_in_zone(name, type, links);
  }
  if (is_within(name, "in-addr.arpa")) {
    return make_reverse(name, type);
  }
  return make_external(name, type);
}

Zone::Parsed Zone::parse(std::string_view rest, Request& request) const {
  if (rest.empty()) {
    return Parsed::no_data;  // the zone itself
  }
  const std::string_view kind = take_label(rest);
  if (kind != "svc" && kind != "pod") {
    return Parsed::no_such_name;
  }
  request.is_pod = kind == "pod";
  if (rest.empty()) {
    return Parsed::no_data;
  }
  request.name_space = take_label(rest);
  if (!namespaces_.contains(std::string(request.name_space))) {
    return Parsed::no_such_name;
  }
  if (rest.empty()) {
    return Parsed::no_data;  // the namespace exists
  }
  request.service = take_label(rest);
  if (rest.empty()) {
    return Parsed::request;
  }
  const std::string_view last = take_label(rest);
  if (rest.empty()) {
    request.endpoint = last;
    return Parsed::request;
  }
  request.protocol = without_underscore(last);
  request.port = without_underscore(take_label(rest));
  return rest.empty() ? Parsed::request : Parsed::no_such_name;
}

Answer Zone::make_in_zone(std::string_view name, RecordType type, int links) const {
  const std::string_view below = name.size() == domain_.size() ? "" : name.substr(0, name.size() - domain_.size() - 1);
  if (below == "dns-version") {
    Answer answer;
    if (type == RecordType::txt) {
      answer.texts = {"1.1.0"};
    }
    return answer;
  }
  Request request;
  switch (parse(below, request)) {
    case Parsed::no_data:
      return with_code(Rcode::noerror);
    case Parsed::no_such_name:
      return with_code(Rcode::nxdomain);
    case Parsed::request:
      break;
  }
  if (request.is_pod) {
    return make_pod(request, type);
  }
  const auto found = services_.find(std::string(request.service) + "." + std::string(request.name_space));
  if (found == services_.end() || !cluster_->services[found->second.index()].is_there) {
    return with_code(Rcode::nxdomain);
  }
  return make_service(cluster_->services[found->second.index()], request, type, links);
}

Answer Zone::make_pod(const Request& request, RecordType type) const {
  std::string text(request.service);
  const bool is_v4 = std::count(text.begin(), text.end(), '-') == 3 && text.find("--") == std::string::npos;
  std::replace(text.begin(), text.end(), '-', is_v4 ? '.' : ':');
  const auto address = IpAddress::parse(text);
  if (!address) {
    return with_code(Rcode::nxdomain);
  }
  Answer answer;
  add_address(answer, *address, type);
  return answer;
}

Answer Zone::make_service(const Service& service, const Request& request, RecordType type, int links) const {
  if (service.type == cluster::ServiceType::external_name) {
    const bool is_exact = request.endpoint.empty() && request.port.empty() && request.protocol.empty();
    return is_exact ? make_alias(service, type, links) : with_code(Rcode::nxdomain);
  }
  bool is_found = false;
  Answer answer;
  if (!service.is_headless && request.endpoint.empty()) {
    for (const ServicePort& port : service.ports) {
      if (is_port(port, request.port, request.protocol)) {
        is_found = true;
        add_address(answer, service.cluster_ip, type);
        if (type == RecordType::srv) {
          answer.services.push_back(
              {100, port.port, normalized(service.name) + "." + std::string(request.name_space) + ".svc." + domain_});
        }
      }
    }
    // A Service of no port at all still has its address.
    if (service.ports.empty() && request.port.empty() && request.protocol.empty()) {
      is_found = true;
      add_address(answer, service.cluster_ip, type);
    }
    return is_found ? answer : with_code(Rcode::nxdomain);
  }
  const auto add_backend = [&](const Backend& backend) {
    const std::string label = endpoint_label(backend);
    if (!is_ready(*cluster_, service, backend) || (!request.endpoint.empty() && label != request.endpoint)) {
      return;
    }
    is_found = true;
    add_address(answer, backend.ip, type);
    if (type == RecordType::srv && backend.port.is_valid()) {
      answer.services.push_back(
          {100, backend.port,
           label + "." + normalized(service.name) + "." + std::string(request.name_space) + ".svc." + domain_});
    }
  };
  for (const ServicePort& port : service.ports) {
    if (is_port(port, request.port, request.protocol)) {
      std::for_each(port.backends.begin(), port.backends.end(), add_backend);
    }
  }
  if (request.port.empty() && request.protocol.empty()) {
    std::for_each(service.portless_backends.begin(), service.portless_backends.end(), add_backend);
  }
  return is_found ? answer : with_code(Rcode::nxdomain);
}

Answer Zone::make_alias(const Service& service, RecordType type, int links) const {
  Answer answer;
  const std::string target = normalized(service.external_name);
  if (target.empty() || links >= kMostLinks) {
    return answer;
  }
  if (type == RecordType::cname) {
    answer.cnames = {target};
    return answer;
  }
  if (!asks_for_address(type)) {
    return answer;
  }
  const bool is_inside = is_within(target, domain_);
  Answer next = make(target, type, links + 1);
  answer.is_forwarded = next.is_forwarded;
  answer.is_assumed = next.is_assumed;
  answer.ttl = std::min(answer.ttl, next.ttl);
  if (is_inside && next.addresses.empty()) {
    return answer;  // a target inside the zone that yields nothing: the answer section stays empty
  }
  answer.cnames.push_back(target);
  answer.cnames.insert(answer.cnames.end(), next.cnames.begin(), next.cnames.end());
  answer.addresses = std::move(next.addresses);
  return answer;
}

Answer Zone::make_reverse(std::string_view name, RecordType type) const {
  const auto address = reverse_address(name);
  Answer answer;
  if (address) {
    for (const Service& service : cluster_->services) {
      if (service.is_there && !service.cluster_ip.is_unspecified() && service.cluster_ip == *address) {
        answer.texts.push_back(
            normalized(service.name + "." + cluster_->namespaces[service.name_space.index()].name + ".svc") + "." +
            domain_);
      }
    }
    if (answer.texts.empty()) {  // endpoints only when no ClusterIP matches; one name for each Service that owns it
      for (const Service& service : cluster_->services) {
        if (!service.is_there) {
          continue;
        }
        const std::string& name_space = cluster_->namespaces[service.name_space.index()].name;
        bool is_found = false;
        const auto look_at = [&](const Backend& backend) {
          if (!is_found && backend.ip == *address && is_ready(*cluster_, service, backend)) {
            is_found = true;
            answer.texts.push_back(endpoint_label(backend) + "." +
                                   normalized(service.name + "." + name_space + ".svc") + "." + domain_);
          }
        };
        for (const ServicePort& port : service.ports) {
          std::for_each(port.backends.begin(), port.backends.end(), look_at);
        }
        std::for_each(service.portless_backends.begin(), service.portless_backends.end(), look_at);
      }
    }
  }
  if (answer.texts.empty()) {
    return make_external(name, type);  // fallthrough in-addr.arpa, then forward
  }
  if (type != RecordType::ptr) {
    answer.texts.clear();
  }
  return answer;
}

Answer Zone::make_external(std::string_view name, RecordType type) const {
  Answer answer;
  answer.is_authoritative = false;
  answer.is_forwarded = true;
  const auto found = externals_.find(std::string(name));
  if (found == externals_.end()) {
    answer.rcode = Rcode::nxdomain;
    answer.is_assumed = asks_for_address(type);
    return answer;
  }
  answer.ttl = found->second.ttl;
  for (const IpAddress& address : found->second.addresses) {
    add_address(answer, address, type);
  }
  return answer;
}

void Zone::measure(std::string_view name, Answer& answer, RecordType type) const {
  // Header, question, then each record as name + type 2 + class 2 + TTL 4 + length 2 + data; compressed, the name is a
  // pointer of 2 bytes. Checked against captures: `kubernetes.default.svc.cluster.local` A asks with 54 bytes, is
  // answered with 106; its NXDOMAIN carries an SOA of 93 bytes.
  constexpr std::uint32_t kFixed = 10;
  std::uint32_t full = query_bytes(name);
  std::uint32_t compressed = full;
  const auto add = [&](std::uint32_t owner_bytes, std::uint32_t data_bytes) {
    full += owner_bytes + kFixed + data_bytes;
    compressed += 2 + kFixed + data_bytes;
  };
  std::string_view owner = name;
  for (const std::string& target : answer.cnames) {
    add(encoded_bytes(owner), encoded_bytes(target));
    owner = target;
  }
  for (const IpAddress& address : answer.addresses) {
    add(encoded_bytes(owner), address.is_v4() ? 4 : 16);
  }
  for (const ServiceRecord& record : answer.services) {
    add(encoded_bytes(owner), 6 + encoded_bytes(record.target));
  }
  for (const std::string& text : answer.texts) {
    add(encoded_bytes(owner),
        type == RecordType::txt ? static_cast<std::uint32_t>(text.size()) + 1 : encoded_bytes(text));
  }
  if (answer.is_authoritative && !answer.has_records()) {
    add(encoded_bytes(domain_), encoded_bytes("ns.dns." + domain_) + encoded_bytes("hostmaster." + domain_) + 20);
  }
  const auto weight = answer.services.empty() ? std::size_t{100} : 100 / answer.services.size();
  for (ServiceRecord& record : answer.services) {
    record.weight = static_cast<std::uint16_t>(weight);
  }
  answer.message_bytes = full;
  answer.compressed_bytes = compressed;
}

std::vector<std::string> Zone::assumed_names() const {
  std::vector<std::string> names;
  for (const NameId id : assumed_) {
    names.emplace_back(names_[id]);
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

std::size_t Zone::memory_bytes() const {
  return answers_.capacity() * sizeof(Answer) + by_question_.size() * 24 + services_.size() * 64;
}

}  // namespace podwire::dns
