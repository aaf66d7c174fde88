// `podwire diff -o csv`: a line for each row, with its first reason; further reasons repeat the row.
#include "app/report/diff_report.hpp"
#include "app/report/escape.hpp"

namespace podwire::report {
namespace {

class CsvPrinter : public DiffPrinter {
 public:
  explicit CsvPrinter(Sink sink) : sink_(std::move(sink)) {}

  void begin(const DiffHead&) override {
    sink_(
        "change,cause,source,destination,before,after,opened,closed,approved,direction,rule_before,place_before,"
        "rule_after,place_after\n");
  }

  void row(const DiffLine& line) override {
    std::vector<DiffReason> reasons = line.reasons();
    if (reasons.empty()) {
      reasons.emplace_back();
    }
    for (const DiffReason& reason : reasons) {
      sink_(csv_line({line.change, line.cause, line.source, line.destination, line.before, line.after, line.opened,
                      line.closed, line.is_approved ? "yes" : "no", reason.direction, reason.before,
                      reason.before_place, reason.after, reason.after_place}));
    }
  }

  void end(const DiffTail&) override {}

 private:
  Sink sink_;
};

}  // namespace

std::unique_ptr<DiffPrinter> diff_csv(Sink sink) {
  return std::make_unique<CsvPrinter>(std::move(sink));
}

}  // namespace podwire::report
