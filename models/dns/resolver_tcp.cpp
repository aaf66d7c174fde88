// The stub resolver over TCP (glibc resolv/res_send.c, send_vc): where an answer came cut, and with `options use-vc`.
// Both queries go over one connection to the server of the turn; whatever breaks it ends that turn. There is no timer
// but the kernel's: its SYN and retransmission schedules rule.
#include <algorithm>

#include "models/dns/resolver.hpp"

namespace podwire::dns {

using transport::Event;
using transport::EventKind;
using transport::SocketHandle;

void Resolver::begin_tcp(std::uint32_t index) {
  Lookup& lookup = lookups_[index];
  simulator_.cancel(lookup.timer);  // send_vc has no timer of its own: the kernel's schedules rule
  lookup.sides = {};
  lookup.tcp = transport_.connect(connect_options(index));
}

AnswerId Resolver::answer_of(const Lookup& lookup, std::size_t side) {
  const IpAddress server = confs_[lookup.conf.index()].nameservers[lookup.server];
  const auto& outside = options_.host.nameservers;
  const bool is_outside = std::find(outside.begin(), outside.end(), server) != outside.end();
  return zone_.resolve(candidate_name(lookup), kSideTypes[side],
                       is_outside ? Zone::Scope::outside : Zone::Scope::cluster);
}

void Resolver::tcp_event(std::uint32_t index, const Event& event) {
  Lookup& lookup = lookups_[index];
  switch (event.kind) {
    case EventKind::connected:
      // Both queries in order over the one connection, each with its length in front (RFC 7766).
      lookup.queries += 2;
      queries_ += 2;
      transport_.send(lookup.tcp, std::uint64_t{2} * (2 + query_bytes(names_[candidate_name(lookup)])));
      return;
    case EventKind::received: {
      const AnswerId a = answer_of(lookup, 0);
      const AnswerId aaaa = answer_of(lookup, 1);
      const std::uint64_t expected =
          std::uint64_t{4} + zone_.answer(a).message_bytes + zone_.answer(aaaa).message_bytes;
      if (event.bytes >= expected) {
        lookup.has_heard = true;
        lookup.sides = {Side{a, true, false}, Side{aaaa, true, false}};
        end_candidate_by_answers(index);
      }
      return;
    }
    case EventKind::failed:
    case EventKind::peer_closed:
    case EventKind::closed:
      if (event.kind == EventKind::peer_closed) {
        transport_.close(lookup.tcp);
      }
      lookup.tcp = SocketHandle();
      next_server(index);
      return;
    case EventKind::accepted:
      return;
  }
}

}  // namespace podwire::dns
