// libfyaml's syntax errors in the words of someone who writes manifests. Its messages are fixed texts of its scanner
// and parser (0.7.12); one that is not listed is shown as it is.
#include <array>
#include <string>
#include <string_view>

#include "sim/config/readers.hpp"

namespace podwire::config {
namespace {

struct SyntaxHint {
  std::string_view part;  // of libfyaml's message
  std::string_view message;
  std::string_view help;
};

constexpr std::array<SyntaxHint, 18> kSyntaxHints = {{
    {"tab", "a tab is used for indentation", "indent with spaces"},
    {"scalar without closing quote", "this quote is never closed", "add the closing quote"},
    {"trailing content after", "text after the closing quote", "quote the whole value, or escape the quote inside it"},
    {"used as key", "this key spans several lines; is a closing quote missing?", "close the quote on its line"},
    {"invalid comment", "a comment needs a space before '#'", "add a space, or put the value in quotes"},
    {"quoted scalar", "this quoted text runs on into a line that does not belong to it", "is a closing quote missing?"},
    {"invalid indentation in mapping", "this line's indentation fits no mapping above it",
     "line it up with its siblings"},
    {"wrongly indented sequence item", "this item's indentation fits no sequence above it",
     "line it up with its siblings"},
    {"invalid extra closing", "a closing bracket too many", "remove it"},
    {"without a closing bracket", "a '[' is never closed", "add the ']'"},
    {"did not find expected node content", "a value is missing here", "is a bracket not closed?"},
    {"did not find expected '-' indicator", "expected a '- ' item like the ones above", "check the indentation"},
    {"could not find expected ':'", "expected ':' after this key", "a key is followed by a colon and a space"},
    {"did not find expected key", "expected a key here", "check the indentation and the quotes above"},
    {"invalid multiline plain key", "this key spans several lines; is a ':' missing above?",
     "a key is followed by a colon and a space"},
    {"invalid mapping in plain multiline", "a ':' in a text that began without quotes on an earlier line",
     "check the indentation, or put the text in quotes"},
    {"invalid nested block mapping on the same line", "a second ': ' on one line",
     "put the value in quotes, or the inner mapping on its own lines"},
    {"plain scalar cannot start with", "a value cannot begin with this character", "put the value in quotes"},
}};

}  // namespace

void word_syntax_error(std::string& message, std::string& help) {
  for (const SyntaxHint& hint : kSyntaxHints) {
    if (message.find(hint.part) != std::string::npos) {
      message = hint.message;
      help = hint.help;
      return;
    }
  }
}

}  // namespace podwire::config
