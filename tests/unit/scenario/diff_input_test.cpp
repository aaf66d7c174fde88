// The sides of a comparison over a dump: what replaces, what is gone, what stays, and words that are REV:PATH.
#include "app/scenario/diff_input.hpp"

#include <gtest/gtest.h>

#include "app/scenario/git.hpp"
#include "sim/config/render.hpp"
#include "tests/unit/scenario/scratch_folder.hpp"

namespace podwire::scenario {
namespace {

std::string policy(const std::string& name) {
  return "---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: " + name +
         ", namespace: shop}\nspec: {podSelector: {}}\n";
}

std::string deployment(const std::string& labels) {
  return "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: shop}\nspec: {replicas: 2, "
         "selector: {matchLabels: {app: web}}, template: {metadata: {labels: {" +
         labels + "}}, spec: {containers: [{name: c, image: i}]}}}\n";
}

/// A Deployment with a live ReplicaSet and pod.
std::string live() {
  const auto owned = [](const std::string& kind, const std::string& name) {
    return "ownerReferences: [{apiVersion: apps/v1, kind: " + kind + ", name: " + name + ", controller: true, uid: u}]";
  };
  return deployment("app: web") +
         "---\napiVersion: apps/v1\nkind: ReplicaSet\nmetadata: {name: web-1, namespace: shop, " +
         owned("Deployment", "web") +
         "}\nspec: {replicas: 1, selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web}}, spec: "
         "{containers: [{name: c, image: i}]}}}\n" +
         "---\napiVersion: v1\nkind: Pod\nmetadata: {name: web-1-x, namespace: shop, labels: {app: web}, " +
         owned("ReplicaSet", "web-1") + "}\nspec: {containers: [{name: c, image: i}]}\n";
}

const std::string kBystander =
    "---\n{apiVersion: v1, kind: Pod, metadata: {name: other, namespace: shop}, spec: {containers: [{name: c, image: "
    "i}]}}\n";

struct DiffInputTest : testing::Test {
  test::ScratchFolder folder;
  SourceMap sources;

  Result<DiffInput> load(const std::string& before, const std::string& after, const std::string& dump) {
    DiffSources given{.before = folder.write("old/a.yaml", before), .after = folder.write("new/a.yaml", after)};
    if (!dump.empty()) {
      given.cluster = {folder.write("dump.yaml", dump)};
    }
    return load_diff(sources, given, {});
  }

  static std::vector<std::string> policies(const PolicySetPlan* plan) {
    std::vector<std::string> names;
    for (const policy::NetworkPolicy& policy : plan->policies.network_policies) {
      names.push_back(policy.name);
    }
    return names;
  }
  static std::vector<std::string> pods(const PolicySetPlan* plan) {
    std::vector<std::string> names;
    for (std::size_t w = 0; w < plan->cluster().workloads.size(); ++w) {
      names.push_back(plan->cluster().workload_name(cluster::WorkloadId(w)) + " " +
                      std::to_string(plan->cluster().workloads[w].pods.size()));
    }
    return names;
  }
};

using Names = std::vector<std::string>;

TEST_F(DiffInputTest, ADumpsPolicyIsGoneWhereOnlyTheOtherSideHasItAndStaysWhereNeitherHas) {
  const auto input = load(policy("a") + policy("b"), policy("b"), policy("a") + policy("z") + kBystander);
  ASSERT_TRUE(input) << config::render(input.diagnostics(), sources);
  EXPECT_EQ(policies(input->before), (Names{"a", "b", "z"}));
  EXPECT_EQ(policies(input->after), (Names{"b", "z"}));
}

TEST_F(DiffInputTest, WithoutADumpEachSideIsEverything) {
  const auto input = load(policy("a") + kBystander, kBystander, "");
  ASSERT_TRUE(input) << config::render(input.diagnostics(), sources);
  EXPECT_EQ(policies(input->before), (Names{"a"}));
  EXPECT_TRUE(policies(input->after).empty());
}

TEST_F(DiffInputTest, ADeletedWorkloadTakesItsLivePodsWithIt) {
  const auto input = load(deployment("app: web"), policy("a"), live() + kBystander);
  ASSERT_TRUE(input) << config::render(input.diagnostics(), sources);
  EXPECT_EQ(pods(input->before), (Names{"shop/web[Deployment] 2", "shop/other[Pod] 1"}));
  EXPECT_EQ(pods(input->after), (Names{"shop/other[Pod] 1"}));
}

TEST_F(DiffInputTest, LivePodsDoNotHideWhatATemplateSays) {
  const auto input = load(deployment("app: web"), deployment("app: web, tier: front"), live());
  ASSERT_TRUE(input) << config::render(input.diagnostics(), sources);
  EXPECT_EQ(pods(input->before), (Names{"shop/web[Deployment] 2"}));
  EXPECT_EQ(pods(input->after), (Names{"shop/web[Deployment] 2"}));
}

TEST_F(DiffInputTest, AWorkloadThatNeitherSideNamesKeepsItsLivePods) {
  const auto input = load(policy("a"), policy("b"), live());
  ASSERT_TRUE(input) << config::render(input.diagnostics(), sources);
  EXPECT_EQ(pods(input->before), (Names{"shop/web[Deployment] 1"}));
}

TEST_F(DiffInputTest, APolicyThatIsOnlyRewrittenIsListed) {
  const std::string rewritten =
      "# comments and order do not count, another way to say the same does\n---\nkind: NetworkPolicy\napiVersion: "
      "networking.k8s.io/v1\nmetadata: {namespace: shop, name: a}\nspec: {policyTypes: [Ingress], podSelector: {}}\n";
  const auto input = load(policy("a") + policy("b"), rewritten + "# b\n" + policy("b"), kBystander);
  ASSERT_TRUE(input) << config::render(input.diagnostics(), sources);
  ASSERT_EQ(input->rewritten.size(), 1u);
  EXPECT_EQ(input->rewritten[0].name, "shop/a");
  EXPECT_EQ(input->rewritten[0].effect, analysis::PolicyChange::Effect::none);
}

TEST_F(DiffInputTest, UnmodelledObjectsAreComparedByWhatTheySay) {
  const auto cilium = [](const std::string& spec) {
    return kBystander +
           "---\napiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {name: c, namespace: shop}\nspec: {" +
           spec + "}\n";
  };
  EXPECT_FALSE(load(cilium("a: 1, b: 2"), cilium("b: 2, a: 1"), "").value().unmodelled_differ);
  EXPECT_TRUE(load(cilium("a: 1"), cilium("a: 2"), "").value().unmodelled_differ);
}

TEST(ParseGitPath, IsTheWordCutAtItsFirstColonUnlessItIsWrittenAsAPath) {
  EXPECT_EQ(parse_git_path("main:policies/")->path, "policies");
  EXPECT_EQ(parse_git_path("HEAD~1:a:b")->path, "a:b");
  EXPECT_EQ(parse_git_path("main:")->path, "");
  EXPECT_EQ(parse_git_path("main:.")->path, "");
  EXPECT_EQ(parse_git_path("main:./x")->path, "./x");
  for (const char* const path : {"policies", "./a:b", "../a:b", "/a:b", "-"}) {
    EXPECT_FALSE(parse_git_path(path).has_value()) << path;
  }
}

}  // namespace
}  // namespace podwire::scenario
