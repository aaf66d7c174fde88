#include "sim/config/document.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstring>
#include <utility>

#include "sim/base/check.hpp"
#include "sim/config/readers.hpp"
#include "sim/config/tree.hpp"

namespace podwire::config {
namespace {

constexpr std::uint64_t kLargestSource = 0xffff'0000u;  // spans are 32-bit offsets
constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

// A key that needs no quotes in a path: a word as Kubernetes field names are.
bool is_plain_path_key(std::string_view key) {
  return !key.empty() && std::all_of(key.begin(), key.end(), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_';
  });
}

std::size_t first_invalid_utf8(std::string_view text) {
  // Whole blocks by the fast check, then the block that fails byte by byte: only once, for a message.
  std::size_t at = 0;
  while (at < text.size()) {
    const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
    const unsigned lead = byte(at);
    const std::size_t length = lead < 0x80 ? 1 : lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead >= 0x80 && !is_valid_utf8(text.substr(at, length))) {
      return at;
    }
    at += length;
  }
  return text.size();
}

bool starts_like_json(std::string_view text) {
  const std::size_t at = text.find_first_not_of(" \t\r\n");
  return at != std::string_view::npos && (text[at] == '{' || text[at] == '[');
}

// Problems of the raw bytes, which neither reader should meet. False: do not parse.
bool check_bytes(SourceId source, std::string_view text, Diagnostics& diagnostics) {
  if (text.size() >= 2 && ((text[0] == '\xff' && text[1] == '\xfe') || (text[0] == '\xfe' && text[1] == '\xff'))) {
    diagnostics.error("invalid-utf8", "the text is UTF-16", {source, 0, 2}, "save it as UTF-8");
    return false;
  }
  if (!is_valid_utf8(text)) {
    const auto at = static_cast<std::uint32_t>(first_invalid_utf8(text));
    diagnostics.error("invalid-utf8",
                      fmt::format("byte 0x{:02x} is not valid UTF-8", static_cast<unsigned char>(text[at])),
                      {source, at, at + 1}, "is this a text file? save it as UTF-8");
    return false;
  }
  if (const void* zero = text.empty() ? nullptr : std::memchr(text.data(), 0, text.size())) {
    const auto at = static_cast<std::uint32_t>(static_cast<const char*>(zero) - text.data());
    diagnostics.error("invalid-utf8", "a zero byte in the text", {source, at, at + 1}, "is this a text file?");
    return false;
  }
  return true;
}

// YAML 1.2 section 5.1 allows no control characters but tab and line breaks; libfyaml lets some pass.
bool check_controls(SourceId source, std::string_view text, Diagnostics& diagnostics) {
  const auto is_control = [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte < 0x20 && byte != '\t' && byte != '\n' && byte != '\r') || byte == 0x7f;
  };
  std::size_t count = 0;  // counting to the end, rather than stopping at the first, vectorises
  for (const char c : text) {
    count += is_control(c) ? 1 : 0;
  }
  if (count == 0) {
    return true;
  }
  const auto at = static_cast<std::uint32_t>(std::find_if(text.begin(), text.end(), is_control) - text.begin());
  diagnostics.error("yaml-syntax", fmt::format("malformed YAML: a control character (0x{:02x})", text[at]),
                    {source, at, at + 1}, "write it as an escape within double quotes");
  return false;
}

// YAML's reader works line by line; a hostile line could cost it more than it is long.
bool check_lines(SourceId source, std::string_view text, const Limits& limits, Diagnostics& diagnostics) {
  std::size_t begin = 0;
  while (begin < text.size()) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    if (end - begin > limits.max_line_bytes) {
      const auto at = static_cast<std::uint32_t>(begin);
      diagnostics.error("too-long-line",
                        fmt::format("a line of {} bytes; at most {} are read", end - begin, limits.max_line_bytes),
                        {source, at, at});
      return false;
    }
    begin = end + 1;
  }
  return true;
}

}  // namespace

NodeKind Node::kind() const {
  return tree_ == nullptr ? NodeKind::null : tree_->at(index_).kind;
}

std::string_view Node::text() const {
  return tree_ == nullptr || kind() != NodeKind::scalar ? std::string_view() : tree_->text(tree_->at(index_));
}

bool Node::is_quoted() const {
  return tree_ != nullptr && (tree_->at(index_).flags & RawNode::quoted) != 0;
}

Span Node::span() const {
  return tree_ == nullptr ? Span{} : Span{tree_->source(), tree_->at(index_).begin, tree_->at(index_).end};
}

std::string_view Node::key() const {
  return tree_ == nullptr ? std::string_view() : tree_->key(tree_->at(index_));
}

Span Node::key_span() const {
  if (tree_ == nullptr) {
    return {};
  }
  const RawNode& node = tree_->at(index_);
  return node.parent != kNoNode && tree_->at(node.parent).kind == NodeKind::mapping
             ? Span{tree_->source(), node.key_begin, node.key_end}
             : Span{};
}

Node Node::find(std::string_view member_key) const {
  const std::uint32_t member = tree_ == nullptr ? kNoNode : tree_->find(tree_->at(index_), member_key);
  return member == kNoNode ? Node() : Node(tree_, member);
}

std::size_t Node::size() const {
  return tree_ != nullptr && tree_->at(index_).is_container() ? tree_->at(index_).count : 0;
}

Node Node::parent() const {
  const std::uint32_t parent = tree_ == nullptr ? kNoNode : tree_->at(index_).parent;
  return parent == kNoNode ? Node() : Node(tree_, parent);
}

std::string Node::path() const {
  std::vector<std::string> steps;
  for (Node node = *this; node.parent().is_present(); node = node.parent()) {
    const Node above = node.parent();
    if (above.is_sequence()) {
      std::size_t position = 0;
      for (const Node item : above) {
        if (item == node) {
          break;
        }
        ++position;
      }
      steps.push_back(fmt::format("[{}]", position));
    } else if (is_plain_path_key(node.key())) {
      steps.push_back(fmt::format(".{}", node.key()));
    } else {
      steps.push_back(fmt::format("[\"{}\"]", node.key()));
    }
  }
  std::string path;
  for (auto step = steps.rbegin(); step != steps.rend(); ++step) {
    path += *step;
  }
  return path.starts_with('.') ? path.substr(1) : path;
}

Node::Iterator Node::begin() const {
  return tree_ != nullptr && tree_->at(index_).is_container() ? Iterator(tree_, tree_->at(index_).first) : end();
}

Node::Iterator& Node::Iterator::operator++() {
  index_ = tree_->at(index_).next;
  return *this;
}

Document::Document() = default;
Document::Document(Document&&) noexcept = default;
Document& Document::operator=(Document&&) noexcept = default;
Document::~Document() = default;
Document::Document(std::unique_ptr<Tree> tree) : tree_(std::move(tree)) {}

SourceId Document::source() const {
  return tree_ == nullptr ? SourceId() : tree_->source();
}

const std::vector<Node>& Document::roots() const {
  static const std::vector<Node> kNone;
  return tree_ == nullptr ? kNone : tree_->roots();
}

Result<Document> parse_text(SourceMap& sources, std::string name, std::string text, const Limits& limits) {
  Diagnostics diagnostics;
  const std::uint64_t most = std::min(limits.max_bytes, kLargestSource);
  if (text.size() > most) {
    const std::size_t size = text.size();
    const SourceId source = sources.add(std::move(name), {});  // the text itself is not kept
    diagnostics.error("too-large", fmt::format("{} bytes; at most {} are read", size, most), {source, 0, 0});
    return Result<Document>(std::move(diagnostics));
  }
  text.reserve(text.size() + kJsonPadding);
  const char* const buffer = text.data();
  const SourceId source = sources.add(std::move(name), std::move(text));
  const std::string_view stored = sources.text(source);
  const std::size_t start = stored.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0;
  auto tree = std::make_unique<Tree>(source, stored);
  if (check_bytes(source, stored, diagnostics)) {
    bool read = false;
    if (starts_like_json(stored.substr(start))) {
      // The string's buffer moved along with its spare capacity, or else the reader has to copy.
      Diagnostics problems;
      const JsonOutcome outcome = read_json(*tree, start, stored.data() == buffer, limits, problems);
      read = outcome != JsonOutcome::perhaps_yaml;
      if (read) {
        diagnostics.append(problems);
      } else {
        tree = std::make_unique<Tree>(source, stored);
      }
    }
    if (!read && check_controls(source, stored, diagnostics) && check_lines(source, stored, limits, diagnostics)) {
      read_yaml(*tree, start, limits, diagnostics);
    }
  }
  if (diagnostics.has_errors()) {
    return Result<Document>(std::move(diagnostics));
  }
  return Result<Document>(Document(std::move(tree)), std::move(diagnostics));
}

}  // namespace podwire::config
