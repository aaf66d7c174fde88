// The JSON Schema of a scenario file (draft 7), for editors and other programs. It is written by hand in
// scenarios/schema.json; the tests compare its keys with those that the reader asks for, both ways, and check every
// scenario against it. The reader is stricter: what a name or a unit means is beyond a schema.
#pragma once

#include <string_view>

namespace podwire::scenario {

/// The text of scenarios/schema.json, as it was when this program was built.
std::string_view scenario_schema();

}  // namespace podwire::scenario
