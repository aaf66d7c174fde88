// Typed access: what each type accepts and refuses, and that every problem of a mapping is reported at once.
#include "sim/config/reader.hpp"

#include <gtest/gtest.h>

#include <string>

#include "sim/config/render.hpp"

namespace podwire::config {
namespace {

using namespace podwire::literals;

class ReaderTest : public ::testing::Test {
 protected:
  /// The value of key `v` in the text `v: <value>`.
  Node value(std::string text) {
    Result<Document> result = parse_text(sources_, "in", "v: " + std::move(text) + "\n");
    documents_.push_back(std::move(result).value());
    return documents_.back().roots()[0].find("v");
  }
  Node root(std::string text) {
    Result<Document> result = parse_text(sources_, "in", std::move(text));
    documents_.push_back(std::move(result).value());
    return documents_.back().roots()[0];
  }
  /// The codes reported since the last call.
  std::string codes() {
    std::string out;
    for (; seen_ < problems_.all().size(); ++seen_) {
      out += (out.empty() ? "" : " ") + problems_.all()[seen_].code;
    }
    return out;
  }
  const Diagnostic& last() { return problems_.all().back(); }

  SourceMap sources_;
  std::vector<Document> documents_;
  Diagnostics problems_;
  std::size_t seen_ = 0;
};

TEST_F(ReaderTest, PlainScalarsOfOtherTypesAreNoStrings) {
  EXPECT_EQ(as_string(value("web"), "x", problems_), "web");
  EXPECT_EQ(as_string(value("'8080'"), "x", problems_), "8080");
  EXPECT_EQ(as_string(value("1.2.3"), "x", problems_), "1.2.3");
  EXPECT_EQ(as_string(value("2024-01-01"), "x", problems_), "2024-01-01");
  EXPECT_EQ(as_string(value("!!str 5"), "x", problems_), "5");
  EXPECT_EQ(codes(), "");
  for (const char* text :
       {"8080", "1.0", "true", "yes", "off", "~", "0x1F", "1_000", "1e3", ".5", ".inf", "-7", "[a]", "{a: b}"}) {
    EXPECT_FALSE(as_string(value(text), "x", problems_).has_value()) << text;
    EXPECT_EQ(codes(), "wrong-type") << text;
  }
  // Namespaces are called y; who means a boolean does not write it where a string is wanted.
  EXPECT_EQ(as_string(value("y"), "x", problems_), "y");
  EXPECT_EQ(codes(), "bare-letter");
  EXPECT_EQ(as_string(value("N"), "x", problems_), "N");
  EXPECT_EQ(codes(), "") << "said once for an input";
  as_string(value("8080"), "Pod \"web\"", problems_);
  EXPECT_EQ(last().message, "\"v\" in Pod \"web\" must be a string, found the number 8080");
  EXPECT_EQ(last().help, "quote it: \"8080\"");
  EXPECT_EQ(last().field, "v");
  EXPECT_EQ(sources_.place(last().span), "in:1:4");
}

TEST_F(ReaderTest, BooleansAreThoseOfYaml11AndUnquoted) {
  EXPECT_EQ(as_bool(value("true"), "x", problems_), true);
  EXPECT_EQ(as_bool(value("Yes"), "x", problems_), true);
  EXPECT_EQ(as_bool(value("off"), "x", problems_), false);
  EXPECT_EQ(codes(), "");
  for (const char* text : {"'true'", "1", "tRue", "", "[]"}) {
    EXPECT_FALSE(as_bool(value(text), "x", problems_).has_value()) << text;
    EXPECT_EQ(codes(), "wrong-type") << text;
  }
  as_bool(value("'true'"), "x", problems_);
  EXPECT_EQ(last().help, "remove the quotes");
}

TEST_F(ReaderTest, IntegersHaveARange) {
  EXPECT_EQ(as_integer(value("8080"), 1, 65535, "x", problems_), 8080);
  EXPECT_EQ(as_integer(value("-9223372036854775808"), INT64_MIN, INT64_MAX, "x", problems_), INT64_MIN);
  EXPECT_EQ(as_integer(value("0x10"), 0, 99, "x", problems_), 16);
  EXPECT_EQ(as_integer(value("010"), 0, 99, "x", problems_), 8);
  EXPECT_EQ(as_integer(value("1_000"), 0, 9999, "x", problems_), 1000);
  EXPECT_EQ(codes(), "");
  const std::pair<const char*, const char*> wrong[] = {{"0", "out-of-range"},  {"65536", "out-of-range"},
                                                       {"'80'", "wrong-type"}, {"http", "wrong-type"},
                                                       {"80.5", "bad-number"}, {"9223372036854775808", "bad-number"},
                                                       {"1e3", "bad-number"},  {"- 1", "wrong-type"}};
  for (const auto& [text, code] : wrong) {
    EXPECT_FALSE(as_integer(value(text[0] == '-' ? "[1]" : text), 1, 65535, "x", problems_).has_value()) << text;
    EXPECT_EQ(codes(), code) << text;
  }
}

TEST_F(ReaderTest, NumbersAreFiniteDecimals) {
  EXPECT_EQ(as_number(value("0.5"), 0, 1, "x", problems_), 0.5);
  EXPECT_EQ(as_number(value("1e-3"), 0, 1, "x", problems_), 0.001);
  EXPECT_EQ(codes(), "");
  for (const char* text : {".inf", ".nan", "1e999"}) {
    EXPECT_FALSE(as_number(value(text), 0, 1, "x", problems_).has_value());
    EXPECT_EQ(codes(), "bad-number") << text;
  }
  EXPECT_FALSE(as_number(value("1.5"), 0, 1, "x", problems_).has_value());
  EXPECT_EQ(codes(), "out-of-range");
}

TEST_F(ReaderTest, DurationsAreExactAndNeedAUnit) {
  EXPECT_EQ(parse_duration("5s"), 5_s);
  EXPECT_EQ(parse_duration("1.1us"), Duration::from_ps(1'100'000));
  EXPECT_EQ(parse_duration("2m30s"), 150_s);
  EXPECT_EQ(parse_duration("1h1ps"), Duration::from_ps(3'600'000'000'000'001));
  EXPECT_EQ(parse_duration("0"), Duration::zero());
  EXPECT_EQ(parse_duration("106d"), Duration::from_s(106 * 86'400));
  for (const char* text : {"", "5", "-1s", "s", "1x", "107d", "30s2m", "1s1s", "0.1ps", "1.s", "1 s", "+1s",
                           "9999999999999999999s", "1e3s"}) {
    EXPECT_FALSE(parse_duration(text).has_value()) << text;
  }
  EXPECT_FALSE(as_duration(value("5"), "x", problems_).has_value());
  EXPECT_EQ(codes(), "bad-unit");
  EXPECT_EQ(last().help, "add a unit: 5s, 5ms");
}

TEST_F(ReaderTest, SizesAndRatesHaveDecimalAndBinaryUnits) {
  EXPECT_EQ(parse_bytes("300B"), 300_B);
  EXPECT_EQ(parse_bytes("300"), 300_B);
  EXPECT_EQ(parse_bytes("4KiB"), 4096_B);
  EXPECT_EQ(parse_bytes("1.5MB"), 1'500'000_B);
  EXPECT_EQ(parse_bytes("10Gi"), Bytes(10LL << 30));
  EXPECT_EQ(parse_bytes("1.5Ki"), 1536_B);
  for (const char* text : {"", "B", "1.5B", "1.0001k", "-1", "1KiBB", "1Pi", "9999999Ti"}) {
    EXPECT_FALSE(parse_bytes(text).has_value()) << text;
  }
  EXPECT_EQ(parse_bit_rate("10Gbps"), 10_Gbps);
  EXPECT_EQ(parse_bit_rate("2.5Gbit/s"), BitRate::from_bps(2'500'000'000));
  EXPECT_EQ(parse_bit_rate("64kbps"), BitRate::from_bps(64'000));
  for (const char* text : {"10", "10G", "0bps", "10GB/s", "Gbps", "0.1bps"}) {
    EXPECT_FALSE(parse_bit_rate(text).has_value()) << text;
  }
  EXPECT_EQ(as_rate(value("200/s"), "x", problems_), 200.0);
  EXPECT_EQ(as_rate(value("12/m"), "x", problems_), 0.2);
  EXPECT_EQ(as_rate(value("1.5/ms"), "x", problems_), 1500.0);
  EXPECT_EQ(codes(), "");
  for (const char* text : {"200", "0/s", "-1/s", "5/x", "/s", "5/"}) {
    EXPECT_FALSE(as_rate(value(text), "x", problems_).has_value()) << text;
    EXPECT_EQ(codes(), "bad-unit") << text;
  }
}

TEST_F(ReaderTest, FractionsAreTheNearestDoubles) {
  EXPECT_EQ(as_fraction(value("99.9%"), "x", problems_), 0.999);
  EXPECT_EQ(as_fraction(value("0.999"), "x", problems_), 0.999);
  EXPECT_EQ(as_fraction(value("100%"), "x", problems_), 1.0);
  EXPECT_EQ(codes(), "");
  EXPECT_FALSE(as_fraction(value("101%"), "x", problems_).has_value());
  EXPECT_FALSE(as_fraction(value("a%"), "x", problems_).has_value());
  EXPECT_EQ(codes(), "out-of-range bad-number");
}

TEST_F(ReaderTest, AddressesAreChecked) {
  EXPECT_EQ(as_ip(value("10.0.0.1"), "x", problems_), IpAddress::v4(10, 0, 0, 1));
  EXPECT_EQ(as_cidr(value("10.0.0.0/8"), "x", problems_)->length(), 8u);
  EXPECT_EQ(codes(), "");
  EXPECT_FALSE(as_ip(value("10.0.0.256"), "x", problems_).has_value());
  EXPECT_FALSE(as_cidr(value("10.0.0.1"), "x", problems_).has_value());
  EXPECT_EQ(last().help, "for this one address: 10.0.0.1/32");
}

TEST_F(ReaderTest, AllProblemsOfAMappingAreReportedAtOnce) {
  ObjectReader reader(root("name: 5\nrat: 200/s\nmode: opne\nitems: {a: b}\nextra: 1\nhidden: x\n"),
                      "Workload \"browse\"", problems_);
  EXPECT_FALSE(reader.string("name").has_value());
  EXPECT_FALSE(reader.rate("rate").has_value());
  EXPECT_FALSE(reader.choice("mode", {"open", "closed"}).has_value());
  EXPECT_TRUE(reader.list("items").empty());
  reader.require("to");
  reader.ignore({"hidden"});
  reader.finish();
  EXPECT_EQ(codes(), "wrong-type bad-value wrong-type missing-key unknown-key unknown-key");
  EXPECT_EQ(problems_.all()[1].help, "did you mean \"open\"?");
  EXPECT_EQ(problems_.all()[4].message, "unknown key \"rat\" in Workload \"browse\"");
  EXPECT_EQ(problems_.all()[4].help, "did you mean \"rate\"?");
  EXPECT_EQ(problems_.all()[5].help, "known keys: name, rate, mode, items, to, hidden");
}

TEST_F(ReaderTest, NullAndAbsentReadAsEmpty) {
  ObjectReader reader(root("a:\nb: {}\n").find("a"), "x", problems_);
  EXPECT_FALSE(reader.string("k").has_value());
  EXPECT_TRUE(reader.strings("l").empty());
  reader.finish();
  ObjectReader list(root("a: [1]\n").find("a"), "x", problems_);
  list.finish();
  EXPECT_EQ(codes(), "wrong-type");
}

TEST_F(ReaderTest, ConfidentialValuesAreNeverNamed) {
  const char* const text = R"(kind: Deployment
metadata: {annotations: {token: 12345}}
spec:
  env:
  - {name: PASSWORD, value: 12345}
)";
  const Node object = root(text);
  as_string(object.find("metadata").find("annotations").find("token"), "x", problems_);
  as_string((*object.find("spec").find("env").begin()).find("value"), "x", problems_);
  as_integer((*object.find("spec").find("env").begin()).find("name"), 1, 2, "x", problems_);
  const Node secret = root("kind: Secret\nmetadata: {name: 12345}\nother: 12345\n");
  as_string(secret.find("other"), "x", problems_);
  as_duration(secret.find("other"), "x", problems_);
  ASSERT_EQ(problems_.all().size(), 5u);
  for (const Diagnostic& problem : problems_.all()) {
    EXPECT_EQ((problem.message + problem.help).find("12345"), std::string::npos) << problem.message;
    EXPECT_EQ((problem.message + problem.help).find("PASSWORD"), std::string::npos) << problem.message;
    EXPECT_TRUE(problem.hides_source_line);
  }
}

}  // namespace
}  // namespace podwire::config
