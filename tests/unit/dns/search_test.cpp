// glibc's search list: how many names are asked for what is typed (kubernetes-networking, tables 1.2 and 1.9), and what
// each outcome does to the list. A direct transcription of the published pseudo code serves as oracle on random inputs.
#include "models/dns/search.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <random>

namespace podwire::dns {
namespace {

using Outcomes = std::map<std::string, QueryOutcome>;
using Names = std::vector<std::string>;

ResolvConf pod_conf(std::size_t host_searches = 0) {
  ResolvConf conf;
  conf.nameservers = {IpAddress::v4(10, 96, 0, 10)};
  conf.searches = {"a.svc.cluster.local", "svc.cluster.local", "cluster.local"};
  for (std::size_t i = 0; i < host_searches; ++i) {
    conf.searches.push_back("corp" + std::to_string(i) + ".example");
  }
  conf.ndots = 5;
  return conf;
}

struct Walk {
  Names asked;
  LookupStatus status = LookupStatus::timeout;
};

/// Walks the list; names not in `outcomes` do not exist.
Walk walk(const std::string& host, const ResolvConf& conf, const Outcomes& outcomes) {
  NameTable names;
  const SearchPlan plan = plan_search(host, conf, names);
  SearchState state;
  Walk result;
  bool goes_on = true;
  while (goes_on) {
    const SearchPlan::Candidate& candidate = plan.candidates[state.candidate()];
    QueryOutcome outcome = QueryOutcome::failed;
    if (candidate.is_sendable) {
      result.asked.emplace_back(names[candidate.name]);
      const auto found = outcomes.find(result.asked.back());
      outcome = found == outcomes.end() ? QueryOutcome::not_found : found->second;
    }
    goes_on = state.advance(plan, outcome);
  }
  result.status = state.status();
  return result;
}

std::size_t names_asked(const std::string& host, const ResolvConf& conf, const std::string& existing) {
  const Walk result = walk(host, conf, {{existing, QueryOutcome::found}});
  EXPECT_EQ(result.status, LookupStatus::found) << host;
  return result.asked.size();
}

TEST(SearchList, AsksAsManyNamesAsTheTableOfQueryMultiplicationSays) {
  const std::string existing = "svc.b.svc.cluster.local";
  EXPECT_EQ(names_asked("svc", pod_conf(), "svc.a.svc.cluster.local"), 1u);
  EXPECT_EQ(names_asked("svc.b", pod_conf(), existing), 2u);
  EXPECT_EQ(names_asked("svc.b.svc", pod_conf(), existing), 3u);
  EXPECT_EQ(names_asked("svc.b.svc.cluster.local", pod_conf(), existing), 4u);   // S + 1 with S = 3
  EXPECT_EQ(names_asked("svc.b.svc.cluster.local", pod_conf(1), existing), 5u);  // S = 4
  EXPECT_EQ(names_asked("svc.b.svc.cluster.local.", pod_conf(), existing), 1u);
  EXPECT_EQ(names_asked("www.example.com", pod_conf(), "www.example.com"), 4u);
  EXPECT_EQ(names_asked("www.example.com", pod_conf(1), "www.example.com"), 5u);
  EXPECT_EQ(names_asked("a.b.c.d.example.com", pod_conf(), "a.b.c.d.example.com"), 1u);
}

TEST(SearchList, TriesDomainsInOrderAndTheBareNameLast) {
  const Walk result = walk("db.b", pod_conf(), {});
  EXPECT_EQ(result.asked, (Names{"db.b.a.svc.cluster.local", "db.b.svc.cluster.local", "db.b.cluster.local", "db.b"}));
  EXPECT_EQ(result.status, LookupStatus::nxdomain);
}

TEST(SearchList, ANameWithEnoughDotsIsTriedFirstAndNotAgain) {
  const Walk result = walk("a.b.c.d.e.f", pod_conf(), {{"a.b.c.d.e.f", QueryOutcome::no_data}});
  EXPECT_EQ(result.asked.size(), 4u);
  EXPECT_EQ(result.asked.front(), "a.b.c.d.e.f");
  EXPECT_EQ(result.status, LookupStatus::nodata);  // the first word counts
}

TEST(SearchList, ARootDomainIsTheBareNameInItsPlace) {
  ResolvConf conf = pod_conf();
  conf.searches = {"x.example", "", "y.example"};
  EXPECT_EQ(walk("db", conf, {}).asked, (Names{"db.x.example", "db", "db.y.example"}));
}

TEST(SearchList, NoDataGoesOnAndIsTheFinalWordWhenNothingIsFound) {
  EXPECT_EQ(walk("db", pod_conf(), {{"db.svc.cluster.local", QueryOutcome::no_data}}).asked.size(), 4u);
  EXPECT_EQ(walk("db", pod_conf(), {{"db.svc.cluster.local", QueryOutcome::no_data}}).status, LookupStatus::nodata);
}

TEST(SearchList, AServerFailureGoesOnAndCountsOnlyWithoutNoData) {
  const Outcomes failing = {{"db.a.svc.cluster.local", QueryOutcome::server_failure}};
  EXPECT_EQ(walk("db", pod_conf(), failing).asked.size(), 4u);
  EXPECT_EQ(walk("db", pod_conf(), failing).status, LookupStatus::servfail);
  EXPECT_EQ(
      walk("db", pod_conf(),
           {{"db.a.svc.cluster.local", QueryOutcome::server_failure}, {"db.cluster.local", QueryOutcome::no_data}})
          .status,
      LookupStatus::nodata);
}

TEST(SearchList, ATimeoutLeavesTheListButTheBareNameIsStillTried) {
  const Walk result =
      walk("db", pod_conf(), {{"db.a.svc.cluster.local", QueryOutcome::timed_out}, {"db", QueryOutcome::timed_out}});
  EXPECT_EQ(result.asked, (Names{"db.a.svc.cluster.local", "db"}));
  EXPECT_EQ(result.status, LookupStatus::timeout);
}

TEST(SearchList, ATimeoutOfANameTriedFirstLeadsToTheListAndEndsInIt) {
  const Walk result =
      walk("a.b.c.d.e.f", pod_conf(),
           {{"a.b.c.d.e.f", QueryOutcome::timed_out}, {"a.b.c.d.e.f.a.svc.cluster.local", QueryOutcome::timed_out}});
  EXPECT_EQ(result.asked.size(), 2u);
  EXPECT_EQ(result.status, LookupStatus::timeout);
}

TEST(SearchList, ARefusalByEveryServerEndsAllWithinTheList) {
  const Walk result = walk("db", pod_conf(), {{"db.a.svc.cluster.local", QueryOutcome::refused}});
  EXPECT_EQ(result.asked.size(), 1u);
  EXPECT_EQ(result.status, LookupStatus::refused);
}

TEST(SearchList, ANameTooLongToSendLeavesTheList) {
  const std::string host = std::string(60, 'x') + "." + std::string(60, 'x') + "." + std::string(60, 'x') + "." +
                           std::string(60, 'x');  // 243 bytes; with a.svc.cluster.local 263
  const Walk result = walk(host, pod_conf(), {});
  EXPECT_EQ(result.asked, Names{host});
  EXPECT_EQ(result.status, LookupStatus::nxdomain);
}

/// The published pseudo code of __res_context_search, word for word; `query` says how a name goes.
Walk oracle(const std::string& host, const ResolvConf& conf,
            const std::function<QueryOutcome(const std::string&)>& query) {
  using enum QueryOutcome;
  Walk result;
  const auto ask = [&](const std::string& name) {
    result.asked.push_back(name);
    return query(name);
  };
  const auto word = [](QueryOutcome outcome) {
    const std::map<QueryOutcome, LookupStatus> words = {
        {found, LookupStatus::found},       {not_found, LookupStatus::nxdomain},
        {no_data, LookupStatus::nodata},    {server_failure, LookupStatus::servfail},
        {timed_out, LookupStatus::timeout}, {failed, LookupStatus::refused},
        {refused, LookupStatus::refused}};
    return words.at(outcome);
  };
  const auto dots = static_cast<std::uint32_t>(std::count(host.begin(), host.end(), '.'));
  const bool trailing = host.ends_with('.');
  const std::string name = trailing ? host.substr(0, host.size() - 1) : host;
  bool tried_as_is = false, got_no_data = false, got_servfail = false, root_tried = false;
  std::optional<QueryOutcome> saved;
  QueryOutcome last = not_found;
  if (dots >= conf.ndots || trailing) {
    last = ask(name);
    tried_as_is = true;
    if (last == found || trailing) {
      result.status = word(last);
      return result;
    }
    saved = last;
  }
  for (const std::string& domain : conf.searches) {
    root_tried = root_tried || domain.empty();
    last = ask(domain.empty() ? name : name + "." + domain);
    if (last == found || last == refused) {
      result.status = word(last);
      return result;
    }
    got_no_data = got_no_data || last == no_data;
    got_servfail = got_servfail || last == server_failure;
    if (last == timed_out || last == failed) {
      break;
    }
  }
  if (!tried_as_is && !root_tried) {
    last = ask(name);
    if (last == found) {
      result.status = LookupStatus::found;
      return result;
    }
  }
  result.status = saved          ? word(*saved)
                  : got_no_data  ? LookupStatus::nodata
                  : got_servfail ? LookupStatus::servfail
                                 : word(last);
  return result;
}

TEST(SearchList, AgreesWithTheTranscribedAlgorithmOnRandomInputs) {
  constexpr std::uint64_t kSeed = 7;
  SCOPED_TRACE("seed " + std::to_string(kSeed));
  std::mt19937_64 random(kSeed);
  const Names hosts = {"db", "db.", "db.b", "db.b.svc", "a.b.c.d.e", "a.b.c.d.e.f", "a.b.c.d.e.f."};
  const Names domains = {"x.example", "y.example", "", "a.svc.cluster.local", "z"};
  for (int round = 0; round < 20'000; ++round) {
    ResolvConf conf;
    conf.ndots = static_cast<std::uint32_t>(random() % 7);
    for (const std::string& domain : domains) {
      if (random() % 2 == 0 && (!domain.empty() || random() % 4 == 0)) {
        conf.searches.push_back(domain);
      }
    }
    const std::string& host = hosts[random() % hosts.size()];
    Outcomes outcomes;
    NameTable names;
    for (const auto& candidate : plan_search(host, conf, names).candidates) {
      outcomes[std::string(names[candidate.name])] = static_cast<QueryOutcome>(random() % 7);
    }
    const Walk expected = oracle(host, conf, [&](const std::string& name) { return outcomes.at(name); });
    const Walk actual = walk(host, conf, outcomes);
    ASSERT_EQ(actual.asked, expected.asked) << host << " round " << round;
    ASSERT_EQ(actual.status, expected.status) << host << " round " << round;
  }
}

}  // namespace
}  // namespace podwire::dns
