// What is wrong with `events`: all of it is reported at once, with its place.
#include <gtest/gtest.h>

#include "tests/unit/scenario/event_files.hpp"

namespace podwire::scenario {
namespace {

using test::kDenyIngress;
using test::kTwoPods;

constexpr std::string_view kDaemons = "apiVersion: apps/v1\nkind: DaemonSet\nmetadata: {name: s, namespace: x}\n";

using EventProblemsTest = test::EventFiles;

TEST_F(EventProblemsTest, WhatCannotBePatchedIsSaid) {
  folder.write("m/all.yaml", std::string(kTwoPods) + "---" + std::string(kDenyIngress));
  const std::string rest = R"(
  cluster: {from: m, cni: spec}
  policySets: {first: {}, none: {base: none}}
  run: {duration: 8s}
  events:
)";
  EXPECT_NE(problems_of(rest + "    - {at: 1s, patch: [{object: x/netpol/closd, merge: {spec: {}}}]}\n")
                .find("there is no \"x/netpol/closd\" to patch at that time in policy set first"),
            std::string::npos);
  // The set without policies has nothing to patch, the first one has.
  EXPECT_NE(problems_of(rest + "    - {at: 1s, patch: [{object: x/netpol/closed, merge: {spec: {ingress: []}}}]}\n")
                .find("to patch at that time in policy set none"),
            std::string::npos);
  EXPECT_NE(problems_of(rest + "    - {at: 1s, policySets: [first], delete: [x/netpol/closed]}\n"
                               "    - {at: 2s, policySets: [first], patch: [{object: x/netpol/closed, merge: {}}]}\n")
                .find("there is no \"x/netpol/closed\" to patch"),
            std::string::npos);
  EXPECT_NE(
      problems_of(rest + "    - {at: 1s, policySets: [first], patch: [{object: x/netpol/closed, merge: {metadata: "
                         "{name: open}}}]}\n")
          .find("[bad-patch]"),
      std::string::npos);
  EXPECT_NE(problems_of(rest + "    - {at: 1s, policySets: [first], patch: [{object: x/netpol/closed, merge: {spec: "
                               "{podSelectr: {}}}}]}\n")
                .find("podSelectr"),
            std::string::npos);
  EXPECT_NE(problems_of(rest + "    - {at: 1s, patch: [{object: x/netpol/closed, merge: 7}]}\n").find("[wrong-type]"),
            std::string::npos);
  EXPECT_NE(problems_of(rest + "    - {at: 1s, patch: [{object: x/netpol/closed}]}\n").find("[missing-key]"),
            std::string::npos);
}

TEST_F(EventProblemsTest, ProblemsOfAllKindsAreReportedAtOnce) {
  // A key that is unknown, a label that is none, a kind that cannot be applied, a policy that is invalid, and objects
  // that are not there: in one file and in the events after it, in every order of dependence.
  folder.write("m/all.yaml", std::string(kTwoPods));
  folder.write("late.yaml", R"(
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: late, namespace: x}
spec: {podSelectr: {}}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: s, namespace: x}
---
apiVersion: podwire/v1
kind: Step
colour: red
label: [{object: x/pod/a, set: {"a b": c}}]
)");
  const std::string problems = problems_of(R"(
  cluster: {from: m, cni: spec}
  run: {duration: 10s}
  events:
    - {at: 1s, apply: late.yaml}
    - {at: 2s, delete: [x/pod/nobody, x/configmap/c]}
    - {at: 3s, label: [{object: x/pod/none, set: {a: b}}, {object: what, set: {a: b}}, {object: namespace/nowhere, set: {a: b}}]}
    - {at: 4s, delete: x/networkpolicy/late}
)");
  for (const char* wanted :
       {"unknown key \"colour\"", "\"a b\" is no label key", "an event cannot apply a DaemonSet yet",
        "unknown key \"podSelectr\"", "there is no \"x/pod/nobody\" to delete",
        "\"x/configmap/c\" names nothing that an event can delete", "\"what\" names no pod and no namespace"}) {
    EXPECT_NE(problems.find(wanted), std::string::npos) << wanted << " in\n" << problems;
  }
  // What comes after a policy that could not be read is not held to be unknown.
  EXPECT_EQ(problems.find("x/networkpolicy/late\" to delete"), std::string::npos) << problems;
}

TEST_F(EventProblemsTest, UnknownObjectsAreReportedBesideProblemsOfOtherKinds) {
  folder.write("m/all.yaml", std::string(kTwoPods));
  folder.write("daemons.yaml", std::string(kDaemons));
  const std::string problems = problems_of(R"(
  cluster: {from: m, cni: spec}
  run: {duration: 10s}
  events:
    - {at: 1s, apply: daemons.yaml}
    - {at: 3s, label: [{object: x/pod/none, set: {a: b}}], delete: [x/networkpolicy/gone, x/pod/gone], patch: [{object: x/netpol/gone, merge: {}}]}
)");
  for (const char* wanted : {"an event cannot apply a DaemonSet yet", "there is no pod \"x/pod/none\" at that time",
                             "there is no NetworkPolicy \"x/networkpolicy/gone\" to delete",
                             "there is no \"x/pod/gone\" to delete", "there is no \"x/netpol/gone\" to patch"}) {
    EXPECT_NE(problems.find(wanted), std::string::npos) << wanted << " in\n" << problems;
  }
}

TEST_F(EventProblemsTest, NothingIsDoneInANamespaceThatHasBeenDeleted) {
  folder.write("m/all.yaml", std::string(kTwoPods));
  folder.write("late.yaml", std::string(kDenyIngress));
  const std::string rest = R"(
  cluster: {from: m, cni: spec}
  run: {duration: 8s}
  events:
    - {at: 1s, delete: namespace/x}
)";
  const auto problem = [&](const std::string& event) { return problems_of(rest + "    - {at: 2s, " + event + "}\n"); };
  EXPECT_NE(problem("apply: late.yaml").find("namespace x of x/networkpolicy/closed has been deleted"),
            std::string::npos);
  EXPECT_NE(problem("delete: namespace/x").find("there is no namespace \"x\" to delete"), std::string::npos);
  EXPECT_NE(problem("label: [{object: ns/x, set: {a: b}}]").find("there is no namespace \"x\" at that time"),
            std::string::npos);
  EXPECT_NE(problem("patch: [{object: ns/x, merge: {metadata: {labels: {a: b}}}}]").find("to patch at that time"),
            std::string::npos);
}

TEST_F(EventProblemsTest, LabelsThatAnEventBringsAreCheckedAsThoseOfALayer) {
  folder.write("m/all.yaml", std::string(kTwoPods));
  folder.write("space.yaml", "apiVersion: v1\nkind: Namespace\nmetadata: {name: x, labels: {team: 1, \"b c\": d}}\n");
  const std::string rest = R"(
  cluster: {from: m, cni: spec}
  run: {duration: 8s}
  events:
)";
  const auto problem = [&](const std::string& event) { return problems_of(rest + "    - {at: 2s, " + event + "}\n"); };
  const std::string of_space = problem("apply: space.yaml");
  EXPECT_NE(of_space.find("space.yaml:3:36: error: \"team\" in namespace/x must be a string"), std::string::npos)
      << of_space;
  EXPECT_NE(of_space.find("the label key \"b c\""), std::string::npos) << of_space;
  EXPECT_NE(problem("patch: [{object: x/pod/a, merge: {metadata: {labels: [a]}}}]").find("labels are a mapping"),
            std::string::npos);
  EXPECT_NE(problem("label: [{object: x/pod/a, set: {app: }}]").find("the label \"app\" has no value"),
            std::string::npos);
  EXPECT_NE(problem("label: [{object: x/pod/a, set: {app: c}, remove: app}]").find("is set and removed at once"),
            std::string::npos);
}

TEST_F(EventProblemsTest, WarningsOfWhatAnEventAppliesAreShown) {
  folder.write("m/all.yaml", std::string(kTwoPods));
  folder.write("late.yaml", R"(
apiVersion: policy.networking.k8s.io/v1alpha2
kind: ClusterNetworkPolicy
metadata: {name: late}
spec:
  tier: Admin
  priority: 1
  subject: {namespaces: {}}
  egress: [{action: Deny, to: [{services: {}}]}]
)");
  const std::string warnings = problems_of(R"(
  cluster: {from: m, cni: spec}
  policySets: {one: {}, other: {}}
  run: {duration: 8s}
  events: [{at: 1s, apply: late.yaml}]
)");
  EXPECT_NE(warnings.find("this peer has no field that is known"), std::string::npos) << warnings;
  EXPECT_NE(warnings.find("1 warning"), std::string::npos) << warnings;
}

TEST_F(EventProblemsTest, PrioritiesThatBecomeEqualAreAWarningOnce) {
  const auto policy = [](const std::string& name, const std::string& priority) {
    return "apiVersion: policy.networking.k8s.io/v1alpha1\nkind: AdminNetworkPolicy\nmetadata: {name: " + name +
           "}\nspec: {priority: " + priority + ", subject: {namespaces: {}}}\n";
  };
  folder.write("m/all.yaml", std::string(kTwoPods) + "---\n" + policy("first", "7") + "---\n" + policy("same", "7"));
  folder.write("late.yaml", policy("zero", "0") + "---\n" + policy("zero-too", "0"));
  folder.write("more.yaml", std::string(kDenyIngress));
  const std::string warnings = problems_of(R"(
  cluster: {from: m, cni: spec}
  policySets: {one: {}, other: {}}
  run: {duration: 8s}
  events:
    - {at: 1s, apply: late.yaml}
    - {at: 2s, apply: more.yaml}
)");
  const std::string late = "adminnetworkpolicy/zero and adminnetworkpolicy/zero-too have priority 0";
  EXPECT_NE(warnings.find(late), std::string::npos) << warnings;
  EXPECT_EQ(warnings.find(late), warnings.rfind(late)) << warnings;
}

TEST_F(EventProblemsTest, WhatIsWrongInOnePolicySetAloneIsReportedWithItsName) {
  folder.write("m/all.yaml", std::string(kTwoPods));
  const std::string problems = problems_of(R"(
  cluster: {from: m, cni: spec}
  policySets: {first: {}, second: {}}
  run: {duration: 8s}
  events:
    - {at: 1s, policySets: [second], delete: x/pod/b}
    - {at: 2s, delete: [x/pod/b, x/pod/nobody]}
)");
  EXPECT_NE(problems.find("\"x/pod/b\" has no pod left to delete in policy set second"), std::string::npos) << problems;
  // What is wrong in every set is said once.
  EXPECT_NE(problems.find("there is no \"x/pod/nobody\" to delete ["), std::string::npos) << problems;
  EXPECT_NE(problems.find("2 errors"), std::string::npos) << problems;
}

TEST_F(EventProblemsTest, ProblemsAreReportedWithTheirPlace) {
  folder.write("m/all.yaml", std::string(kTwoPods));
  folder.write("daemons.yaml", std::string(kDaemons));
  const std::string problems = problems_of(R"(
  cluster: {from: m, cni: spec}
  run: {duration: 10s}
  events:
    - {at: 1s, apply: daemons.yaml}
    - {at: 2s, delete: [x/pod/nobody, x/configmap/c]}
)");
  EXPECT_NE(problems.find("an event cannot apply a DaemonSet yet"), std::string::npos) << problems;
  EXPECT_NE(problems.find("there is no \"x/pod/nobody\" to delete"), std::string::npos) << problems;
  EXPECT_NE(problems.find("scenario.yaml:9:25"), std::string::npos) << problems;
  EXPECT_NE(problems.find("\"x/configmap/c\" names nothing that an event can delete"), std::string::npos) << problems;
}

}  // namespace
}  // namespace podwire::scenario
