// Merge keys (`<<: *base`, `<<: [*a, *b]`) as https://yaml.org/type/merge.html has them and kubectl's reader expands
// them: members that the mapping does not have itself are copied in, earlier mappings win. Members that are skipped
// count as added ones, so that the work which a short text can ask for is bounded.
#include <fmt/format.h>

#include <set>
#include <string_view>
#include <utility>

#include "sim/config/readers.hpp"
#include "sim/config/tree.hpp"

namespace podwire::config {
namespace {

class MergeKey {
 public:
  MergeKey(TreeBuilder& builder, const Limits& limits, Diagnostics& diagnostics, std::uint32_t& merge_keys,
           std::uint32_t& alias_nodes)
      : builder_(builder),
        limits_(limits),
        diagnostics_(diagnostics),
        merge_keys_(merge_keys),
        alias_nodes_(alias_nodes) {}

  bool merge_members();

 private:
  bool merge_from(std::uint32_t mapping, Span use, std::set<std::string_view>& own);
  bool error(std::string code, std::string message, std::uint32_t begin, std::uint32_t end, std::string help = {}) {
    diagnostics_.error(std::move(code), std::move(message), builder_.span(begin, end), std::move(help));
    return false;
  }

  TreeBuilder& builder_;
  const Limits& limits_;
  Diagnostics& diagnostics_;
  std::uint32_t& merge_keys_;
  std::uint32_t& alias_nodes_;
};

bool MergeKey::merge_members() {
  const std::uint32_t mapping = builder_.current();
  const std::uint32_t member = builder_.find_linear(mapping, "<<");
  if (member == kNoNode || (builder_.at(member).flags & RawNode::plain_key) == 0) {
    return true;
  }
  --merge_keys_;
  const RawNode merge = builder_.at(member);
  builder_.detach(member);
  const Span use = builder_.span(merge.key_begin, merge.key_end);
  std::set<std::string_view> own;  // views stay valid: copying adds no text
  for (std::uint32_t i = builder_.at(mapping).first; i != kNoNode; i = builder_.at(i).next) {
    own.insert(builder_.key_of(i));
    if ((builder_.at(i).flags & RawNode::plain_key) != 0 && builder_.key_of(i) == "<<") {
      return error("duplicate-key", "duplicate key \"<<\"", builder_.at(i).key_begin, builder_.at(i).key_end,
                   "merge several mappings with one key: <<: [*a, *b]");
    }
  }
  if (merge.kind == NodeKind::mapping) {
    return merge_from(member, use, own);
  }
  bool merged = merge.kind == NodeKind::sequence;
  for (std::uint32_t i = merged ? merge.first : kNoNode; i != kNoNode && merged; i = builder_.at(i).next) {
    merged = builder_.at(i).kind == NodeKind::mapping;
    if (merged && !merge_from(i, use, own)) {
      return false;
    }
  }
  if (!merged) {
    error("yaml-syntax", "the merge key \"<<\" takes a mapping or a sequence of mappings", use.begin, use.end);
  }
  return true;
}

bool MergeKey::merge_from(std::uint32_t mapping, Span use, std::set<std::string_view>& own) {
  for (std::uint32_t i = builder_.at(mapping).first; i != kNoNode; i = builder_.at(i).next) {
    if (!own.insert(builder_.key_of(i)).second) {
      ++alias_nodes_;  // counts as work, so that merging many times the same keys is bounded too
      if (alias_nodes_ > limits_.max_alias_nodes) {
        return error(
            "too-many-aliases",
            fmt::format("aliases and merge keys add more than {} nodes to the document", limits_.max_alias_nodes),
            use.begin, use.end);
      }
      continue;
    }
    const RawNode source = builder_.at(i);
    builder_.key({source.key_at, source.key_length, (source.flags & RawNode::key_in_arena) != 0}, source.key_begin,
                 source.key_end, (source.flags & RawNode::plain_key) != 0);
    if (!builder_.copy(i, use, alias_nodes_)) {
      return false;
    }
  }
  return true;
}

}  // namespace

bool expand_merge_key(TreeBuilder& builder, const Limits& limits, Diagnostics& diagnostics, std::uint32_t& merge_keys,
                      std::uint32_t& alias_nodes) {
  return MergeKey(builder, limits, diagnostics, merge_keys, alias_nodes).merge_members();
}

}  // namespace podwire::config
