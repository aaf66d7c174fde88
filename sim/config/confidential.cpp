#include "sim/config/confidential.hpp"

#include <algorithm>
#include <cctype>
#include <cstddef>

namespace podwire::config {
namespace {

bool is_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-' || c == '.' || c == '/';
}

/// `word` stands in `text` as a whole word that a colon follows (quotes and blanks between are fine).
bool names_key(std::string_view text, std::string_view word) {
  for (std::size_t at = text.find(word); at != std::string_view::npos; at = text.find(word, at + 1)) {
    if (at > 0 && is_word(text[at - 1])) {
      continue;
    }
    std::size_t after = at + word.size();
    while (after < text.size() &&
           (text[after] == '"' || text[after] == '\'' || std::isspace(static_cast<unsigned char>(text[after])) != 0)) {
      ++after;
    }
    if (after < text.size() && text[after] == ':') {
      return true;
    }
  }
  return false;
}

bool names_confidential_key(std::string_view text) {
  return std::any_of(kConfidentialKeys.begin(), kConfidentialKeys.end(),
                     [&](std::string_view key) { return names_key(text, key); });
}

/// The text says `kind: Secret`, in any quoting, with or without blanks. A bare word elsewhere also counts.
bool names_confidential_kind(std::string_view text) {
  for (std::size_t at = text.find("kind"); at != std::string_view::npos; at = text.find("kind", at + 1)) {
    std::size_t value = at + 4;
    while (value < text.size() && (is_word(text[value]) == false) && value < at + 64) {
      ++value;
    }
    for (const std::string_view kind : kConfidentialKinds) {
      if (text.substr(value).starts_with(kind)) {  // also SecretList, ConfigMapList
        return true;
      }
    }
  }
  return false;
}

struct Lines {
  std::string_view text;

  std::size_t begin_of(std::size_t offset) const {
    const std::size_t line_break = offset == 0 ? std::string_view::npos : text.rfind('\n', offset - 1);
    return line_break == std::string_view::npos ? 0 : line_break + 1;
  }
  std::string_view at(std::size_t begin) const {
    const std::size_t end = text.find('\n', begin);
    return text.substr(begin, end == std::string_view::npos ? end : end - begin);
  }
};

/// The document around `offset`: between lines that begin with `---`.
std::string_view document_around(std::string_view text, std::size_t offset, std::size_t& begin) {
  const Lines lines{text};
  begin = lines.begin_of(offset);
  while (begin > 0 && !text.substr(begin).starts_with("---")) {
    begin = lines.begin_of(begin - 1);
  }
  const std::size_t end = text.find("\n---", offset);
  return text.substr(begin, end == std::string_view::npos ? end : end - begin);
}

std::size_t indentation(std::string_view line) {
  const std::size_t at = line.find_first_not_of(" \t\r");
  return at == std::string_view::npos ? line.size() : at;
}

/// Whether an enclosing line names a confidential key: the lines above with ever smaller indentation. A `- ` item, a
/// bracket or a quote may stand as deep as the key it belongs to.
bool is_enclosed(std::string_view document, std::size_t offset) {
  const Lines lines{document};
  std::size_t begin = lines.begin_of(offset);
  std::string_view line = lines.at(begin);
  if (names_confidential_key(line)) {
    return true;
  }
  std::size_t depth = indentation(line);
  const auto may_align = [](std::string_view text) {
    const std::size_t at = indentation(text);
    return at >= text.size() || std::string_view("-[{\"'}]|>").find(text[at]) != std::string_view::npos ||
           text.find(':') == std::string_view::npos;
  };
  bool aligned = may_align(line);
  while (begin > 0) {
    begin = lines.begin_of(begin - 1);
    line = lines.at(begin);
    const std::size_t here = indentation(line);
    const bool is_blank = here >= line.size() || line[here] == '\r';
    if (is_blank || line[here] == '#' || here > depth || (here == depth && !aligned)) {
      continue;
    }
    if (names_confidential_key(line)) {
      return true;
    }
    if (here < depth) {
      depth = here;
      aligned = may_align(line);
    }
  }
  return false;
}

}  // namespace

bool may_hold_secret(std::string_view text, std::uint32_t offset, bool after_syntax_error) {
  std::size_t begin = 0;
  const std::size_t at = std::min<std::size_t>(offset, text.size());
  const std::string_view document = document_around(text, at, begin);
  if (names_confidential_kind(document)) {
    return true;
  }
  const std::size_t first = document.find_first_not_of(" \t\r\n-\xef\xbb\xbf");
  const bool is_flow = first != std::string_view::npos && (document[first] == '{' || document[first] == '[');
  if (is_flow || after_syntax_error) {
    return names_confidential_key(document);
  }
  return is_enclosed(document, at - begin);
}

}  // namespace podwire::config
