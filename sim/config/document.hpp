// Documents read from users: one tree of nodes for YAML and JSON, each node with its place in the source.
//
// Scalars keep the text as written (escapes resolved) and whether it was quoted; what they mean is decided by the
// reader that asks for a type (see reader.hpp), because Kubernetes YAML is 1.1-ish and our schemas say what a field is.
// Duplicate keys, undefined aliases and everything past the limits are errors while reading, never later.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sim/base/diagnostic.hpp"
#include "sim/base/result.hpp"

namespace podwire::config {

/// What one input may cost; checked before anything is allocated for it.
struct Limits {
  std::uint64_t max_bytes = std::uint64_t{1} << 30;  // one file
  std::uint32_t max_depth = 100;                     // nested sequences and mappings
  std::uint32_t max_alias_nodes = 10'000;            // nodes that aliases may add to one document by expansion
  std::uint32_t max_line_bytes = 1 << 20;            // YAML only: a JSON dump may be one line
  std::uint32_t max_documents = 100'000;             // in one file
};

enum class NodeKind : std::uint8_t { null, scalar, sequence, mapping };

class Tree;

/// A borrowed handle on one node: 16 bytes, valid while its Document lives. A default-constructed Node is "absent":
/// every accessor of it answers as for an empty null, so that chains of find() need no checks.
class Node {
 public:
  constexpr Node() = default;
  constexpr Node(const Tree* tree, std::uint32_t index) : tree_(tree), index_(index) {}

  bool is_present() const { return tree_ != nullptr; }
  NodeKind kind() const;
  bool is_null() const { return kind() == NodeKind::null; }  // absent, `~`, `null` or nothing after the colon
  bool is_scalar() const { return kind() == NodeKind::scalar; }
  bool is_sequence() const { return kind() == NodeKind::sequence; }
  bool is_mapping() const { return kind() == NodeKind::mapping; }

  /// The scalar's text, else "".
  std::string_view text() const;
  /// Written in quotes or as a block scalar (JSON: a string), hence a string whatever it looks like.
  bool is_quoted() const;
  /// Where the value stands; of an absent node an unknown span.
  Span span() const;
  /// The key of this node in its mapping and its place; "" and unknown elsewhere.
  std::string_view key() const;
  Span key_span() const;

  /// The member with this key, or an absent node. Linear up to 8 members, then by an index: O(1).
  Node find(std::string_view member_key) const;
  /// Number of items or members.
  std::size_t size() const;
  Node parent() const;
  /// "spec.ingress[0].ports[1].port", from the document's root.
  std::string path() const;

  /// Children in document order: a sequence's items or a mapping's member values (each knows its key()).
  class Iterator {
   public:
    constexpr Iterator() = default;
    constexpr Iterator(const Tree* tree, std::uint32_t index) : tree_(tree), index_(index) {}
    Node operator*() const { return Node(tree_, index_); }
    Iterator& operator++();
    bool operator!=(const Iterator& other) const { return index_ != other.index_; }
    bool operator==(const Iterator& other) const { return index_ == other.index_; }

   private:
    const Tree* tree_ = nullptr;
    std::uint32_t index_ = 0xffff'ffff;
  };
  Iterator begin() const;
  Iterator end() const { return Iterator(tree_, 0xffff'ffff); }

  bool operator==(const Node& other) const { return tree_ == other.tree_ && index_ == other.index_; }

 private:
  const Tree* tree_ = nullptr;
  std::uint32_t index_ = 0;
};

/// One file's documents (YAML `---`, a JSON value, or JSON lines one after another). Movable; nodes stay valid.
class Document {
 public:
  Document();
  Document(Document&&) noexcept;
  Document& operator=(Document&&) noexcept;
  ~Document();
  explicit Document(std::unique_ptr<Tree> tree);

  SourceId source() const;
  /// The root of each document that is not empty.
  const std::vector<Node>& roots() const;

 private:
  std::unique_ptr<Tree> tree_;
};

/// Reads `text` (added to `sources` as `name`). JSON is recognised by its first character `{` or `[` and read by the
/// JSON reader; everything else, and JSON with comments or trailing commas, by the YAML reader. Errors: yaml-syntax,
/// json-syntax, duplicate-key, undefined-alias, too-deep, too-many-aliases, too-long-line, too-large, invalid-utf8.
Result<Document> parse_text(SourceMap& sources, std::string name, std::string text, const Limits& limits = {});

}  // namespace podwire::config
