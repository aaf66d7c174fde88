#include "sim/config/tree.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "sim/base/check.hpp"
#include "sim/base/text.hpp"

namespace podwire::config {
namespace {

// Any total order serves a lookup; length first tells most keys apart without touching their bytes.
int compare_keys(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) {
    return a.size() < b.size() ? -1 : 1;
  }
  return a.empty() ? 0 : std::memcmp(a.data(), b.data(), a.size());
}

}  // namespace

std::uint32_t Tree::find(const RawNode& mapping, std::string_view key_text) const {
  if (mapping.kind != NodeKind::mapping) {
    return kNoNode;
  }
  if ((mapping.flags & RawNode::indexed) == 0) {
    for (std::uint32_t i = mapping.first; i != kNoNode; i = nodes_[i].next) {
      if (key(nodes_[i]) == key_text) {
        return i;
      }
    }
    return kNoNode;
  }
  const auto first = sorted_.begin() + mapping.last;
  const auto last = first + mapping.count;
  const auto found = std::lower_bound(first, last, key_text, [this](std::uint32_t member, std::string_view wanted) {
    return compare_keys(key(nodes_[member]), wanted) < 0;
  });
  return found != last && key(nodes_[*found]) == key_text ? *found : kNoNode;
}

void TreeBuilder::key(TextRef text, std::uint32_t begin, std::uint32_t end, bool is_plain) {
  pending_key_.key_at = text.at;
  pending_key_.key_length = text.length;
  pending_key_.key_begin = begin;
  pending_key_.key_end = end;
  pending_key_.flags =
      static_cast<std::uint8_t>((text.in_arena ? RawNode::key_in_arena : 0) | (is_plain ? RawNode::plain_key : 0));
}

std::uint32_t TreeBuilder::attach(RawNode node) {
  const auto index = static_cast<std::uint32_t>(tree_.nodes_.size());
  node.parent = current_;
  if (current_ != kNoNode) {
    RawNode& parent = tree_.nodes_[current_];
    if (parent.kind == NodeKind::mapping) {
      node.key_at = pending_key_.key_at;
      node.key_length = pending_key_.key_length;
      node.key_begin = pending_key_.key_begin;
      node.key_end = pending_key_.key_end;
      node.flags |= pending_key_.flags;
    }
    if (parent.last == kNoNode) {
      parent.first = index;
    } else {
      tree_.nodes_[parent.last].next = index;
    }
    parent.last = index;
    ++parent.count;
  }
  tree_.nodes_.push_back(node);
  return index;
}

std::uint32_t TreeBuilder::scalar(NodeKind kind, TextRef text, std::uint32_t begin, std::uint32_t end, bool is_quoted) {
  RawNode node;
  node.kind = kind;
  node.begin = begin;
  node.end = end;
  node.first = text.at;
  node.count = text.length;
  node.flags =
      static_cast<std::uint8_t>((is_quoted ? RawNode::quoted : 0) | (text.in_arena ? RawNode::text_in_arena : 0));
  return attach(node);
}

std::uint32_t TreeBuilder::loose_scalar(TextRef text, std::uint32_t begin, std::uint32_t end, bool is_quoted) {
  const std::uint32_t current = std::exchange(current_, kNoNode);
  const std::uint32_t node = scalar(NodeKind::scalar, text, begin, end, is_quoted);
  current_ = current;
  return node;
}

std::uint32_t TreeBuilder::open(NodeKind kind, std::uint32_t begin) {
  if (depth_ >= limits_.max_depth) {
    diagnostics_.error("too-deep", fmt::format("nested more than {} levels deep", limits_.max_depth),
                       span(begin, begin + 1));
    return kNoNode;
  }
  RawNode node;
  node.kind = kind;
  node.begin = begin;
  node.end = begin;
  current_ = attach(node);
  ++depth_;
  return current_;
}

std::uint32_t TreeBuilder::close(std::uint32_t end) {
  const std::uint32_t closed = current_;
  PODWIRE_CHECK(closed != kNoNode, "config", "something is open");
  RawNode& node = tree_.nodes_[closed];
  node.end = std::max(end, node.begin);
  if (node.kind == NodeKind::mapping) {
    check_members(closed);
  }
  current_ = tree_.nodes_[closed].parent;
  --depth_;
  return closed;
}

void TreeBuilder::report_duplicate(std::uint32_t later) {
  const RawNode& node = tree_.nodes_[later];
  if (copying_) {  // reported where it was written
    return;
  }
  diagnostics_.error("duplicate-key", fmt::format("duplicate key \"{}\"", printable(tree_.key(node), 80)),
                     span(node.key_begin, node.key_end),
                     "a mapping may have each key once; remove or rename one of the two");
}

void TreeBuilder::check_members(std::uint32_t mapping) {
  const RawNode& node = tree_.nodes_[mapping];
  if (node.count <= kLinearMembers) {
    for (std::uint32_t i = node.first; i != kNoNode; i = tree_.nodes_[i].next) {
      for (std::uint32_t j = node.first; j != i; j = tree_.nodes_[j].next) {
        if (compare_keys(tree_.key(tree_.nodes_[i]), tree_.key(tree_.nodes_[j])) == 0) {
          report_duplicate(i);
          break;
        }
      }
    }
    return;
  }
  const auto start = static_cast<std::uint32_t>(tree_.sorted_.size());
  for (std::uint32_t i = node.first; i != kNoNode; i = tree_.nodes_[i].next) {
    tree_.sorted_.push_back(i);
  }
  const auto first = tree_.sorted_.begin() + start;
  std::sort(first, tree_.sorted_.end(), [this](std::uint32_t a, std::uint32_t b) {
    const int order = compare_keys(tree_.key(tree_.nodes_[a]), tree_.key(tree_.nodes_[b]));
    return order != 0 ? order < 0 : a < b;
  });
  for (std::size_t i = start + 1; i < tree_.sorted_.size(); ++i) {
    if (tree_.key(tree_.nodes_[tree_.sorted_[i]]) == tree_.key(tree_.nodes_[tree_.sorted_[i - 1]])) {
      report_duplicate(tree_.sorted_[i]);
    }
  }
  tree_.nodes_[mapping].last = start;
  tree_.nodes_[mapping].flags |= RawNode::indexed;
}

bool TreeBuilder::copy(std::uint32_t from, Span use, std::uint32_t& copied) {
  copying_ = true;
  const bool complete = copy_into(from, use, copied);
  copying_ = false;
  return complete;
}

// Recursion is bounded by the depth limit, which is checked before each level.
bool TreeBuilder::copy_into(std::uint32_t from, Span use, std::uint32_t& copied) {
  if (++copied > limits_.max_alias_nodes) {
    diagnostics_.error(
        "too-many-aliases",
        fmt::format("aliases and merge keys add more than {} nodes to the document", limits_.max_alias_nodes), use);
    return false;
  }
  const RawNode source = tree_.nodes_[from];
  if (!source.is_container()) {
    scalar(source.kind, {source.first, source.count, (source.flags & RawNode::text_in_arena) != 0}, source.begin,
           source.end, (source.flags & RawNode::quoted) != 0);
    return true;
  }
  if (depth_ >= limits_.max_depth) {
    diagnostics_.error("too-deep", fmt::format("nested more than {} levels deep by this alias", limits_.max_depth),
                       use);
    return false;
  }
  open(source.kind, source.begin);
  for (std::uint32_t i = source.first; i != kNoNode; i = tree_.nodes_[i].next) {
    const RawNode member = tree_.nodes_[i];
    key({member.key_at, member.key_length, (member.flags & RawNode::key_in_arena) != 0}, member.key_begin,
        member.key_end, (member.flags & RawNode::plain_key) != 0);
    if (!copy_into(i, use, copied)) {
      return false;
    }
  }
  close(source.end);
  return true;
}

std::uint32_t TreeBuilder::find_linear(std::uint32_t mapping, std::string_view key_text) const {
  for (std::uint32_t i = tree_.nodes_[mapping].first; i != kNoNode; i = tree_.nodes_[i].next) {
    if (tree_.key(tree_.nodes_[i]) == key_text) {
      return i;
    }
  }
  return kNoNode;
}

void TreeBuilder::detach(std::uint32_t member) {
  RawNode& mapping = tree_.nodes_[current_];
  std::uint32_t before = kNoNode;
  for (std::uint32_t i = mapping.first; i != member; i = tree_.nodes_[i].next) {
    before = i;
  }
  const std::uint32_t after = tree_.nodes_[member].next;
  (before == kNoNode ? mapping.first : tree_.nodes_[before].next) = after;
  if (mapping.last == member) {
    mapping.last = before;
  }
  --mapping.count;
}

void TreeBuilder::finish_root(std::uint32_t root) {
  if (tree_.nodes_[root].kind != NodeKind::null) {
    tree_.roots_.emplace_back(&tree_, root);
  }
}

void TreeBuilder::rewind(const Mark& mark) {
  tree_.nodes_.resize(mark.nodes);
  tree_.arena_.resize(mark.arena);
  tree_.sorted_.resize(mark.sorted);
  tree_.roots_.resize(mark.roots);
  abandon();
}

void TreeBuilder::abandon() {
  current_ = kNoNode;
  depth_ = 0;
}

}  // namespace podwire::config
