// The values of a profile as a table: where each stands in a file, what it is called, and the member it goes to.
// Reading, overriding, listing and checking for completeness all walk this one table, so that none can forget a member.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "models/cni/profile.hpp"

namespace podwire::cni {

/// One value of a profile file.
struct Field {
  using Member = std::variant<Duration*, Bytes*, bool*, std::uint64_t*, DenyAction*, EstablishedFlows*, Hairpin*,
                              EnforcementPoint*, NamedPortsOn*, NamedPortInBlock*, AdminTiers*, PodStart*, DelayShape*,
                              Encapsulation*>;
  std::string path;       // "costs.service-nat.cost"
  std::string_view unit;  // in which it is listed: "us", "s", "B", "" for the rest
  Member member;
  bool is_required = true;    // in a file that extends nothing
  bool is_step_time = false;  // counts for the profile's `timing`
  std::string description;
};

/// All fields, bound to the members of `profile`, in the order in which they are listed.
std::vector<Field> fields_of(Profile& profile);

/// The member's present value as it is listed, in the field's unit: exact decimals without trailing zeros.
std::string listed_value(const Field& field);

/// The words for the members that are choices, in the order of their enumerators.
std::span<const std::string_view> choices(const Field::Member& member);

}  // namespace podwire::cni
