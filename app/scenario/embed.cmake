# Writes OUTPUT: the text of FILE as a C++ string. Run by app/scenario's build.
file(READ "${FILE}" text)
file(WRITE "${OUTPUT}" "// Generated from scenarios/schema.json by app/scenario/embed.cmake.
#include \"app/scenario/schema.hpp\"

namespace podwire::scenario {

std::string_view scenario_schema() {
  return R\"schema(${text})schema\";
}

}  // namespace podwire::scenario
")
