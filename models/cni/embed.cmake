# Writes OUTPUT: the text of each file in FILES as a C++ string, in the order of their names. Run by models/cni's build.
set(entries "")
set(count 0)
foreach(file IN LISTS FILES)
  get_filename_component(name "${file}" NAME_WLE)
  file(READ "${file}" text)
  string(APPEND entries "    {\"${name}\", R\"profile(${text})profile\"},\n")
  math(EXPR count "${count} + 1")
endforeach()
file(WRITE "${OUTPUT}" "// Generated from models/cni/profiles/*.yaml by models/cni/embed.cmake.
#include \"models/cni/builtin.hpp\"

namespace podwire::cni {

static const std::array<BuiltinText, ${count}> kTexts = {{
${entries}}};

std::span<const BuiltinText> builtin_texts() { return kTexts; }

}  // namespace podwire::cni
")
