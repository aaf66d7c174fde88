// models/dns against this machine's glibc: the same lookups with the same answers, really and simulated. Compared are
// the queries in order (server, type, name), which of them share a socket, when they were sent, and the result.
#include "tests/linux/dns/glibc.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "tests/linux/dns/model.hpp"

namespace podwire::kernel {
namespace {

std::string text(const Record& record) {
  std::string all;
  for (std::size_t i = 0; i < record.asked.size(); ++i) {
    char line[64];
    std::snprintf(line, sizeof line, "  %6.2f s %c ", record.asked[i].second, socket_pattern(record)[i]);
    all += line + lines(record)[i] + "\n";
  }
  char line[64];
  std::snprintf(line, sizeof line, "  %6.2f s   ", record.seconds);
  return all + line + lines(record).back() + "\n";
}

/// The model says `refused` where glibc has two words, and no word of its own for them.
bool is_same_result(const std::vector<std::string>& real, const std::vector<std::string>& model) {
  return real == model ||
         (model == std::vector<std::string>{"refused"} && (real.front() == "again" || real.front() == "fail"));
}

/// Waits are whole seconds and a busy machine is late, so an interval may be this much shorter or longer.
constexpr double kShorter = 0.6;
constexpr double kLonger = 0.9;

bool is_same_interval(double real, double model) {
  return real > model - kShorter && real < model + kLonger + 0.05 * model;
}

void expect_same(const Script& script, const Record& real, bool compares_sockets = true) {
  const Record model = play_in_model(script);
  const std::string context = "seed " + std::to_string(script.seed) + ", host " + script.host + "\n" +
                              script.resolv_conf({"..."}) + "glibc:\n" + text(real) + "model:\n" + text(model);
  std::vector<std::string> real_queries = lines(real);
  std::vector<std::string> model_queries = lines(model);
  real_queries.pop_back();
  model_queries.pop_back();
  ASSERT_EQ(real_queries, model_queries) << context;
  ASSERT_TRUE(is_same_result(real.result, model.result)) << context;
  for (std::size_t i = 1; i < real.asked.size(); ++i) {
    ASSERT_TRUE(is_same_interval(real.asked[i].second - real.asked[i - 1].second,
                                 model.asked[i].second - model.asked[i - 1].second))
        << "query " << i << ", " << context;
  }
  if (!real.asked.empty()) {
    ASSERT_TRUE(is_same_interval(real.seconds - real.asked.back().second, model.seconds - model.asked.back().second))
        << context;
  }
  if (compares_sockets) {
    ASSERT_EQ(socket_pattern(real), socket_pattern(model)) << context;
  }
}

class Glibc : public ::testing::Test {
 protected:
  void SetUp() override { PODWIRE_NEEDS_NAMESPACES(); }
  void play(const Script& script) {
    Namespace network;
    expect_same(script, play_really(network, script, 0));
  }
};

const std::vector<std::string> kPodSearches = {"shop.svc.cluster.local", "svc.cluster.local", "cluster.local"};

Script pod_script(const std::string& host) {
  Script script;
  script.host = host;
  script.searches = kPodSearches;
  script.options = {"ndots:5"};
  return script;
}

/// What random scripts may hold beside the answers' mix.
struct Scope {
  unsigned most_servers = 3;
  bool has_single_request = true;
  bool has_closed_servers = true;
  bool compares_sockets = true;
};

/// A script from one seed: names of 0 to 6 dots, ndots 0 to 6, search lists with and without the root.
Script random_script(std::uint64_t seed, const Mix& mix, const Scope& scope) {
  std::mt19937_64 random(seed);
  const std::vector<std::string> hosts = {"db",
                                          "db.",
                                          "db.b",
                                          "db.b.svc",
                                          "a.b.c.d.e",
                                          "a.b.c.d.e.f",
                                          "a.b.c.d.e.f.",
                                          "Www.Example.com",
                                          "www.example.com."};
  const std::vector<std::string> domains = {"x.example", "y.example", "shop.svc.cluster.local", "z", "cluster.local"};
  Script script;
  script.seed = seed;
  script.mix = mix;
  script.host = hosts[random() % hosts.size()];
  script.servers = 1 + static_cast<unsigned>(random() % scope.most_servers);
  for (const std::string& domain : domains) {
    if (random() % 2 == 0) {
      script.searches.push_back(domain);
    }
  }
  if (random() % 6 == 0) {
    script.searches.insert(
        script.searches.begin() + static_cast<std::ptrdiff_t>(random() % (script.searches.size() + 1)), ".");
  }
  if (script.searches.empty()) {
    script.searches = {"only.example"};  // without any, glibc takes the machine's own domain
  }
  script.options = {"ndots:" + std::to_string(random() % 7), "timeout:1", "attempts:2"};
  if (!scope.has_single_request) {
    // pairs, until an answer is lost
  } else if (random() % 8 == 0) {
    script.options.push_back("single-request");
  } else if (random() % 8 == 0) {
    script.options.push_back("single-request-reopen");
  }
  for (unsigned s = 0; s < script.servers; ++s) {
    if (scope.has_closed_servers && random() % 12 == 0) {
      script.closed.push_back(s);
    }
  }
  return script;
}

void compare_many(std::uint64_t first_seed, std::size_t count, const Mix& mix, const Scope& scope, unsigned at_once) {
  std::vector<Script> scripts;
  for (std::size_t i = 0; i < count; ++i) {
    scripts.push_back(random_script(first_seed + i, mix, scope));
  }
  Namespace network;
  const std::vector<Record> records = play_really(network, scripts, at_once);
  std::size_t queries = 0;
  for (std::size_t i = 0; i < count; ++i) {
    queries += records[i].asked.size();
    EXPECT_NO_FATAL_FAILURE(expect_same(scripts[i], records[i], scope.compares_sockets)) << "seed " << scripts[i].seed;
  }
  std::printf("%zu lookups, %zu queries, seeds %llu to %llu\n", count, queries,
              static_cast<unsigned long long>(first_seed), static_cast<unsigned long long>(first_seed + count - 1));
}

TEST_F(Glibc, SearchesThePodsDomainsInOrderAndTakesTheNameItselfLast) {
  play(pod_script("www.example.com"));
  play(pod_script("web"));
  play(pod_script("web.shop.svc.cluster.local"));
}

TEST_F(Glibc, NeverSearchesForANameWithATrailingDot) {
  play(pod_script("web.shop.svc.cluster.local."));
}

TEST_F(Glibc, TriesANameOfFiveDotsAsItIsFirst) {
  play(pod_script("a.b.c.d.example.com"));
}

constexpr Mix kPrompt = {
    .addresses = 12, .no_data = 20, .servfail = 15, .refused = 6, .silence = 0, .one_family_differs = 35};
constexpr Mix kLossy = {
    .addresses = 20, .no_data = 15, .servfail = 0, .refused = 0, .silence = 28, .one_family_differs = 45};
constexpr Mix kLossyAndFailing = {
    .addresses = 20, .no_data = 15, .servfail = 10, .refused = 4, .silence = 28, .one_family_differs = 45};

TEST_F(Glibc, WalksRandomSearchListsAsTheModelDoes) {
  compare_many(1'000, 300, kPrompt, {.most_servers = 3, .has_single_request = false, .has_closed_servers = false}, 8);
}

TEST_F(Glibc, RepeatsAndGivesUpOnSilentServersWhenTheModelDoes) {
  compare_many(5'000, 120, kLossy,
               {.most_servers = 3, .has_single_request = true, .has_closed_servers = false, .compares_sockets = false},
               60);
}

// ---- what the model does not do yet; each is one rule of glibc's send_dg. Enable these with the rule.

/// In single-request mode a bad answer to the first query ends the server's turn: the second is not sent.
TEST_F(Glibc, SkipsTheSecondQueryAfterABadAnswerToTheFirst) {
  Script script = pod_script("web");
  script.options.push_back("single-request");
  script.servers = 2;
  script.fixed = {{.type = "A", .server = 0, .reply = Reply::servfail}};
  play(script);
}

/// A bad answer is no part of an answer: when the other one is lost, the next server's turn comes, in the same mode.
TEST_F(Glibc, DoesNotCountABadAnswerAsHalfOfOne) {
  Script script = pod_script("web");
  script.options.push_back("timeout:1");
  script.servers = 2;
  script.fixed = {{.type = "A", .server = 0, .reply = Reply::servfail},
                  {.type = "AAAA", .server = 0, .reply = Reply::silence}};
  play(script);
}

/// Giving up one server's socket (an ICMP error, a new one for the second query) closes those of all servers.
TEST_F(Glibc, OpensNewSocketsEverywhereAfterAnIcmpError) {
  Script script = pod_script("web");
  script.servers = 2;
  script.closed = {1};
  script.fixed = {{.reply = Reply::servfail}};
  play(script);
}

TEST_F(Glibc, AgreesWithTheModelInEverythingAtOnce) {
  compare_many(1'000, 300, kPrompt, {}, 8);
  compare_many(5'000, 150, kLossyAndFailing, {}, 60);
}

TEST_F(Glibc, WaitsFiveSecondsTwiceByDefault) {
  Script script = pod_script("web.shop.svc.cluster.local.");
  script.fixed = {{.reply = Reply::silence}};
  play(script);  // at 0 and 5, gives up at 10
}

TEST_F(Glibc, AsksOneAfterTheOtherAfterOneAnswerWasLost) {
  Script script = pod_script("web");
  script.options.push_back("timeout:1");
  script.fixed = {{.name = "web.shop.svc.cluster.local", .type = "AAAA", .time = 0, .reply = Reply::silence},
                  {.name = "web.shop.svc.cluster.local", .type = "A", .reply = Reply::addresses},
                  {.name = "web.shop.svc.cluster.local", .type = "AAAA", .reply = Reply::no_data}};
  play(script);
}

TEST_F(Glibc, OpensANewSocketForTheSecondQueryAfterTwoLosses) {
  Script script = pod_script("web");
  script.options.push_back("timeout:1");
  script.fixed = {{.name = "web.shop.svc.cluster.local", .type = "AAAA", .time = 0, .reply = Reply::silence},
                  {.name = "web.shop.svc.cluster.local", .type = "AAAA", .time = 1, .reply = Reply::silence},
                  {.name = "web.shop.svc.cluster.local", .type = "A", .reply = Reply::addresses},
                  {.name = "web.shop.svc.cluster.local", .type = "AAAA", .reply = Reply::no_data}};
  play(script);
}

}  // namespace
}  // namespace podwire::kernel
