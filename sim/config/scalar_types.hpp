// What a plain YAML scalar means to kubectl, and how messages name a node. Private to sim/config.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sim/config/document.hpp"

namespace podwire::config {

/// The type that go-yaml v2, which reads YAML for kubectl (sigs.k8s.io/yaml goyaml.v2/resolve.go), gives a plain
/// scalar.
enum class PlainType : std::uint8_t { null, boolean, integer, number, string };
PlainType plain_type(std::string_view text);

/// `true yes on y` and `false no off n` in the three spellings of YAML 1.1, else nothing.
std::optional<bool> plain_bool(std::string_view text);

/// Decimal, 0x, 0o, 0b or a leading 0 (octal), underscores allowed; nothing if it is no integer of 64 bits.
std::optional<std::int64_t> plain_integer(std::string_view text);

/// A decimal number in plain or exponent form, nothing for inf and nan.
std::optional<double> decimal(std::string_view text);

/// "a mapping", "the number 80", `the string "x"`; the value itself is left out where it may be confidential.
std::string describe(Node node);

/// The value stands under env, annotations, data and their like, or in a Secret or ConfigMap: never echo it.
bool is_confidential(Node node);

/// The value in quotes, cut and escaped for a message, or "the value" if it may be confidential.
std::string quoted_value(Node node);

}  // namespace podwire::config
