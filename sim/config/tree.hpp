// The storage behind Document: all nodes of one file in one vector, 48 bytes each, linked as parent, next and first
// child.
//
// Invariants: texts are (offset, length) into the source or, where escapes were resolved or lines folded, into an
// arena; offsets stay valid while both grow. A mapping's members have distinct keys once it is closed; past 8 members a
// closed mapping has a sorted index of its members (by length, then bytes: no hash that hostile keys could make
// collide). Private to sim/config: others see Node and Document.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sim/base/diagnostic.hpp"
#include "sim/config/document.hpp"

namespace podwire::config {

inline constexpr std::uint32_t kNoNode = 0xffff'ffff;
inline constexpr std::uint32_t kLinearMembers = 8;

/// A piece of text in the source or in the arena.
struct TextRef {
  std::uint32_t at = 0;
  std::uint32_t length = 0;
  bool in_arena = false;
};

struct RawNode {
  enum Flag : std::uint8_t { quoted = 1, text_in_arena = 2, key_in_arena = 4, indexed = 8, plain_key = 16 };

  std::uint32_t begin = 0;  // span of the value in the source
  std::uint32_t end = 0;
  std::uint32_t first = kNoNode;  // first child; of a scalar: offset of its text
  std::uint32_t count = 0;        // children; of a scalar: length of its text
  std::uint32_t key_at = 0;       // the key's text
  std::uint32_t key_length = 0;
  std::uint32_t key_begin = 0;  // span of the key in the source; begin == end: no key
  std::uint32_t key_end = 0;
  std::uint32_t parent = kNoNode;
  std::uint32_t next = kNoNode;
  std::uint32_t last = kNoNode;  // last child; once indexed: start of the sorted members
  NodeKind kind = NodeKind::null;
  std::uint8_t flags = 0;

  bool is_container() const { return kind == NodeKind::sequence || kind == NodeKind::mapping; }
};
static_assert(sizeof(RawNode) == 48);

class Tree {
 public:
  Tree(SourceId source, std::string_view text) : source_(source), source_text_(text) {}

  SourceId source() const { return source_; }
  std::string_view source_text() const { return source_text_; }
  const RawNode& at(std::uint32_t index) const { return nodes_[index]; }
  std::string_view text(const RawNode& node) const {
    return node.kind == NodeKind::scalar || node.kind == NodeKind::null
               ? piece(node.first, node.count, (node.flags & RawNode::text_in_arena) != 0)
               : std::string_view();
  }
  std::string_view key(const RawNode& node) const {
    return piece(node.key_at, node.key_length, (node.flags & RawNode::key_in_arena) != 0);
  }
  std::uint32_t find(const RawNode& mapping, std::string_view key) const;
  const std::vector<Node>& roots() const { return roots_; }

 private:
  friend class TreeBuilder;

  std::string_view piece(std::uint32_t at, std::uint32_t length, bool in_arena) const {
    return length == 0 ? std::string_view() : (in_arena ? std::string_view(arena_) : source_text_).substr(at, length);
  }

  SourceId source_;
  std::string_view source_text_;
  std::string arena_;
  std::vector<RawNode> nodes_;
  std::vector<std::uint32_t> sorted_;  // members of the indexed mappings
  std::vector<Node> roots_;
};

/// Fills a Tree from the events of a reader, checks nesting and duplicate keys.
class TreeBuilder {
 public:
  TreeBuilder(Tree& tree, const Limits& limits, Diagnostics& diagnostics)
      : tree_(tree), limits_(limits), diagnostics_(diagnostics) {}

  void reserve(std::size_t nodes) { tree_.nodes_.reserve(nodes); }
  /// The arena: texts that are not in the source are appended here.
  std::string& arena() { return tree_.arena_; }

  /// The key of the next value. `is_plain`: written without quotes (a merge key must be).
  void key(TextRef text, std::uint32_t begin, std::uint32_t end, bool is_plain);
  std::uint32_t scalar(NodeKind kind, TextRef text, std::uint32_t begin, std::uint32_t end, bool is_quoted);
  /// A scalar outside of the tree: the anchored key that aliases may name.
  std::uint32_t loose_scalar(TextRef text, std::uint32_t begin, std::uint32_t end, bool is_quoted);
  /// Opens a sequence or a mapping; kNoNode (and a diagnostic) past the depth limit.
  std::uint32_t open(NodeKind kind, std::uint32_t begin);
  /// Closes the innermost container; reports its duplicate keys. Returns the container.
  std::uint32_t close(std::uint32_t end);
  /// Adds a copy of the subtree at `from` as the next value, adding its size to `copied`; false (and a diagnostic at
  /// `use`) past the depth limit or the alias limit.
  bool copy(std::uint32_t from, Span use, std::uint32_t& copied);
  /// Removes from the open mapping the member `member`.
  void detach(std::uint32_t member);
  /// Takes the node just completed at top level as a document's root; null roots are dropped.
  void finish_root(std::uint32_t root);

  /// How far the tree is filled; rewind() drops everything added since, which nothing older refers to.
  struct Mark {
    std::size_t nodes;
    std::size_t arena;
    std::size_t sorted;
    std::size_t roots;
  };
  Mark mark() const { return {tree_.nodes_.size(), tree_.arena_.size(), tree_.sorted_.size(), tree_.roots_.size()}; }
  void rewind(const Mark& mark);

  std::uint32_t current() const { return current_; }
  std::uint32_t depth() const { return depth_; }
  const RawNode& at(std::uint32_t index) const { return tree_.nodes_[index]; }
  std::string_view key_of(std::uint32_t index) const { return tree_.key(tree_.nodes_[index]); }
  /// The member of the (open or closed) mapping with this key, by a linear search, or kNoNode.
  std::uint32_t find_linear(std::uint32_t mapping, std::string_view key) const;
  /// Forgets everything that is still open (after a syntax error).
  void abandon();
  Span span(std::uint32_t begin, std::uint32_t end) const { return {tree_.source_, begin, end}; }

 private:
  std::uint32_t attach(RawNode node);
  void check_members(std::uint32_t mapping);
  void report_duplicate(std::uint32_t later);
  bool copy_into(std::uint32_t from, Span use, std::uint32_t& copied);

  Tree& tree_;
  const Limits& limits_;
  Diagnostics& diagnostics_;
  RawNode pending_key_;  // its key fields are the next value's
  std::uint32_t current_ = kNoNode;
  std::uint32_t depth_ = 0;
  bool copying_ = false;
};

}  // namespace podwire::config
