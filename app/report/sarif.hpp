// What SARIF reports share: where a finding is. Source: OASIS, Static Analysis Results Interchange Format 2.1.0.
#pragma once

#include "app/report/json.hpp"
#include "sim/base/diagnostic.hpp"

namespace podwire::report {

/// A location object with the file and region of `span`; empty when the span is unknown. Columns count code points.
ordered_json sarif_location(const Span& span, const SourceMap& sources);

}  // namespace podwire::report
