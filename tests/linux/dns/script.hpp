// What is common to the real and the simulated experiment: a resolv.conf, a name to look up, and name servers that
// answer by a table which both sides compute from the same seed. The two must then show the same record.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

namespace podwire::kernel {

enum class Reply : std::uint8_t { addresses, no_data, nxdomain, servfail, refused, silence };

/// How often a table gives each reply, in percent; the rest is NXDOMAIN.
struct Mix {
  unsigned addresses = 0;
  unsigned no_data = 0;
  unsigned servfail = 0;
  unsigned refused = 0;
  unsigned silence = 0;
  unsigned one_family_differs = 0;  // how often the two types are drawn apart
};

/// One lookup.
struct Script {
  std::string host;
  unsigned servers = 1;  // name servers in resolv.conf
  std::vector<std::string> searches;
  std::vector<std::string> options;  // "ndots:5", "single-request"
  std::uint64_t seed = 0;
  Mix mix;
  /// Replies that are not drawn, in order of precedence; empty members match everything.
  struct Fixed {
    std::string name = {};
    std::string type = {};  // "A" or "AAAA"
    int server = -1;
    int time = -1;  // how often this server was asked this before
    Reply reply = Reply::nxdomain;
  };
  std::vector<Fixed> fixed = {};
  std::vector<unsigned> closed = {};  // servers where nobody listens: ICMP port unreachable

  bool is_closed(unsigned server) const { return std::find(closed.begin(), closed.end(), server) != closed.end(); }
  std::string resolv_conf(const std::vector<std::string>& addresses) const {
    std::string text;
    for (const std::string& address : addresses) {
      text += "nameserver " + address + "\n";
    }
    if (!searches.empty()) {
      text += "search";
      for (const std::string& domain : searches) {
        text += " " + domain;
      }
      text += "\n";
    }
    for (const std::string& option : options) {
      text += "options " + option + "\n";
    }
    return text;
  }
};

/// The reply to the `time`th query (from 0) for (name, type) at a server. The same on both sides.
inline Reply reply_to(const Script& script, unsigned server, const std::string& name, const std::string& type,
                      unsigned time) {
  for (const Script::Fixed& fixed : script.fixed) {
    if ((fixed.name.empty() || fixed.name == name) && (fixed.type.empty() || fixed.type == type) &&
        (fixed.server < 0 || static_cast<unsigned>(fixed.server) == server) &&
        (fixed.time < 0 || static_cast<unsigned>(fixed.time) == time)) {
      return fixed.reply;
    }
  }
  const auto draw = [&](std::uint64_t salt) {  // FNV-1a and a final mix
    std::uint64_t h = 0xcbf2'9ce4'8422'2325u ^ script.seed ^ salt * 0x9e37'79b9'7f4a'7c15u;
    const auto add = [&h](std::uint64_t byte) { h = (h ^ byte) * 0x100'0000'01b3u; };
    for (const char c : name) {
      add(static_cast<unsigned char>(c));
    }
    add(server);
    add(time);
    h ^= h >> 31;
    h *= 0xbf58'476d'1ce4'e5b9u;
    return (h ^ h >> 29) % 100;
  };
  const Mix& mix = script.mix;
  const bool differs = draw(1) < mix.one_family_differs;
  std::uint64_t dice = draw(differs && type == "AAAA" ? 3 : 2);
  for (const auto& [share, reply] : {std::pair{mix.addresses, Reply::addresses}, std::pair{mix.no_data, Reply::no_data},
                                     std::pair{mix.servfail, Reply::servfail}, std::pair{mix.refused, Reply::refused},
                                     std::pair{mix.silence, Reply::silence}}) {
    if (dice < share) {
      return reply;
    }
    dice -= share;
  }
  return Reply::nxdomain;
}

inline std::string address_of(unsigned server, const std::string& type) {
  return (type == "A" ? "192.0.2." : "2001:db8::") + std::to_string(server + 1);
}

/// One query as a server saw it.
struct Asked {
  unsigned server = 0;
  std::string name;  // lower case, no trailing dot
  std::string type;
  std::uint64_t socket = 0;  // the sender's port or socket
  double second = 0;         // since the lookup began
};

/// All that a lookup showed.
struct Record {
  std::vector<Asked> asked;
  std::vector<std::string> result;  // {"found", addresses sorted …} or one word
  double seconds = 0;
};

/// The record as one line for each query, without times and ports: what must be equal.
inline std::vector<std::string> lines(const Record& record) {
  std::vector<std::string> all;
  for (const Asked& a : record.asked) {
    all.push_back(std::to_string(a.server) + " " + a.type + " " + a.name);
  }
  std::string last = "=";
  for (const std::string& word : record.result) {
    last += " " + word;
  }
  all.push_back(last);
  return all;
}

/// Which queries came from the socket of the query before them to the same server ('=') and which did not ('/').
inline std::string socket_pattern(const Record& record) {
  std::string pattern;
  for (std::size_t i = 0; i < record.asked.size(); ++i) {
    char mark = '/';
    for (std::size_t before = i; before-- > 0;) {
      if (record.asked[before].server == record.asked[i].server) {
        mark = record.asked[before].socket == record.asked[i].socket ? '=' : '/';
        break;
      }
    }
    pattern += mark;
  }
  return pattern;
}

}  // namespace podwire::kernel
