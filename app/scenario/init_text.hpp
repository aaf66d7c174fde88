// What `podwire init` tells and writes: facts with what they rest on, and YAML whose lines say it in comments.
#pragma once

#include <string>

namespace podwire::scenario {

/// One line about the cluster or its traffic, for the scenario's comments and for the terminal.
struct InitFact {
  std::string topic;  // "network plugin"
  std::string value;  // "calico-vxlan@3.27.2"
  std::string basis;  // "detected from DaemonSet kube-system/calico-node", "assumed: …"
  bool is_assumed = false;
};

/// YAML line by line, comments aligned. Texts of comments are made printable; those of lines are written as they are.
class CommentedYaml {
 public:
  /// `depth`: two blanks each. `remark`: "" for none.
  void line(unsigned depth, const std::string& text, const std::string& remark = {});
  void comment(unsigned depth, const std::string& text);
  void append(const std::string& text) { text_ += text; }
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

}  // namespace podwire::scenario
