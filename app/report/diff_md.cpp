// `podwire diff -o md`: a comment for a pull request. GitHub takes at most 65,536 characters, so rows are added by
// severity until the budget is spent and the rest is counted; bytes are counted, which are never fewer. What was
// approved comes last, so that it never hides what was not; the list of policies has room of its own. All that comes
// from the input stands in code spans: no markup, no mention of people, no links.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "app/report/diff_report.hpp"
#include "app/report/escape.hpp"

namespace podwire::report {
namespace {

constexpr std::size_t kMostBytes = 65'535;
constexpr std::size_t kReserved = 2'048;  // for what is said about what was cut off
constexpr std::size_t kMostRows = 400;    // kept of one severity: more cannot fit
constexpr std::size_t kCell = 160;        // bytes of a name
constexpr std::size_t kMostReasons = 3;
constexpr std::size_t kPolicies = 8'192;  // kept for the list of policies, as far as it needs it

class MdPrinter : public DiffPrinter {
 public:
  explicit MdPrinter(Sink sink) : sink_(std::move(sink)) {}

  void begin(const DiffHead& head) override { head_ = head; }

  void row(const DiffLine& line) override {
    Section& section = (line.is_approved ? approved_ : sections_)[static_cast<std::size_t>(line.severity)];
    if (++section.count > kMostRows) {
      return;
    }
    std::string reasons;
    const std::vector<DiffReason> all = line.reasons();
    for (std::size_t i = 0; i < std::min(all.size(), kMostReasons); ++i) {
      reasons += fmt::format("{}{}: {} → {}", i == 0 ? "" : "<br>", all[i].direction,
                             rule(all[i].before, all[i].before_place), rule(all[i].after, all[i].after_place));
    }
    if (all.size() > kMostReasons) {
      reasons += fmt::format("<br>and {} more", all.size() - kMostReasons);
    }
    section.rows.push_back(fmt::format("| {} | {} | {} | {} |\n", md_code(line.source, kCell),
                                       md_code(line.destination, kCell), md_code(diff_ports_text(line), kCell),
                                       reasons));
  }

  void end(const DiffTail& tail) override {
    text_ = fmt::format("### podwire diff: {}\n\n{} → {}: **{}**\n\n", diff_answer(tail), md_code(head_.before, kCell),
                        md_code(head_.after, kCell), result_text(tail));
    for (const std::string& note : diff_notes(tail)) {
      add(fmt::format("- {}\n", md_code(note, 4 * kCell)));
    }
    add(fmt::format("- {}, {}\n", md_code(head_.basis_after.cni, 2 * kCell),
                    md_code(head_.basis_after.cluster, 2 * kCell)));
    for (const auto* list : {&head_.basis_before.unknown, &head_.basis_after.unknown}) {
      if (!list->empty()) {
        add(fmt::format("- not modelled: {}{}\n", md_code(list->front(), 2 * kCell),
                        list->size() > 1 ? fmt::format(" and {} more", list->size() - 1) : ""));
      }
    }
    approvals("expired, does not count", tail.expired);
    approvals("matches nothing", tail.stale);
    const std::string listed_policies = policies(tail);
    kept_ = kReserved + listed_policies.size();
    for (const bool is_approved : {false, true}) {
      for (std::size_t i = 0; i < kDiffSeverities; ++i) {
        write(fmt::format("{}{}", is_approved ? "approved: " : "", to_string(static_cast<DiffSeverity>(i))),
              (is_approved ? approved_ : sections_)[i]);
      }
    }
    text_ += listed_policies;
    if (hidden_ > 0) {
      text_ += fmt::format("\n{} not shown for want of space; `-o csv` has all of them.\n", hidden_);
    }
    sink_(text_);
  }

 private:
  struct Section {
    std::uint64_t count = 0;
    std::vector<std::string> rows;
  };

  static std::string rule(const std::string& text, const std::string& place) {
    return md_code(text, kCell) + (place.empty() ? "" : " at " + md_code(place, kCell));
  }

  static std::string result_text(const DiffTail& tail) {
    return tail.result == "approved" ? "all differences are approved" : tail.result;
  }

  bool add(const std::string& text) {
    if (text_.size() + text.size() > kMostBytes - kept_) {
      return false;
    }
    text_ += text;
    return true;
  }

  void approvals(std::string_view what, const std::vector<DiffApproval>& entries) {
    constexpr std::size_t kMost = 20;
    for (std::size_t i = 0; i < std::min(entries.size(), kMost); ++i) {
      add(fmt::format("- approved change {}: {} (until {}, {})\n", what, md_code(entries[i].text, 2 * kCell),
                      entries[i].expires, md_code(entries[i].owner, kCell)));
    }
    if (entries.size() > kMost) {
      add(fmt::format("- and {} more approved changes: {}\n", entries.size() - kMost, what));
    }
  }

  void write(const std::string& title, const Section& section) {
    if (section.count == 0) {
      return;
    }
    std::size_t shown = 0;
    if (add(fmt::format("\n#### {} ({})\n\n| source | destination | connections | rules |\n|---|---|---|---|\n", title,
                        section.count))) {
      while (shown < section.rows.size() && add(section.rows[shown])) {
        ++shown;
      }
    }
    hidden_ += section.count - shown;
    if (shown > 0 && shown < section.count) {
      text_ += fmt::format("\n{} more of these are not shown.\n", section.count - shown);
    }
  }

  static std::string policies(const DiffTail& tail) {
    if (tail.policies.empty()) {
      return {};
    }
    std::string text = fmt::format("\n#### policies ({})\n\n", tail.policies.size());
    for (std::size_t i = 0; i < tail.policies.size(); ++i) {
      const DiffPolicy& policy = tail.policies[i];
      const bool is_idle = policy.effect == analysis::PolicyChange::Effect::none;
      const std::string& place = policy.after_place.empty() ? policy.before_place : policy.after_place;
      const std::string line = fmt::format("- {}: {} at {}{}\n", policy.change, md_code(policy.name, kCell),
                                           md_code(place, kCell), is_idle ? " (no effect)" : "");
      if (text.size() + line.size() > kPolicies) {
        return text + fmt::format("- and {} more\n", tail.policies.size() - i);
      }
      text += line;
    }
    return text;
  }

  Sink sink_;
  DiffHead head_;
  std::array<Section, kDiffSeverities> sections_;
  std::array<Section, kDiffSeverities> approved_;
  std::size_t kept_ = kReserved + kPolicies;  // bytes for what comes after the rows
  std::string text_;
  std::uint64_t hidden_ = 0;
};

}  // namespace

std::unique_ptr<DiffPrinter> diff_md(Sink sink) {
  return std::make_unique<MdPrinter>(std::move(sink));
}

}  // namespace podwire::report
