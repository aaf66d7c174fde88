// YAML into a Tree, from libfyaml's event stream (an fy_document would cost twice the time and keep every token alive).
//
// libfyaml checks the syntax; aliases, merge keys, duplicate keys and limits are ours. Its parser is a state machine,
// so nesting costs it memory and not stack, and the first event past a limit ends it. The text is cut into documents at
// lines that are `---` markers: each broken document of a file is reported, and simple ones go the fast way
// (yaml_simple.cpp). Merge keys are expanded by yaml_merge.cpp.
// Left out: tags other than the core schema's, and keys that are not scalars; both are reported.
#include <fmt/format.h>
#include <libfyaml.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "sim/base/check.hpp"
#include "sim/base/text.hpp"
#include "sim/config/readers.hpp"
#include "sim/config/tree.hpp"

namespace podwire::config {
namespace {

constexpr std::size_t kMaxSyntaxErrors = 20;

struct EventDeleter {
  fy_parser* parser;
  void operator()(fy_event* event) const { fy_parser_event_free(parser, event); }
};
using Event = std::unique_ptr<fy_event, EventDeleter>;

bool is_yaml_null(std::string_view text) {
  return text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL";
}

class YamlReader {
 public:
  YamlReader(Tree& tree, const Limits& limits, Diagnostics& diagnostics)
      : tree_(tree),
        builder_(tree, limits, diagnostics),
        limits_(limits),
        diagnostics_(diagnostics),
        text_(tree.source_text()) {}

  void read(std::size_t begin, bool use_fast);

 private:
  enum class Outcome : std::uint8_t { end, syntax_error, stopped };

  std::size_t end_of_document(std::size_t begin) const;
  Outcome read_stream(std::size_t start, std::size_t end);
  bool handle(fy_event* event);
  bool start_document(std::uint32_t at);
  bool start_container(fy_event* event, NodeKind kind);
  bool end_container(fy_event* event);
  bool scalar(fy_event* event);
  bool alias(fy_event* event);
  bool completed(std::uint32_t node);
  bool check_tag(fy_token* tag, Span place, bool& is_string);
  void set_anchor(fy_token* anchor, std::uint32_t node);
  bool refuse_key(std::uint32_t begin);
  void report_syntax(fy_diag* diag);
  void point_at_opening(std::uint32_t& begin, std::uint32_t& end, std::string& message, std::string& help) const;
  std::optional<TextRef> text_of(fy_token* token, fy_scalar_style style, std::uint32_t begin, std::uint32_t end);
  std::uint32_t position(const fy_mark* mark, std::uint32_t otherwise) const;
  bool error(std::string code, std::string message, std::uint32_t begin, std::uint32_t end, std::string help = {}) {
    diagnostics_.error(std::move(code), std::move(message), builder_.span(begin, end), std::move(help));
    return false;
  }
  bool expects_key() const {
    return builder_.current() != kNoNode && builder_.at(builder_.current()).kind == NodeKind::mapping && !has_key_;
  }

  Tree& tree_;
  TreeBuilder builder_;
  const Limits& limits_;
  Diagnostics& diagnostics_;
  std::string_view text_;
  std::uint32_t base_ = 0;      // where the current stream begins in the text
  std::uint32_t last_end_ = 0;  // end of the last token: where an empty value or the end of a block collection stands
  bool has_key_ = false;
  std::uint32_t documents_ = 0;
  std::uint32_t alias_nodes_ = 0;                              // added to this document by aliases and merge keys
  std::uint32_t merge_keys_ = 0;                               // open mappings' merge keys still to expand
  std::map<std::string, std::uint32_t, std::less<>> anchors_;  // of this document
};

std::uint32_t YamlReader::position(const fy_mark* mark, std::uint32_t otherwise) const {
  return mark == nullptr ? otherwise
                         : static_cast<std::uint32_t>(std::min<std::size_t>(base_ + mark->input_pos, text_.size()));
}

// A scalar on one line without escapes is its own source. The others are put together from libfyaml's pieces:
// fy_token_get_text() of 0.7.12 leaves the end of some block scalars uninitialised.
std::optional<TextRef> YamlReader::text_of(fy_token* token, fy_scalar_style style, std::uint32_t begin,
                                           std::uint32_t end) {
  const std::string_view written = text_.substr(begin, end - begin);
  const bool is_one_line = written.find_first_of("\r\n") == std::string_view::npos;
  const bool has_escape = (style == FYSS_DOUBLE_QUOTED && written.find('\\') != std::string_view::npos) ||
                          (style == FYSS_SINGLE_QUOTED && written.find('\'') != std::string_view::npos);
  if (token == nullptr || (is_one_line && !has_escape && style != FYSS_LITERAL && style != FYSS_FOLDED)) {
    return TextRef{begin, end - begin, false};
  }
  const std::unique_ptr<fy_token_iter, void (*)(fy_token_iter*)> pieces(fy_token_iter_create(token),
                                                                        fy_token_iter_destroy);
  PODWIRE_CHECK(pieces != nullptr, "config", "libfyaml gives an iterator");
  std::string& arena = builder_.arena();
  const std::size_t at = arena.size();
  int failed = 0;
  const fy_iter_chunk* piece = nullptr;
  while ((piece = fy_token_iter_chunk_next(pieces.get(), piece, &failed)) != nullptr) {
    arena.append(piece->str, piece->len);
  }
  PODWIRE_CHECK(arena.size() < 0xffff'ffffu, "config", "the arena fits 32-bit offsets");
  if (failed != 0) {  // escapes are judged only here
    error("yaml-syntax", "malformed YAML: this text cannot be decoded", begin, end, "check its escapes");
    return std::nullopt;
  }
  return TextRef{static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(arena.size() - at), true};
}

/// Where the document that begins at `begin` ends: at the next line that is a `---` marker, or with the text.
std::size_t YamlReader::end_of_document(std::size_t begin) const {
  for (std::size_t at = text_.find("\n---", begin); at != std::string_view::npos; at = text_.find("\n---", at + 1)) {
    if (at + 4 == text_.size() || std::string_view(" \t\r\n").find(text_[at + 4]) != std::string_view::npos) {
      return at + 1;
    }
  }
  return text_.size();
}

void YamlReader::read(std::size_t begin, bool use_fast) {
  std::size_t errors = 0;
  while (begin < text_.size() && errors < kMaxSyntaxErrors) {
    std::size_t end = end_of_document(begin);
    const std::size_t roots = tree_.roots().size();
    if (use_fast && documents_ < limits_.max_documents && read_simple_yaml(tree_, begin, end, limits_)) {
      documents_ += text_.substr(begin).starts_with("---") || tree_.roots().size() > roots ? 1 : 0;
      begin = end;
      continue;
    }
    // A directive belongs to the document behind the next marker: no cutting from here on.
    const std::string_view document = text_.substr(begin, end - begin);
    if (document.starts_with('%') || document.find("\n%") != std::string_view::npos) {
      end = text_.size();
    }
    const Outcome outcome = read_stream(begin, end);
    if (outcome == Outcome::stopped) {
      return;
    }
    errors += outcome == Outcome::syntax_error ? 1 : 0;
    begin = end;
  }
}

YamlReader::Outcome YamlReader::read_stream(std::size_t start, std::size_t end) {
  fy_diag_cfg diag_cfg;
  fy_diag_cfg_default(&diag_cfg);
  diag_cfg.fp = nullptr;  // say nothing; errors are collected
  diag_cfg.output_fn = nullptr;
  const std::unique_ptr<fy_diag, void (*)(fy_diag*)> diag(fy_diag_create(&diag_cfg), fy_diag_destroy);
  PODWIRE_CHECK(diag != nullptr, "config", "libfyaml gives a diagnostic object");
  fy_diag_set_collect_errors(diag.get(), true);
  fy_parse_cfg cfg{};
  cfg.flags =
      static_cast<fy_parse_cfg_flags>(FYPCF_QUIET | FYPCF_COLLECT_DIAG | FYPCF_JSON_NONE | FYPCF_DISABLE_ACCELERATORS);
  cfg.diag = diag.get();
  const std::unique_ptr<fy_parser, void (*)(fy_parser*)> parser(fy_parser_create(&cfg), fy_parser_destroy);
  PODWIRE_CHECK(parser != nullptr, "config", "libfyaml gives a parser");
  base_ = static_cast<std::uint32_t>(start);
  last_end_ = base_;
  has_key_ = false;
  merge_keys_ = 0;
  const int set = fy_parser_set_string(parser.get(), text_.data() + start, end - start);
  PODWIRE_CHECK(set == 0, "config", "libfyaml takes a text");
  for (;;) {
    const Event event(fy_parser_parse(parser.get()), EventDeleter{parser.get()});
    if (event == nullptr) {
      break;
    }
    if (!handle(event.get())) {
      return Outcome::stopped;
    }
  }
  if (fy_parser_get_stream_error(parser.get()) || fy_diag_got_error(diag.get())) {
    report_syntax(diag.get());
    return Outcome::syntax_error;
  }
  return Outcome::end;
}

// What ends at the end of the text or at the next document was left open: the bracket or quote is the better place.
void YamlReader::point_at_opening(std::uint32_t& begin, std::uint32_t& end, std::string& message,
                                  std::string& help) const {
  const std::string_view rest = text_.substr(begin);
  const bool is_quote = message.find("quote") != std::string::npos;
  if (is_quote && begin > 0 && begin < text_.size() && (text_[begin - 1] == '"' || text_[begin - 1] == '\'')) {
    --begin;  // the marks leave out the quotes
  }
  if (!rest.starts_with("---") && rest.find_first_not_of(" \t\r\n") != std::string_view::npos) {
    return;
  }
  if (is_quote) {
    const std::size_t quote = text_.find_first_of("\"'", last_end_);
    if (quote < begin) {
      begin = static_cast<std::uint32_t>(quote);
      end = begin + 1;
    }
    return;
  }
  const std::uint32_t open = builder_.current();
  const char bracket = open == kNoNode ? ' ' : text_[std::min<std::size_t>(builder_.at(open).begin, text_.size() - 1)];
  if (bracket == '[' || bracket == '{') {
    begin = builder_.at(open).begin;
    end = begin + 1;
    message = fmt::format("this '{}' is never closed", bracket);
    help = fmt::format("add the '{}'", bracket == '[' ? ']' : '}');
  }
}

void YamlReader::report_syntax(fy_diag* diag) {
  void* previous = nullptr;
  const fy_diag_error* found = fy_diag_errors_iterate(diag, &previous);
  std::uint32_t begin = last_end_;
  std::uint32_t end = last_end_;
  std::string message = "the text cannot be read";
  std::string help;
  if (found != nullptr) {
    message = printable(found->msg == nullptr ? "" : found->msg);
    if (found->fyt != nullptr) {
      begin = position(fy_token_start_mark(found->fyt), begin);
      end = std::max(position(fy_token_end_mark(found->fyt), begin), begin);
    }
    word_syntax_error(message, help);
  }
  point_at_opening(begin, end, message, help);
  error("yaml-syntax", fmt::format("malformed YAML: {}", message), begin, end, help);
  builder_.abandon();
}

bool YamlReader::handle(fy_event* event) {
  switch (event->type) {
    case FYET_DOCUMENT_START:
      return start_document(position(fy_event_start_mark(event), last_end_));
    case FYET_MAPPING_START:
      return start_container(event, NodeKind::mapping);
    case FYET_SEQUENCE_START:
      return start_container(event, NodeKind::sequence);
    case FYET_MAPPING_END:
    case FYET_SEQUENCE_END:
      return end_container(event);
    case FYET_SCALAR:
      return scalar(event);
    case FYET_ALIAS:
      return alias(event);
    default:
      return true;
  }
}

bool YamlReader::start_document(std::uint32_t at) {
  anchors_.clear();
  alias_nodes_ = 0;
  if (++documents_ > limits_.max_documents) {
    return error("too-large", fmt::format("more than {} documents in one file", limits_.max_documents), at, at);
  }
  return true;
}

bool YamlReader::refuse_key(std::uint32_t begin) {
  return error("yaml-syntax", "malformed YAML: a key must be a word, not a sequence or a mapping", begin, begin + 1,
               "a template that was not rendered? put {{ … }} in quotes, or render it first");
}

// The core schema's tags say nothing that the reader of a field does not decide, but for !!str, which is a quote.
bool YamlReader::check_tag(fy_token* tag, Span place, bool& is_string) {
  if (tag == nullptr) {
    return true;
  }
  std::size_t length = 0;
  const char* const bytes = fy_token_get_text(tag, &length);
  std::string_view name = bytes == nullptr ? std::string_view() : std::string_view(bytes, length);
  for (const std::string_view prefix : {std::string_view("tag:yaml.org,2002:"), std::string_view("!!")}) {
    if (name.starts_with(prefix)) {
      name.remove_prefix(prefix.size());
      if (name == "str") {
        is_string = true;
        return true;
      }
      for (const std::string_view known : {"int", "float", "bool", "null", "map", "seq", "timestamp", "merge"}) {
        if (name == known) {
          return true;
        }
      }
    }
  }
  if (name == "!") {
    is_string = true;
    return true;
  }
  const std::uint32_t begin = position(fy_token_start_mark(tag), place.begin);
  return error("yaml-syntax", fmt::format("the tag \"{}\" is not supported", printable(name, 60)), begin,
               std::max(begin, position(fy_token_end_mark(tag), begin)), "remove it");
}

void YamlReader::set_anchor(fy_token* anchor, std::uint32_t node) {
  if (anchor == nullptr) {
    return;
  }
  std::size_t length = 0;
  const char* const bytes = fy_token_get_text(anchor, &length);
  anchors_.insert_or_assign(std::string(bytes == nullptr ? "" : bytes, length), node);
}

bool YamlReader::start_container(fy_event* event, NodeKind kind) {
  const std::uint32_t begin = position(fy_event_start_mark(event), last_end_);
  if (expects_key()) {
    return refuse_key(begin);
  }
  has_key_ = false;
  bool is_string = false;
  if (!check_tag(fy_event_get_tag_token(event), builder_.span(begin, begin), is_string)) {
    return false;
  }
  const std::uint32_t node = builder_.open(kind, begin);
  if (node == kNoNode) {
    return false;
  }
  set_anchor(fy_event_get_anchor_token(event), node);
  last_end_ = std::max(last_end_, position(fy_event_end_mark(event), begin));
  return true;
}

bool YamlReader::end_container(fy_event* event) {
  fy_token* const closing =
      event->type == FYET_MAPPING_END ? event->mapping_end.mapping_end : event->sequence_end.sequence_end;
  const fy_token_type type = closing == nullptr ? FYTT_NONE : fy_token_get_type(closing);
  const bool is_flow = type == FYTT_FLOW_MAPPING_END || type == FYTT_FLOW_SEQUENCE_END;
  // A block collection's end mark is where the next thing begins: its last child's end says more.
  if (is_flow) {
    const std::uint32_t mark = position(fy_event_end_mark(event), last_end_);
    if (mark > last_end_ && mark <= text_.size() && (text_[mark - 1] == '}' || text_[mark - 1] == ']')) {
      last_end_ = mark;
    }
  }
  if (builder_.at(builder_.current()).kind == NodeKind::mapping && merge_keys_ > 0 &&
      !expand_merge_key(builder_, limits_, diagnostics_, merge_keys_, alias_nodes_)) {
    return false;
  }
  return completed(builder_.close(last_end_));
}

// A value has ended: the next scalar in a mapping is a key again, and at top level a document is complete.
bool YamlReader::completed(std::uint32_t node) {
  has_key_ = false;
  if (builder_.current() == kNoNode) {
    builder_.finish_root(node);
  }
  return true;
}

bool YamlReader::scalar(fy_event* event) {
  fy_token* const token = event->scalar.value;
  std::uint32_t begin = position(token == nullptr ? nullptr : fy_token_start_mark(token), kNoNode);
  std::uint32_t end = begin;
  const fy_scalar_style style = token == nullptr ? FYSS_PLAIN : fy_token_scalar_style(token);
  if (begin == kNoNode) {  // nothing written: it stands behind the colon or dash
    begin = last_end_;
    begin += begin < text_.size() && text_[begin] == ':' ? 1 : 0;
    end = begin;
  } else {
    end = std::max(begin, position(fy_token_end_mark(token), begin));
  }
  const std::optional<TextRef> decoded = text_of(token, style, begin, end);
  if (!decoded.has_value()) {
    return false;
  }
  const TextRef text = *decoded;
  if (style == FYSS_SINGLE_QUOTED || style == FYSS_DOUBLE_QUOTED) {  // the marks leave out the quotes
    begin -= begin > 0 ? 1 : 0;
    end += end < text_.size() ? 1 : 0;
  }
  last_end_ = std::max(last_end_, end);
  bool is_string = style != FYSS_PLAIN;
  if (!check_tag(event->scalar.tag, builder_.span(begin, end), is_string)) {
    return false;
  }
  const std::string_view bytes = text.in_arena ? std::string_view(builder_.arena()).substr(text.at, text.length)
                                               : text_.substr(text.at, text.length);
  if (expects_key()) {
    merge_keys_ += !is_string && bytes == "<<" ? 1 : 0;
    builder_.key(text, begin, end, !is_string);
    has_key_ = true;
    if (event->scalar.anchor != nullptr) {
      set_anchor(event->scalar.anchor, builder_.loose_scalar(text, begin, end, is_string));
    }
    return true;
  }
  const NodeKind kind = !is_string && is_yaml_null(bytes) ? NodeKind::null : NodeKind::scalar;
  const std::uint32_t node = builder_.scalar(kind, text, begin, end, is_string);
  set_anchor(event->scalar.anchor, node);
  return completed(node);
}

bool YamlReader::alias(fy_event* event) {
  fy_token* const token = event->alias.anchor;
  std::uint32_t begin = position(fy_token_start_mark(token), last_end_);
  const std::uint32_t end = std::max(begin, position(fy_token_end_mark(token), begin));
  begin -= begin > 0 && text_[begin - 1] == '*' ? 1 : 0;  // the marks leave out the star
  std::size_t length = 0;
  const char* const bytes = fy_token_get_text(token, &length);
  const std::string_view name(bytes == nullptr ? "" : bytes, length);
  last_end_ = std::max(last_end_, end);
  const auto anchor = anchors_.find(name);
  if (anchor == anchors_.end()) {
    std::vector<std::string_view> known;
    for (const auto& [known_name, node] : anchors_) {
      known.push_back(known_name);
    }
    const std::string near = known.size() <= 1000 ? nearest_word(name, known) : std::string();
    return error("undefined-alias", fmt::format("the alias \"*{}\" has no anchor before it", printable(name, 60)),
                 begin, end,
                 near.empty() ? fmt::format("write \"&{}\" before the value it stands for", printable(name, 60))
                              : fmt::format("did you mean \"*{}\"?", printable(near, 60)));
  }
  for (std::uint32_t open = builder_.current(); open != kNoNode; open = builder_.at(open).parent) {
    if (open == anchor->second) {
      return error("undefined-alias",
                   fmt::format("the alias \"*{}\" stands inside the value it names", printable(name, 60)), begin, end);
    }
  }
  const RawNode& target = builder_.at(anchor->second);
  if (expects_key()) {
    if (target.is_container()) {
      return refuse_key(begin);
    }
    builder_.key({target.first, target.count, (target.flags & RawNode::text_in_arena) != 0}, begin, end, false);
    has_key_ = true;
    return true;
  }
  const std::uint32_t from = anchor->second;
  has_key_ = false;
  return builder_.copy(from, builder_.span(begin, end), alias_nodes_);
}

}  // namespace

void read_yaml(Tree& tree, std::size_t start, const Limits& limits, Diagnostics& diagnostics, bool use_fast) {
  YamlReader(tree, limits, diagnostics).read(start, use_fast);
}

}  // namespace podwire::config
