// The stub resolver over TCP (glibc resolv/res_send.c, send_vc): where an answer came cut, and with `options use-vc`.
// Both queries go over one connection to the server of the turn; whatever breaks it ends that turn. There is no timer
// but the kernel's: its SYN and retransmission schedules rule.
#include "models/dns/resolver.hpp"

namespace podwire::dns {

using transport::Event;
using transport::EventKind;
using transport::SocketHandle;

void Resolver::begin_tcp(std::uint32_t index) {
  Lookup& lookup = lookups_[index];
  simulator_.cancel(lookup.timer);  // send_vc has no timer of its own: the kernel's schedules rule
  lookup.sides = {};
  lookup.tcp_answers = {};
  lookup.tcp = transport_.connect(connect_options(index));
}

void Resolver::note_tcp_answer(std::uint64_t cookie, RecordType type, AnswerId answer) {
  if (const std::uint32_t index = find_lookup(cookie); index != 0xffff'ffff && lookups_[index].tcp.is_valid()) {
    lookups_[index].tcp_answers[type == RecordType::aaaa ? 1 : 0] = answer;
  }
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
      const auto [a, aaaa] = lookup.tcp_answers;
      if (!a.is_valid() || !aaaa.is_valid()) {
        return;  // one of the two is still being worked on
      }
      const std::uint64_t expected =
          std::uint64_t{4} + zone_.answer(a).message_bytes + zone_.answer(aaaa).message_bytes;
      if (event.bytes >= expected) {
        lookup.has_heard = true;
        lookup.sides = {Side{a, true, false}, Side{aaaa, true, false}};
        tell_heard(lookup, a);
        tell_heard(lookup, aaaa);
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
