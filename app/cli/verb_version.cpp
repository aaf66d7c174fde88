// podwire version.
#include <fmt/format.h>

#include "app/cli/cli.hpp"
#include "app/report/models_report.hpp"

namespace podwire::cli {

Exit verb_version(const CommandLine& line) {
  return write_outputs(line, [](Format format, const report::Style&) {
    const report::Version version{
        .version = PODWIRE_VERSION, .build = PODWIRE_BUILD_TYPE, .compiler = PODWIRE_COMPILER};
    return format == Format::json ? report::version_json(version)
           : format == Format::csv
               ? report::version_csv(version)
               : fmt::format("podwire {} ({}, {})\n", version.version, version.build, version.compiler);
  });
}

}  // namespace podwire::cli
