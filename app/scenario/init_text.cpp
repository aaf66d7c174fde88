// See the header.
#include "app/scenario/init_text.hpp"

#include "sim/base/text.hpp"

namespace podwire::scenario {
namespace {

constexpr std::size_t kRemarkColumn = 40;
constexpr std::size_t kMostRemark = 2000;

}  // namespace

void CommentedYaml::line(unsigned depth, const std::string& text, const std::string& remark) {
  const std::size_t indent = 2 * std::size_t{depth};
  text_.append(indent, ' ');
  text_ += text;
  if (!remark.empty()) {
    const std::size_t width = indent + text.size();
    text_.append(width + 2 < kRemarkColumn ? kRemarkColumn - width : 2, ' ');
    text_ += "# " + printable(remark, kMostRemark);
  }
  text_ += '\n';
}

void CommentedYaml::comment(unsigned depth, const std::string& text) {
  text_.append(2 * std::size_t{depth}, ' ');
  text_ += "# " + printable(text, kMostRemark) + "\n";
}

}  // namespace podwire::scenario
