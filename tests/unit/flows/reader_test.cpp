// Each format's records, and what is wrong with lines. Lines are written by hand after the formats' definitions.
#include "models/flows/reader.hpp"

#include <gtest/gtest.h>
#include <zlib.h>

#include <string>

#include "sim/config/decompress.hpp"

namespace podwire::flows {
namespace {

/// A record with its texts kept.
struct Kept {
  Flow flow;
  std::string source, destination, node, reason;
  std::vector<std::string> labels;
};

struct Read {
  std::vector<Kept> flows;
  LogStatistics statistics;
  LogFormat format = LogFormat::unknown;
};

std::unique_ptr<config::ByteStream> text_stream(std::string text, std::size_t step = 7) {
  return config::stream_of([text = std::move(text), at = std::size_t{0}, step](char* out, std::size_t room) mutable {
    const std::size_t count = std::min({room, step, text.size() - at});
    text.copy(out, count, at);
    at += count;
    return count;
  });
}

Read read(std::string text, config::LineLimits limits = {}) {
  FlowReader reader("log", text_stream(std::move(text)), limits);
  Read result;
  Flow flow;
  while (reader.next(flow)) {
    Kept kept;
    kept.source = std::string(flow.source.name_space) + "/" + std::string(flow.source.pod);
    kept.destination = std::string(flow.destination.name_space) + "/" + std::string(flow.destination.pod);
    kept.node = std::string(flow.node);
    kept.reason = std::string(flow.drop_reason);
    kept.labels.assign(flow.source.labels.begin(), flow.source.labels.end());
    kept.flow = flow;
    result.flows.push_back(std::move(kept));
  }
  result.statistics = reader.statistics();
  result.format = reader.format();
  return result;
}

const std::string kForwarded =
    R"({"flow":{"time":"2026-03-01T09:00:00.5Z","verdict":"FORWARDED","IP":{"source":"10.1.0.2","destination":"10.1.1.3",)"
    R"("ipVersion":"IPv4"},"l4":{"TCP":{"source_port":40000,"destination_port":8080,"flags":{"SYN":true}}},)"
    R"("source":{"ID":7,"identity":1234,"namespace":"shop","labels":["k8s:app=web","k8s:io.cilium.k8s.policy.cluster=c",)"
    R"("k8s:io.kubernetes.pod.namespace=shop"],"pod_name":"web-0","workloads":[{"name":"web","kind":"StatefulSet"}]},)"
    R"("destination":{"identity":99,"namespace":"shop","pod_name":"api-0"},"Type":"L3_L4","node_name":"kind/n1",)"
    R"("traffic_direction":"INGRESS","trace_observation_point":"TO_ENDPOINT","is_reply":false,"Summary":"TCP Flags: SYN"},)"
    R"("node_name":"kind/n1","time":"2026-03-01T09:00:00.5Z"})";

TEST(HubbleReader, TakesBothEndsAndTheVerdict) {
  const Read read_back = read(kForwarded + "\n");
  ASSERT_EQ(read_back.flows.size(), 1u);
  const Kept& kept = read_back.flows[0];
  EXPECT_EQ(read_back.format, LogFormat::hubble);
  EXPECT_EQ(format_time(kept.flow.time), "2026-03-01T09:00:00Z");
  EXPECT_EQ(kept.flow.time % kSecond, 500'000'000);
  EXPECT_EQ(kept.source, "shop/web-0");
  EXPECT_EQ(kept.destination, "shop/api-0");
  EXPECT_EQ(kept.labels, std::vector<std::string>{"app=web"});
  EXPECT_EQ(kept.flow.source.identity, 1234u);
  EXPECT_EQ(kept.flow.source.ip, IpAddress::v4(10, 1, 0, 2));
  EXPECT_EQ(kept.flow.source_port, 40'000);
  EXPECT_EQ(kept.flow.destination_port, 8080);
  EXPECT_EQ(kept.flow.verdict, Recorded::forwarded);
  EXPECT_EQ(kept.flow.reporter, Reporter::ingress);
  EXPECT_EQ(kept.flow.is_reply, Known::no);
  EXPECT_TRUE(kept.flow.opens);
  EXPECT_EQ(kept.node, "kind/n1");
}

/// `kForwarded` with the first `from` replaced.
std::string changed(const std::string& from, const std::string& to) {
  std::string text = kForwarded;
  return text.replace(text.find(from), from.size(), to) + "\n";
}

TEST(HubbleReader, TellsPolicyDropsFromOthers) {
  const auto drop = [](const std::string& members) {
    const Read result = read(changed("\"verdict\":\"FORWARDED\"", "\"verdict\":\"DROPPED\"," + members));
    EXPECT_EQ(result.flows.size(), 1u);
    EXPECT_EQ(result.flows[0].flow.verdict, Recorded::dropped);
    return result.flows[0].flow.drop_cause;
  };
  EXPECT_EQ(drop(R"("drop_reason_desc":"POLICY_DENIED")"), DropCause::policy);
  EXPECT_EQ(drop(R"("drop_reason_desc":"POLICY_DENY")"), DropCause::policy);
  EXPECT_EQ(drop(R"("drop_reason":133)"), DropCause::policy);  // before there was a description
  EXPECT_EQ(drop(R"("dropReasonDesc":181)"), DropCause::policy);
  EXPECT_EQ(drop(R"("drop_reason":155,"drop_reason_desc":"CT_MAP_INSERTION_FAILED")"), DropCause::other);
}

TEST(HubbleReader, VerdictsBeforePoliciesAndOfAuditAreUnknown) {
  EXPECT_EQ(read(changed("TO_ENDPOINT", "FROM_ENDPOINT")).flows.at(0).flow.verdict, Recorded::unknown);
  EXPECT_EQ(read(changed("FORWARDED", "AUDIT")).flows.at(0).flow.verdict, Recorded::unknown);
  EXPECT_EQ(read(changed("FORWARDED", "REDIRECTED")).flows.at(0).flow.verdict, Recorded::forwarded);
}

TEST(HubbleReader, ReadsProtobufsCamelCaseAndNumbers) {
  const Read result = read(
      R"({"flow":{"time":{"seconds":1772355600,"nanos":5},"verdict":1,"IP":{"source":"fd00::1","destination":"fd00::2"},)"
      R"("l4":{"UDP":{"sourcePort":5353,"destinationPort":53}},"source":{"podName":"a","namespace":"x"},)"
      R"("destination":{"labels":["reserved:world"]},"trafficDirection":2,"isReply":true,"nodeName":"n"}})"
      "\n");
  ASSERT_EQ(result.flows.size(), 1u);
  EXPECT_EQ(result.flows[0].flow.time, 1'772'355'600 * kSecond + 5);
  EXPECT_EQ(result.flows[0].flow.verdict, Recorded::forwarded);
  EXPECT_EQ(result.flows[0].flow.reporter, Reporter::egress);
  EXPECT_EQ(result.flows[0].flow.is_reply, Known::yes);
  EXPECT_EQ(result.flows[0].flow.destination.hint, EndHint::world);
  EXPECT_EQ(result.flows[0].flow.protocol, FlowProtocol::udp);
}

TEST(HubbleReader, CountsLossesAndWhatIsNoFlow) {
  const Read result =
      read(kForwarded + "\n" +
           R"({"lost_events":{"source":"PERF_EVENT_RING_BUFFER","num_events_lost":"12"},"node_name":"n"})"
           "\n"
           R"({"lost_events":{"source":"HUBBLE_RING_BUFFER","num_events_lost":3}})"
           "\n"
           R"({"node_status":{"state_change":"NODE_CONNECTED"}})"
           "\n" +
           changed("L3_L4", "L7") + changed("L3_L4", "SOCK") + changed("\"TCP\"", "\"IGMP\""));
  EXPECT_EQ(result.flows.size(), 1u);
  EXPECT_EQ(result.statistics.loss_reports, 2u);
  EXPECT_EQ(result.statistics.lost_events, 15u);  // 12 + 3
  EXPECT_EQ(result.statistics.skipped, (std::array<std::uint64_t, 4>{1, 1, 1, 1}));
  EXPECT_EQ(result.statistics.damaged, 0u);
}

TEST(HubbleReader, DamagedLinesAreCountedWithNumberAndReason) {
  const Read result =
      read(kForwarded + "\n\n" + kForwarded.substr(0, 100) + "\n" + kForwarded + "\n" + changed("8080", "99999") +
           changed("10.1.1.3", "10.1.1.300") + "{\"flow\":3}\n" + kForwarded.substr(0, kForwarded.size() - 1));
  EXPECT_EQ(result.flows.size(), 2u);
  ASSERT_EQ(result.statistics.damaged, 5u);
  ASSERT_EQ(result.statistics.first_damaged.size(), 5u);
  EXPECT_EQ(result.statistics.first_damaged[0].line, 3u);  // line 2 is blank
  EXPECT_EQ(result.statistics.first_damaged[0].reason, "a string is not closed (cut off?)");
  EXPECT_EQ(result.statistics.first_damaged[1].reason, "a port is no number from 0 to 65535");
  EXPECT_EQ(result.statistics.first_damaged[2].reason, "an address is none");
  EXPECT_EQ(result.statistics.first_damaged[3].reason, "it holds no flow");
  EXPECT_EQ(result.statistics.first_damaged[4].line, 8u);
  EXPECT_EQ(result.statistics.first_damaged[4].reason, "it ends inside an object (cut off?)");
  EXPECT_TRUE(result.statistics.is_cut_off);
  EXPECT_EQ(result.statistics.lines, 7u);
}

TEST(HubbleReader, LinesBeyondTheLimitAreSkippedNotHeld) {
  config::LineLimits limits;
  limits.max_line = kForwarded.size();
  const Read result = read(kForwarded + "\n" + std::string(5'000'000, 'x') + "\n" + kForwarded + "\n", limits);
  EXPECT_EQ(result.flows.size(), 2u);
  EXPECT_EQ(result.statistics.damaged, 1u);
  EXPECT_EQ(result.statistics.first_damaged[0].line, 2u);
}

TEST(HubbleReader, EscapesInNamesAreResolved) {
  const Read result = read(changed("\"web-0\"", R"("w\u0065b\u002d\ud83d\ude000")"));
  EXPECT_EQ(result.flows.at(0).source,
            "shop/web-\xf0\x9f\x98\x80"
            "0");
  EXPECT_EQ(read(changed("\"web-0\"", R"("\ud83d")")).flows.at(0).source, "shop/\xef\xbf\xbd");
}

TEST(GoldmaneReader, ReadsWhiskersList) {
  const Read result = read(
      R"({"meta":{"totalPages":1},"items":[{"start_time":"2026-03-01T09:00:00Z","end_time":"2026-03-01T09:00:15Z",)"
      R"("action":"Deny","source_name":"web-7d77fb55cc-*","source_namespace":"shop","source_labels":)"
      R"("app=web | projectcalico.org/namespace=shop","dest_name":"api-0","dest_namespace":"shop","dest_labels":"",)"
      R"("protocol":"tcp","dest_port":8080,"reporter":"Dst","policies":{"enforced":[]},"packets_in":1},)"
      R"({"start_time":"2026-03-01T09:00:00Z","action":"Allow","source_name":"web-7d77fb55cc-*",)"
      R"("source_namespace":"shop","dest_name":"PUBLIC NETWORK","dest_namespace":"","protocol":"udp","dest_port":53,)"
      R"("reporter":"Src"}],"total":2})"
      "\n");
  ASSERT_EQ(result.flows.size(), 2u);
  EXPECT_EQ(result.format, LogFormat::goldmane);
  EXPECT_EQ(result.flows[0].source, "shop/web-7d77fb55cc-*");
  EXPECT_EQ(result.flows[0].labels, std::vector<std::string>{"app=web"});
  EXPECT_EQ(result.flows[0].flow.verdict, Recorded::dropped);
  EXPECT_EQ(result.flows[0].flow.reporter, Reporter::ingress);
  EXPECT_TRUE(result.flows[0].flow.is_aggregate);
  EXPECT_EQ(result.flows[1].flow.destination.hint, EndHint::public_network);
  EXPECT_EQ(result.flows[1].flow.reporter, Reporter::egress);
}

TEST(GoldmaneReader, ReadsTheEmittersLines) {
  const Read result =
      read(R"({"Key":{"source_name":"web-*","source_namespace":"shop","source_type":1,"dest_name":"pvt","dest_type":4,)"
           R"("dest_port":443,"proto":"tcp","reporter":1,"action":1,"policies":{"enforced_policies":[{"kind":6}]}},)"
           R"("start_time":1772355600,"end_time":1772355615,"source_labels":["app=web"],"num_connections_started":3})"
           "\n"
           R"({"Key":{"proto":"tcp"},"start_time":)"
           "\n");
  ASSERT_EQ(result.flows.size(), 1u);
  EXPECT_EQ(result.flows[0].flow.time, 1'772'355'600 * kSecond);
  EXPECT_EQ(result.flows[0].flow.destination.hint, EndHint::private_network);
  EXPECT_EQ(result.flows[0].flow.verdict, Recorded::forwarded);
  EXPECT_EQ(result.statistics.damaged, 1u);
}

TEST(CsvReader, FindsColumnsByName) {
  const Read result = read(
      "verdict,protocol,port,destination,source,time\r\n"
      "forwarded,TCP,8080,shop/api-0,shop/deploy/web,2026-03-01T10:00:00+01:00\r\n"
      "deny,udp,53,10.0.0.1,\"shop/web-0\",1772355600.25\r\n"
      ",,80,shop/service/api,10.9.9.9,1772355600\n"
      "allow,TCP,x,10.0.0.1,10.0.0.2,1772355600\n"
      "perhaps,TCP,80,10.0.0.1,10.0.0.2,1772355600\n"
      "allow,TCP,80,nobody,10.0.0.2,1772355600\n"
      "allow,TCP,80,\"10.0.0.1,10.0.0.2,1772355600\n");
  EXPECT_EQ(result.format, LogFormat::csv);
  ASSERT_EQ(result.flows.size(), 3u);
  EXPECT_EQ(format_time(result.flows[0].flow.time), "2026-03-01T09:00:00Z");  // an hour east of Greenwich
  EXPECT_EQ(result.flows[1].flow.time % kSecond, 250'000'000);
  EXPECT_EQ(result.flows[1].flow.verdict, Recorded::dropped);
  EXPECT_EQ(result.flows[2].flow.verdict, Recorded::unknown);
  EXPECT_EQ(result.flows[2].flow.protocol, FlowProtocol::tcp);
  EXPECT_EQ(result.statistics.damaged, 4u);
  EXPECT_EQ(result.statistics.first_damaged[0].line, 5u);  // the head is line 1
}

TEST(CsvReader, WithoutAHeadColumnsStandInTheUsualOrder) {
  const Read result = read("2026-03-01T09:00:00Z,shop/web-0,10.0.0.1,443\n2026-03-01T09:00:01Z,a/b,c/d,53,UDP,drop\n");
  ASSERT_EQ(result.flows.size(), 2u);
  EXPECT_EQ(result.flows[1].flow.protocol, FlowProtocol::udp);
  EXPECT_EQ(result.flows[1].flow.verdict, Recorded::dropped);
}

TEST(FlowReader, SaysWhatAnInputIsNot) {
  const Read result = read("{\n  \"flow\": {}\n}\n");
  EXPECT_TRUE(result.flows.empty());
  EXPECT_EQ(result.statistics.damaged, 3u);
  EXPECT_EQ(result.format, LogFormat::unknown);
}

std::string gzipped(const std::string& text) {
  std::string packed(text.size() + 100, '\0');
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

TEST(FlowReader, UnpacksGzipOnTheWayAndNoticesItsEnd) {
  const std::string packed = gzipped(kForwarded + "\n" + kForwarded + "\n");
  const auto count = [](std::string text, std::string& problem) {
    FlowReader reader("log.gz", config::unpacking(config::Packing::gzip, text_stream(std::move(text))));
    Flow flow;
    std::size_t flows = 0;
    while (reader.next(flow)) {
      ++flows;
    }
    problem = reader.statistics().problem;
    return flows;
  };
  std::string problem;
  EXPECT_EQ(count(packed + packed, problem), 4u);  // members follow one another
  EXPECT_EQ(problem, "");
  count(packed.substr(0, packed.size() / 2), problem);
  EXPECT_EQ(problem, "it ends in the middle (cut off?)");
  count("plain text", problem);
  EXPECT_NE(problem, "");
}

TEST(FlowTime, IsExactAndRefusesWhatIsNone) {
  EXPECT_EQ(parse_time("1970-01-01T00:00:00Z"), 0);
  EXPECT_EQ(parse_time("2023-08-21T12:12:13.517394084Z"), 1'692'619'933'517'394'084);  // date -d … +%s gives 1692619933
  EXPECT_EQ(parse_time("2023-08-21T14:12:13+02:00"), 1'692'619'933 * kSecond);
  EXPECT_EQ(parse_time("1692619933.5"), 1'692'619'933 * kSecond + 500'000'000);
  for (const char* const text : {"", "yesterday", "2023-02-30T00:00:00Z", "2023-08-21", "2023-08-21T12:12:13",
                                 "2023-08-21T12:12:13.Z", "99999999999", "-1", "2023-08-21T25:00:00Z", "12:12"}) {
    EXPECT_EQ(parse_time(text), kNoTime) << text;
  }
}

}  // namespace
}  // namespace podwire::flows
