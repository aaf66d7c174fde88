// Shows diagnostics to people: message first, then place, the source line, a caret, help.
#pragma once

#include <string>

#include "sim/base/diagnostic.hpp"

namespace podwire::config {

struct RenderOptions {
  bool color = false;
  bool short_form = false;  // one line each: place: severity: message [code]; help
  std::size_t limit = 50;   // further ones are counted
};

/// All diagnostics in source order, errors and warnings, ending with a count ("3 errors, 1 warning"). Foreign text is
/// escaped for the terminal; a line longer than the width is shown around the caret; lines that may hold secrets are
/// not shown.
std::string render(const Diagnostics& diagnostics, const SourceMap& sources, const RenderOptions& options = {});

/// The source line of one diagnostic and the caret line below it, each indented and with a line break; "" where it has
/// no place. The same care as in render().
std::string source_excerpt(const Diagnostic& diagnostic, const SourceMap& sources, bool color);

}  // namespace podwire::config
