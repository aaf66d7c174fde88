// Times as logs write them. RFC 3339; leap seconds count as the second after.
#include <fmt/format.h>

#include <chrono>

#include "models/flows/reader.hpp"

namespace podwire::flows {
namespace {

constexpr std::int64_t kMostSeconds = 9'000'000'000;  // INT64_MAX nanoseconds are 9.22e9 s

/// `count` digits at `at`, or -1.
int digits(std::string_view text, std::size_t at, std::size_t count) {
  int value = 0;
  if (at + count > text.size()) {
    return -1;
  }
  for (std::size_t i = at; i < at + count; ++i) {
    if (text[i] < '0' || text[i] > '9') {
      return -1;
    }
    value = value * 10 + (text[i] - '0');
  }
  return value;
}

/// The fraction after a point, in nanoseconds; moves `at` behind it. -1 when there is no digit.
std::int64_t fraction(std::string_view text, std::size_t& at) {
  std::int64_t value = 0;
  std::int64_t unit = kSecond / 10;
  const std::size_t begin = at;
  for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at) {
    value += unit * (text[at] - '0');
    unit /= 10;
  }
  return at > begin ? value : -1;
}

Nanoseconds unix_seconds(std::string_view text) {
  std::int64_t seconds = 0;
  std::size_t at = 0;
  for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at) {
    seconds = seconds * 10 + (text[at] - '0');
    if (seconds > kMostSeconds) {
      return kNoTime;
    }
  }
  std::int64_t nanoseconds = 0;
  if (at > 0 && at < text.size() && text[at] == '.') {
    nanoseconds = fraction(text, ++at);
  }
  return at == 0 || at < text.size() || nanoseconds < 0 ? kNoTime : seconds * kSecond + nanoseconds;
}

}  // namespace

Nanoseconds parse_time(std::string_view text) {
  if (text.size() < 5 || text[4] != '-') {
    return unix_seconds(text);
  }
  const int year = digits(text, 0, 4);
  const int month = digits(text, 5, 2);
  const int day = digits(text, 8, 2);
  const int hour = digits(text, 11, 2);
  const int minute = digits(text, 14, 2);
  const int second = digits(text, 17, 2);
  if (year < 1970 || year > 2254 || month < 1 || day < 1 || hour < 0 || minute < 0 || second < 0 || hour > 23 ||
      minute > 59 || second > 60 || text[7] != '-' || text[13] != ':' || text[16] != ':' ||
      (text[10] != 'T' && text[10] != 't' && text[10] != ' ')) {
    return kNoTime;
  }
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok()) {
    return kNoTime;
  }
  std::size_t at = 19;
  std::int64_t nanoseconds = 0;
  if (at < text.size() && text[at] == '.') {
    nanoseconds = fraction(text, ++at);
  }
  std::int64_t offset = 0;
  const std::string_view zone = text.substr(at);
  if (zone.size() == 6 && (zone[0] == '+' || zone[0] == '-') && zone[3] == ':') {
    const int hours = digits(zone, 1, 2);
    const int minutes = digits(zone, 4, 2);
    if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59) {
      return kNoTime;
    }
    offset = (zone[0] == '-' ? -1 : 1) * (hours * 3600 + minutes * 60);
  } else if (zone != "Z" && zone != "z") {
    return kNoTime;
  }
  const std::int64_t days = std::chrono::sys_days(date).time_since_epoch().count();
  const std::int64_t seconds = days * 86'400 + hour * 3600 + minute * 60 + second - offset;
  return nanoseconds < 0 ? kNoTime : seconds * kSecond + nanoseconds;
}

std::string format_time(Nanoseconds time) {
  using namespace std::chrono;
  if (time == kNoTime) {
    return "";
  }
  const sys_time<nanoseconds> at{nanoseconds(time)};
  const sys_days day = floor<days>(at);
  const year_month_day date(day);
  const hh_mm_ss<seconds> clock(floor<seconds>(at - day));
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", int(date.year()), unsigned(date.month()),
                     unsigned(date.day()), clock.hours().count(), clock.minutes().count(), clock.seconds().count());
}

}  // namespace podwire::flows
