// What a clock would add to a verdict, in words, for the verbs that have none.
#include "models/cni/in_time.hpp"

#include <algorithm>
#include <initializer_list>

#include "models/cni/profile.hpp"
#include "models/cni/schema.hpp"

namespace podwire::cni {

namespace {

std::string seconds(Duration time) {
  Duration copy = time;
  return listed_value({.path = "", .unit = "s", .member = &copy, .description = ""}) + " s";
}

// How sure the named values are: the worst of them.
std::string mark(const Profile& profile, std::initializer_list<std::string_view> paths) {
  Certainty worst = Certainty::calibrated;
  for (const Parameter& parameter : profile.parameters) {
    if (std::find(paths.begin(), paths.end(), parameter.path) != paths.end()) {
      worst = std::max(worst, parameter.certainty);
    }
  }
  return std::string(to_string(worst));
}

}  // namespace

// Of one state: pods that are older than the window are as the state says.
std::string in_time(const Profile& profile) {
  const PolicySemantics& policy = profile.policy;
  if (!policy.is_enforced || policy.pod_start_window == Duration::zero()) {
    return "";
  }
  return std::string("a new pod is ") + (policy.pod_start == PodStart::open ? "not filtered" : "cut off") +
         " for up to " + seconds(policy.pod_start_window) + " (" + mark(profile, {"policy.podStartWindow"}) + ")";
}

std::string change_in_time(const Profile& profile) {
  const PolicySemantics& policy = profile.policy;
  if (!policy.is_enforced) {
    return "";
  }
  std::string text = policy.established == EstablishedFlows::survive
                         ? "connections that are open at the change live on"
                         : "open connections that the change denies are cut";
  if (policy.programming_delay.p99 > Duration::zero()) {
    text += "; in force on a node after " + seconds(policy.programming_delay.p50) + " (p99 " +
            seconds(policy.programming_delay.p99) + "; " +
            mark(profile, {"policy.programmingDelay.p50", "policy.programmingDelay.p99"}) + ")";
  }
  return text;
}

}  // namespace podwire::cni
