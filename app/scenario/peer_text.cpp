#include "app/scenario/peer_text.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <optional>

namespace podwire::scenario {
namespace {

constexpr std::size_t kLongest = 64 << 10;
constexpr std::size_t kMostPeers = 100;  // of one text

bool is_letter(char c) {
  return std::isalpha(static_cast<unsigned char>(c)) != 0;
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}
bool is_host_letter(char c) {
  return is_letter(c) || is_digit(c) || c == '-' || c == '.' || c == '_';
}

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return result;
}

std::optional<Port> read_port(std::string_view text) {
  unsigned number = 0;
  const auto [stop, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool is_port = problem == std::errc() && stop == text.data() + text.size() && number >= 1 && number <= 65535;
  return is_port ? std::optional(Port(static_cast<std::uint16_t>(number))) : std::nullopt;
}

/// A name with a dot whose last label is a word, as names of hosts are and versions are not; or an address.
bool is_dotted(std::string_view host) {
  if (IpAddress::parse(host)) {
    return true;
  }
  const std::size_t dot = host.rfind('.', host.size() - 2);
  return dot != std::string_view::npos && is_letter(host[dot + 1]);
}

/// "api.shop.svc", "api.shop.svc.cluster.local".
bool is_like_service(std::string_view host) {
  const std::string name = lower(host);
  const std::size_t first = name.find('.');
  const std::size_t zone = name.find(".svc.");
  return first != std::string::npos && first > 0 &&
         ((name.ends_with(".svc") && name.size() > first + 4) || (zone != std::string::npos && zone > first));
}

/// "HOST", "HOST:PORT", "[V6]", "[V6]:PORT"; nothing when the text is none of them. What follows a slash is dropped.
std::optional<PeerText> read_host(std::string_view text) {
  text = text.substr(0, text.find('/'));
  PeerText peer;
  std::string_view host = text;
  if (text.starts_with('[')) {
    const std::size_t close = text.find(']');
    if (close == std::string_view::npos || (close + 1 < text.size() && text[close + 1] != ':')) {
      return std::nullopt;
    }
    host = text.substr(1, close - 1);
    if (!IpAddress::parse(host)) {
      return std::nullopt;
    }
    text.remove_prefix(close + 1);
  } else {
    host = text.substr(0, text.find(':'));
    text.remove_prefix(host.size());
  }
  if (!text.empty()) {
    const auto port = read_port(text.substr(1));
    if (!port) {
      return std::nullopt;
    }
    peer.port = *port;
  }
  if (!is_peer_host(host)) {
    return std::nullopt;
  }
  peer.host = host;
  return peer;
}

bool is_scheme(std::string_view text) {
  return !text.empty() && is_letter(text[0]) && std::all_of(text.begin(), text.end(), [](char c) {
    return is_letter(c) || is_digit(c) || c == '+' || c == '-' || c == '.' || c == ':';  // jdbc:postgresql
  });
}

/// Where a URL begins again behind a comma: "http://a:1,http://b:1".
std::size_t next_url(std::string_view text) {
  for (std::size_t comma = text.find(','); comma != std::string_view::npos; comma = text.find(',', comma + 1)) {
    const std::string_view rest = text.substr(comma + 1);
    const std::size_t colon = rest.find("://");
    if (colon != std::string_view::npos && is_scheme(rest.substr(0, colon))) {
      return comma;
    }
  }
  return text.size();
}

class Reader {
 public:
  explicit Reader(std::vector<PeerText>& peers) : peers_(peers) {}

  /// One word: a value as a whole, or one of several.
  void word(std::string_view text, bool is_whole) {
    is_whole_ = is_whole;
    text.remove_prefix(flag_of_value(text).size());
    while (!text.empty() && (text.front() == '"' || text.front() == '\'' || text.front() == '`')) {
      text.remove_prefix(1);
    }
    while (!text.empty() && std::string_view("\"'`;,)&|").find(text.back()) != std::string_view::npos &&
           (!is_whole || text.back() != ')')) {
      text.remove_suffix(1);
    }
    if (const std::size_t at = text.find("@tcp("); at != std::string_view::npos) {  // go-sql-driver/mysql
      const std::string_view rest = text.substr(at + 5);
      add(rest.substr(0, rest.find(')')), "mysql", true);
    } else if (text.find("://") != std::string_view::npos) {
      urls(text);
    } else if (text.starts_with("jdbc:") &&
               text.find('@') != std::string_view::npos) {  // jdbc:oracle:thin:@HOST:1521:x
      oracle(text);
    } else if (text.starts_with("dns:")) {  // gRPC's naming: dns:host:port
      add(text.substr(4), "dns", true);
    } else {
      bare(text);
    }
  }

  /// "host=db port=5432 dbname=x", "Server=tcp:db,1433;Database=x". True when it was one.
  bool pairs(std::string_view text) {
    const char separator = text.find(';') != std::string_view::npos ? ';' : ' ';
    std::string_view host;
    std::string_view port;
    std::size_t count = 0;
    bool is_postgres = false;
    while (!text.empty()) {
      const std::size_t end = text.find(separator);
      const std::string_view part = text.substr(0, end);
      text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
      const std::size_t equals = part.find('=');
      if (equals == std::string_view::npos) {
        continue;
      }
      ++count;
      std::string key = lower(part.substr(0, equals));
      key.erase(0, std::min(key.find_first_not_of(' '), key.size()));
      const std::string_view value = part.substr(equals + 1);
      if (key == "host" || key == "server" || key == "data source" || key == "addr" || key == "address") {
        host = value;
      } else if (key == "port") {
        port = value;
      }
      is_postgres = is_postgres || key == "dbname" || key == "sslmode";
    }
    if (count < 2 || host.empty()) {
      return false;
    }
    if (host.starts_with("tcp:")) {
      host.remove_prefix(4);
    }
    std::string joined(host);
    if (const std::size_t comma = host.find(','); comma != std::string_view::npos) {  // SQL Server writes host,port
      joined[comma] = ':';
    } else if (!port.empty()) {
      joined += ":" + std::string(port);
    }
    is_whole_ = true;
    add(joined, is_postgres ? "postgres" : "", false);
    return true;
  }

 private:
  void urls(std::string_view text) {
    while (!text.empty()) {
      const std::size_t end = next_url(text);
      url(text.substr(0, end));
      text.remove_prefix(std::min(end + 1, text.size()));
    }
  }

  void url(std::string_view text) {
    const std::size_t colon = text.find("://");
    if (colon == std::string_view::npos) {
      return;
    }
    const std::string_view scheme = text.substr(0, colon);
    // Anything may stand in front of "://" in prose: there only known schemes count.
    if (!is_scheme(scheme) || (!is_whole_ && find_peer_scheme(scheme) == nullptr)) {
      return;
    }
    std::string_view rest = text.substr(colon + 3);
    std::string_view authority = rest.substr(0, rest.find_first_of("/?#"));
    const std::string name = lower(scheme);
    if (name == "dns" || name == "passthrough") {  // gRPC: the authority is a DNS server's, the target the path
      rest.remove_prefix(std::min(authority.size() + 1, rest.size()));
      add(rest, name, true);
      return;
    }
    if (const std::size_t at = authority.rfind('@'); at != std::string_view::npos) {
      authority.remove_prefix(at + 1);
    }
    authority = authority.substr(0, authority.find(';'));
    while (!authority.empty()) {
      const std::size_t comma = authority.find(',');
      add(authority.substr(0, comma), scheme, true);
      authority.remove_prefix(comma == std::string_view::npos ? authority.size() : comma + 1);
    }
  }

  void oracle(std::string_view text) {
    std::string_view rest = text.substr(text.rfind('@') + 1);
    while (rest.starts_with('/')) {
      rest.remove_prefix(1);
    }
    rest = rest.substr(0, rest.find('/'));
    const std::size_t port = rest.find(':');
    const std::size_t sid = port == std::string_view::npos ? port : rest.find(':', port + 1);
    add(rest.substr(0, sid), "jdbc:oracle", true);
  }

  void bare(std::string_view text) {
    while (!text.empty()) {
      const std::size_t end = text.find_first_of(",;");
      const std::string_view item = text.substr(0, end);
      text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
      const auto peer = read_host(item);
      if (peer && (peer->port.is_valid() || (item == peer->host && is_like_service(peer->host)))) {
        const bool has_letter = std::any_of(peer->host.begin(), peer->host.end(), is_letter);
        if (has_letter || is_dotted(peer->host)) {  // 12:30 is a time
          add(item, "", false);
        }
      }
    }
  }

  void add(std::string_view text, std::string_view scheme, bool is_url) {
    auto peer = read_host(text);
    if (!peer || peers_.size() >= kMostPeers) {
      return;
    }
    peer->scheme = scheme;
    peer->is_certain = is_url || is_like_service(peer->host) || (is_whole_ && is_dotted(peer->host));
    peer->is_of_words = !is_whole_ && !is_url;
    if (std::find(peers_.begin(), peers_.end(), *peer) == peers_.end()) {
      peers_.push_back(std::move(*peer));
    }
  }

  std::vector<PeerText>& peers_;
  bool is_whole_ = true;
};

}  // namespace

const std::vector<PeerScheme>& peer_schemes() {
  constexpr IpProtocol kTcp = IpProtocol::tcp;
  constexpr IpProtocol kUdp = IpProtocol::udp;
  static const std::vector<PeerScheme> kSchemes = {
      {"http", kTcp, 80, "IANA"},
      {"https", kTcp, 443, "IANA"},
      {"ws", kTcp, 80, "RFC 6455"},
      {"wss", kTcp, 443, "RFC 6455"},
      {"postgres", kTcp, 5432, "IANA"},
      {"postgresql", kTcp, 5432, "IANA"},
      {"mysql", kTcp, 3306, "IANA"},
      {"mariadb", kTcp, 3306, "mariadb.com"},
      {"sqlserver", kTcp, 1433, "IANA (ms-sql-s)"},
      {"oracle", kTcp, 1521, "docs.oracle.com"},
      {"redis", kTcp, 6379, "IANA"},
      {"rediss", kTcp, 6379, "redis.io"},
      {"mongodb", kTcp, 27017, "IANA"},
      {"memcached", kTcp, 11211, "IANA (memcache)"},
      {"cassandra", kTcp, 9042, "cassandra.apache.org"},
      {"neo4j", kTcp, 7687, "neo4j.com"},
      {"bolt", kTcp, 7687, "neo4j.com"},
      {"etcd", kTcp, 2379, "IANA (etcd-client)"},
      {"amqp", kTcp, 5672, "IANA"},
      {"amqps", kTcp, 5671, "IANA"},
      {"nats", kTcp, 4222, "docs.nats.io"},
      {"kafka", kTcp, 9092, "kafka.apache.org"},
      {"pulsar", kTcp, 6650, "pulsar.apache.org"},
      {"mqtt", kTcp, 1883, "IANA"},
      {"mqtts", kTcp, 8883, "IANA (secure-mqtt)"},
      {"smtp", kTcp, 25, "IANA"},
      {"smtps", kTcp, 465, "RFC 8314"},
      {"imap", kTcp, 143, "IANA"},
      {"imaps", kTcp, 993, "IANA"},
      {"ldap", kTcp, 389, "IANA"},
      {"ldaps", kTcp, 636, "IANA"},
      {"ftp", kTcp, 21, "IANA"},
      {"sftp", kTcp, 22, "IANA (ssh)"},
      {"ssh", kTcp, 22, "IANA"},
      {"dns", kTcp, 443, "gRPC Name Resolution"},  // of a gRPC target; in-cluster ones name their port
      {"grpc", kTcp, 0, ""},
      {"grpcs", kTcp, 0, ""},
      {"tcp", kTcp, 0, ""},
      {"tls", kTcp, 0, ""},
      {"udp", kUdp, 0, ""},
      {"syslog", kUdp, 514, "IANA"},
      {"statsd", kUdp, 8125, "github.com/statsd"},
  };
  return kSchemes;
}

const PeerScheme* find_peer_scheme(std::string_view scheme) {
  std::string name = lower(scheme);
  if (name.starts_with("jdbc:")) {
    name.erase(0, 5);
    name.erase(std::min(name.find(':'), name.size()));  // jdbc:mysql:loadbalance
  }
  const auto& schemes = peer_schemes();
  const auto at = std::find_if(schemes.begin(), schemes.end(), [&](const PeerScheme& s) { return s.name == name; });
  return at == schemes.end() ? nullptr : &*at;
}

std::string PeerText::text() const {
  const bool is_v6 = host.find(':') != std::string::npos;
  std::string result;
  if (!scheme.empty()) {
    result = scheme + (scheme == "dns" || scheme == "passthrough" ? ":///" : "://");
  }
  result += is_v6 ? "[" + host + "]" : host;
  return port.is_valid() ? result + ":" + std::to_string(port.number()) : result;
}

bool is_peer_host(std::string_view text) {
  constexpr std::size_t kLongestName = 253;  // RFC 1035 2.3.4, without the root's dot
  if (const auto ip = IpAddress::parse(text)) {
    static const Cidr kLoopback(IpAddress::v4(127, 0, 0, 0), 8);
    return !ip->is_unspecified() && *ip != IpAddress::v4(0) && !kLoopback.contains(*ip) && *ip != IpAddress(0, 1);
  }
  if (text.ends_with('.')) {
    text.remove_suffix(1);
  }
  const bool has_letter = std::any_of(text.begin(), text.end(), is_letter);
  if (text.empty() || text.size() > kLongestName || !has_letter || text.front() == '-' || text.front() == '.' ||
      text.find("..") != std::string_view::npos || !std::all_of(text.begin(), text.end(), is_host_letter)) {
    return false;
  }
  const std::string name = lower(text);
  return name != "localhost" && !name.ends_with(".localhost") && !name.starts_with("localhost.");
}

std::string_view flag_of_value(std::string_view text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos || equals == 0) {
    return {};
  }
  const std::string_view flag = text.substr(0, equals);
  return std::all_of(flag.begin(), flag.end(), is_host_letter) ? text.substr(0, equals + 1) : std::string_view();
}

std::vector<PeerText> peers_of_value(std::string_view text) {
  std::vector<PeerText> peers;
  if (text.size() > kLongest) {
    return peers;
  }
  Reader reader(peers);
  while (!text.empty() && is_space(text.front())) {
    text.remove_prefix(1);
  }
  while (!text.empty() && is_space(text.back())) {
    text.remove_suffix(1);
  }
  if (text.find("://") == std::string_view::npos && reader.pairs(text)) {
    return peers;
  }
  const bool is_whole = std::none_of(text.begin(), text.end(), is_space);
  while (!text.empty()) {
    const auto end = std::find_if(text.begin(), text.end(), is_space);
    const std::string_view word = text.substr(0, static_cast<std::size_t>(end - text.begin()));
    if (!word.empty()) {
      reader.word(word, is_whole);
    }
    text.remove_prefix(std::min(word.size() + 1, text.size()));
  }
  return peers;
}

}  // namespace podwire::scenario
