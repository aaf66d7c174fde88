#include "sim/des/fifo_server.hpp"

#include <gtest/gtest.h>

namespace podwire::des {
namespace {

using namespace podwire::literals;

Time at(std::int64_t ns) {
  return Time::from_ps(ns * 1000);
}

TEST(FifoServer, WorkWaitsForWhatWasBookedBefore) {
  FifoServer server;
  const Booking first = server.book(at(0), 10_ns);
  const Booking second = server.book(at(4), 10_ns);
  const Booking third = server.book(at(50), 10_ns);
  EXPECT_EQ(first.start, at(0));
  EXPECT_EQ(first.finish, at(10));
  EXPECT_EQ(second.start, at(10));  // 4 ns + 6 ns of waiting
  EXPECT_EQ(second.finish, at(20));
  EXPECT_EQ(third.start, at(50));  // idle since 20 ns
  EXPECT_EQ(server.backlog(at(55)), 5_ns);
  EXPECT_EQ(server.backlog(at(70)), 0_ns);
}

TEST(FifoServer, DropsTheTailWhenTheBytesDoNotFit) {
  // 10 Gbit/s: 1,000 B take 800 ns, so a 2,500 B buffer is 2,000 ns of work.
  FifoServer server = FifoServer::limited_by_bytes(2500_B, 10_Gbps);
  EXPECT_EQ(server.limit(), 2000_ns);
  EXPECT_TRUE(server.book(at(0), 800_ns).is_accepted);  // 1,000 B unsent
  EXPECT_TRUE(server.book(at(0), 800_ns).is_accepted);  // 2,000 B
  const Booking dropped = server.book(at(0), 800_ns);   // would be 3,000 B
  EXPECT_FALSE(dropped.is_accepted);
  EXPECT_EQ(dropped.finish, at(0));
  EXPECT_TRUE(server.book(at(0), 400_ns).is_accepted);  // 500 B: exactly full
  EXPECT_FALSE(server.book(at(399), 400_ns).is_accepted);
  EXPECT_TRUE(server.book(at(400), 400_ns).is_accepted);  // 500 B were sent by now
  EXPECT_EQ(server.idle_at(), at(2400));                  // dropped work takes no time
}

TEST(FifoServer, AnIdleServerTakesWorkLargerThanItsLimit) {
  FifoServer server = FifoServer::limited_by_time(10_ns);
  EXPECT_TRUE(server.book(at(0), 100_ns).is_accepted);
  EXPECT_FALSE(server.book(at(99), 10_ns).is_accepted);
  EXPECT_TRUE(server.book(at(99), 9_ns).is_accepted);
  EXPECT_FALSE(server.book(at(108), 100_ns).is_accepted);
  EXPECT_TRUE(server.book(at(109), 100_ns).is_accepted);  // 100 + 9: idle again
}

TEST(PacketLimitedServer, CountsWholePackets) {
  PacketLimitedServer server(2);
  EXPECT_TRUE(server.book(at(0), 10_ns).is_accepted);
  EXPECT_TRUE(server.book(at(1), 10_ns).is_accepted);
  EXPECT_FALSE(server.book(at(9), 10_ns).is_accepted);
  const Booking third = server.book(at(10), 10_ns);  // the first has just left
  EXPECT_TRUE(third.is_accepted);
  EXPECT_EQ(third.finish, at(30));
  EXPECT_FALSE(server.book(at(19), 1_ns).is_accepted);
  EXPECT_EQ(server.backlog(at(19)), 11_ns);
}

}  // namespace
}  // namespace podwire::des
