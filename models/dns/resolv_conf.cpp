// Composing a pod's resolv.conf: the base by policy, dnsConfig laid over it, then the kubelet's limits.
#include "models/dns/resolv_conf.hpp"

#include <algorithm>
#include <charconv>

#include "models/dns/names.hpp"

namespace podwire::dns {

using cluster::DnsPolicy;

namespace {

using Options = std::vector<std::pair<std::string, std::string>>;

constexpr std::size_t kMostNameservers = 3;
constexpr std::size_t kMostSearches = 32;
constexpr std::size_t kMostSearchCharacters = 2048;  // joined by spaces
constexpr std::size_t kMostSearchEntryCharacters = 253;

/// The file before it is read: what the kubelet composes.
struct Composed {
  std::vector<std::string> nameservers;
  std::vector<std::string> searches;
  Options options;
};

void append_unique(std::vector<std::string>& list, const std::string& item) {
  if (std::find(list.begin(), list.end(), item) == list.end()) {
    list.push_back(item);
  }
}

void set_option(Options& options, const std::string& name, const std::string& value) {
  for (auto& [known, old] : options) {
    if (known == name) {
      old = value;
      return;
    }
  }
  options.emplace_back(name, value);
}

Composed from_host(const HostResolvConf& host) {
  Composed result;
  for (const IpAddress& address : host.nameservers) {
    result.nameservers.push_back(address.to_string());
  }
  result.searches = host.searches;
  result.options = host.options;
  return result;
}

Composed from_cluster(const std::string& name_space, const std::vector<IpAddress>& cluster_dns,
                      const std::string& domain, const HostResolvConf& host) {
  Composed result;
  for (const IpAddress& address : cluster_dns) {
    result.nameservers.push_back(address.to_string());  // the host's servers are dropped
  }
  append_unique(result.searches, name_space + ".svc." + domain);
  append_unique(result.searches, "svc." + domain);
  append_unique(result.searches, domain);
  for (const std::string& entry : host.searches) {
    append_unique(result.searches, entry);
  }
  result.options = {{"ndots", "5"}};  // the host's options are dropped
  return result;
}

void merge(Composed& composed, const cluster::DnsConfig& extra) {
  for (const std::string& address : extra.nameservers) {
    append_unique(composed.nameservers, address);
  }
  for (const std::string& entry : extra.searches) {
    append_unique(composed.searches, entry);
  }
  for (const auto& [name, value] : extra.options) {
    set_option(composed.options, name, value);
  }
}

/// Cuts from the end what the kubelet would cut.
void limit(Composed& composed, std::vector<std::string>& dropped) {
  while (composed.nameservers.size() > kMostNameservers) {
    dropped.push_back("nameserver " + composed.nameservers.back());
    composed.nameservers.pop_back();
  }
  std::erase_if(composed.searches, [&](const std::string& entry) {
    const bool is_too_long = entry.size() > kMostSearchEntryCharacters;
    if (is_too_long) {
      dropped.push_back("a search domain of " + std::to_string(entry.size()) + " characters");
    }
    return is_too_long;
  });
  const auto joined_size = [&] {
    std::size_t size = composed.searches.empty() ? 0 : composed.searches.size() - 1;
    for (const std::string& entry : composed.searches) {
      size += entry.size();
    }
    return size;
  };
  while (composed.searches.size() > kMostSearches || joined_size() > kMostSearchCharacters) {
    dropped.push_back("search domain " + composed.searches.back());
    composed.searches.pop_back();
  }
}

std::uint32_t number(const std::string& text, std::uint32_t most) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc::result_out_of_range) {
    return most;
  }
  return error == std::errc() ? std::min(value, most) : 0;  // atoi: what is no number is 0
}

/// What glibc's res_init makes of the file.
ResolvConf read(const Composed& composed) {
  ResolvConf conf;
  for (const std::string& text : composed.nameservers) {
    if (const auto address = IpAddress::parse(text)) {
      conf.nameservers.push_back(*address);
    }
  }
  for (const std::string& entry : composed.searches) {
    conf.searches.push_back(normalized(entry));
  }
  for (const auto& [name, value] : composed.options) {
    if (name == "ndots") {
      conf.ndots = number(value, 15);
    } else if (name == "timeout") {
      conf.timeout_s = number(value, 30);
    } else if (name == "attempts") {
      conf.attempts = number(value, 5);
    } else if (name == "rotate") {
      conf.rotates = true;
    } else if (name == "single-request") {
      conf.is_single_request = true;
    } else if (name == "single-request-reopen") {
      conf.is_single_request_reopen = true;
    } else if (name == "use-vc") {
      conf.uses_tcp = true;
    }
  }
  return conf;
}

}  // namespace

ResolvConf resolv_conf(const cluster::PodTemplate& pod, const std::string& name_space,
                       const std::vector<IpAddress>& cluster_dns, const std::string& cluster_domain,
                       const HostResolvConf& host) {
  const bool wants_cluster = pod.dns_policy == DnsPolicy::cluster_first_with_host_net ||
                             (pod.dns_policy == DnsPolicy::cluster_first && !pod.is_host_network);
  Composed composed;
  if (pod.dns_policy == DnsPolicy::none) {
    // dnsConfig alone
  } else if (wants_cluster && !cluster_dns.empty()) {
    composed = from_cluster(name_space, cluster_dns, cluster_domain, host);
  } else {
    composed = from_host(host);
  }
  merge(composed, pod.dns_config);
  std::vector<std::string> dropped;
  limit(composed, dropped);
  ResolvConf conf = read(composed);
  conf.dropped = std::move(dropped);
  return conf;
}

ResolvConf resolv_conf(const HostResolvConf& host) {
  return read(from_host(host));
}

}  // namespace podwire::dns
