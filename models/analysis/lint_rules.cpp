// The table of lint rules: what the program prints, what SARIF carries and what docs/lint.md is generated from.
//
// The examples show the part of the manifest that matters. Sources: reference policy-semantics, sections 1, 4, 7; the
// NetworkPolicy, DNS and Service pages of kubernetes.io.
#include <algorithm>
#include <iterator>

#include "models/analysis/lint.hpp"

namespace podwire::analysis {
namespace {

using enum LintSeverity;

constexpr LintRule kRules[] = {
    {"cni-does-not-enforce", error, "policies on a network plugin that enforces none",
     "The network plugin ignores NetworkPolicies. The API server accepts them all the same, so that everything looks "
     "isolated and nothing is.",
     "Use a plugin that enforces policies, or add one beside this plugin (kube-network-policies, Calico for flannel).",
     "cluster: {cni: flannel}      # with NetworkPolicies in the manifests\n", "cluster: {cni: calico-vxlan}\n"},
    {"dns-isolates-all", warning, "an allow-dns policy that cuts everything else",
     "A policy with an egress rule isolates the pods it selects for egress. Where it allows DNS alone, and no other "
     "policy gives these pods egress, names resolve and every connection to them fails. A default-deny policy on the "
     "same pods says that this is meant, and keeps the rule quiet.",
     "Add a policy with the egress that the pods need; if they need none, say so with a default-deny policy.",
     "# allow-dns, alone in its namespace\nspec:\n  podSelector: {}\n  policyTypes: [Egress]\n  egress:\n"
     "    - ports: [{protocol: UDP, port: 53}, {protocol: TCP, port: 53}]\n",
     "# beside it, for the pods that talk to the database\nspec:\n  podSelector: {matchLabels: {app: api}}\n"
     "  policyTypes: [Egress]\n  egress:\n    - to: [{podSelector: {matchLabels: {app: postgres}}}]\n"
     "      ports: [{protocol: TCP, port: 5432}]\n"},
    {"dns-not-node-local", warning, "a DNS rule that leaves out the node's DNS cache",
     "NodeLocal DNSCache answers on each node in the place of the DNS pods: at 169.254.20.10 and, with kube-proxy in "
     "iptables mode, at kube-dns's own address. That is an address of the node, so that a rule which allows the DNS "
     "pods by their labels does not cover it.",
     "Allow UDP and TCP 53 to the cache's address as well.",
     "to:\n  - namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}\n"
     "    podSelector: {matchLabels: {k8s-app: kube-dns}}  # and node-local-dns runs\n",
     "to:\n  - namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}\n"
     "    podSelector: {matchLabels: {k8s-app: kube-dns}}\n  - ipBlock: {cidr: 169.254.20.10/32}\n"},
    {"dns-udp-only", warning, "DNS allowed over UDP, not over TCP",
     "An answer that does not fit into a UDP message is asked for again over TCP (RFC 7766). Without TCP 53 such names "
     "fail, often long after the policy was written: when a headless Service grows.",
     "Allow TCP 53 beside UDP 53.", "ports:\n  - {protocol: UDP, port: 53}\n",
     "ports:\n  - {protocol: UDP, port: 53}\n  - {protocol: TCP, port: 53}\n"},
    {"egress-without-dns", warning, "pods isolated for egress that cannot ask DNS",
     "Pods that a policy isolates for egress, and that are allowed to talk to something or name hosts in their "
     "configuration, cannot reach the cluster's DNS: neither over UDP 53, nor over TCP 53. Every connection by name "
     "fails, usually after five seconds or more. Pods that are denied all egress and name nobody are left alone.",
     "Allow UDP and TCP 53 to the DNS pods.",
     "egress:\n  - to: [{podSelector: {matchLabels: {app: postgres}}}]\n    ports: [{protocol: TCP, port: 5432}]\n",
     "egress:\n  - to: [{podSelector: {matchLabels: {app: postgres}}}]\n    ports: [{protocol: TCP, port: 5432}]\n"
     "  - to:\n      - namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}\n"
     "        podSelector: {matchLabels: {k8s-app: kube-dns}}\n"
     "    ports: [{protocol: UDP, port: 53}, {protocol: TCP, port: 53}]\n"},
    {"external-name-unresolved", warning, "an ExternalName that does not resolve",
     "A Service of type ExternalName is an alias (a CNAME). Its target is a full DNS name: search domains are not "
     "tried, so that `backend` or `backend.shop` mean nothing, and a name in the cluster's domain must be that of a "
     "Service. Names outside the cluster are not judged, nor those in namespaces of which the input has no Service.",
     "Write the target in full: service.namespace.svc.cluster.local.",
     "spec: {type: ExternalName, externalName: backend-api.backend}\n",
     "spec: {type: ExternalName, externalName: backend-api.backend.svc.cluster.local}\n"},
    {"ip-block-covers-pods", warning, "an ipBlock that covers the pods too",
     "A block such as 0.0.0.0/0 is written to mean \"the outside\". With most plugins it matches the addresses of pods "
     "as well, and opens every pod of the cluster; with others (Cilium, OVN-Kubernetes for some peers) it does not "
     "(info). The same manifest means two things.",
     "Exclude the pod addresses with `except`, and allow pods by selectors.", "to:\n  - ipBlock: {cidr: 0.0.0.0/0}\n",
     "to:\n  - ipBlock: {cidr: 0.0.0.0/0, except: [10.244.0.0/16]}\n"},
    {"metadata-name-label", warning, "a hand-written kubernetes.io/metadata.name label",
     "The API server sets this label of every namespace to the namespace's name, whatever the manifest says (since "
     "Kubernetes 1.21). A manifest that says otherwise deceives its readers, and policies that rely on it match "
     "nothing or another namespace (warning). One that says the same is merely unneeded (info).",
     "Leave the label out.",
     "kind: Namespace\nmetadata:\n  name: shop\n  labels: {kubernetes.io/metadata.name: store}\n",
     "kind: Namespace\nmetadata:\n  name: shop\n"},
    {"namespace-does-not-exist", warning, "a policy in a namespace that nobody defines and no pod lives in",
     "Policies are kept by namespace and protect its pods only. In a namespace that does not exist the API server "
     "refuses the policy; after a misspelling it protects nothing.",
     "Correct metadata.namespace, or add the Namespace.",
     "kind: NetworkPolicy\nmetadata: {name: deny, namespace: bakcend}\n",
     "kind: NetworkPolicy\nmetadata: {name: deny, namespace: backend}\n"},
    {"namespace-lacks-label", info, "a namespace without a label that its neighbours are selected by",
     "A policy selects namespaces by a label that most of them carry, and this one lacks. If the label was forgotten, "
     "connections from and to this namespace fail; with NotIn and DoesNotExist they are let in.",
     "Label the namespace, or annotate it with podwire/ignore if it is meant to be left out.",
     "kind: Namespace\nmetadata: {name: database}                            # backend has environment=production\n",
     "kind: Namespace\nmetadata: {name: database, labels: {environment: production}}\n"},
    {"namespace-selector-matches-nothing", warning, "a namespaceSelector that matches no namespace",
     "No namespace of the input has these labels, so that the peer grants nothing. Often the label was never put on "
     "the namespace, or `name:` was written for kubernetes.io/metadata.name.",
     "Select by kubernetes.io/metadata.name, or label the namespace.",
     "namespaceSelector: {matchLabels: {name: frontend}}     # nobody set the label \"name\"\n",
     "namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: frontend}}\n"},
    {"namespace-without-default-deny", warning, "a namespace whose new pods are open to everyone",
     "No policy selects all pods of the namespace for ingress, so that a pod that no other policy selects, today or "
     "tomorrow, accepts connections from every pod of the cluster. System namespaces, and policy sets without any "
     "policy beside others that have some, are left alone.",
     "Add a policy with an empty podSelector and policyTypes [Ingress].",
     "# the namespace's only policy\nspec: {podSelector: {matchLabels: {app: web}}, ingress: []}\n",
     "spec: {podSelector: {}, policyTypes: [Ingress]}\n"},
    {"one-sided-allow", warning, "one end's policy allows what the other end's denies",
     "A connection needs the egress of its source and the ingress of its destination. A rule that names the other end "
     "while that end's policies deny it grants nothing; this holds for every tier, on either end. Each item of the "
     "rule's ports is judged for itself. Peers that name pods are judged one by one; those that name whole namespaces, "
     "and rules of an admin tier whose subject names no pods, only when nobody there is reachable. Where the input has "
     "no pods of an end's namespace, the selectors stand for them (`pods app=web of shop`): it is reported when no "
     "pod that they describe, whatever its other labels, could have the connection.",
     "Add the other half to a policy of the other namespace, or take this half away.",
     "# in backend; the database denies ingress by default\negress:\n"
     "  - to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: database}}}]\n",
     "# and in database\ningress:\n"
     "  - from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: backend}}}]\n"},
    {"open-dns-rule", warning, "a DNS rule that any namespace's pods can satisfy",
     "An egress rule for port 53 selects its peers in every namespace, by no label or by one that whoever deploys pods "
     "can set (k8s-app: kube-dns). A pod so labelled in any namespace receives what it wants over port 53.",
     "Name the namespace: kubernetes.io/metadata.name: kube-system.",
     "to:\n  - namespaceSelector: {}\n    podSelector: {matchLabels: {k8s-app: kube-dns}}\n",
     "to:\n  - namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}\n"
     "    podSelector: {matchLabels: {k8s-app: kube-dns}}\n"},
    {"or-instead-of-and", warning, "two peers where one was meant: OR instead of AND",
     "A namespaceSelector and a podSelector in two list items are alternatives: all pods of the namespaces, or those "
     "pods of the policy's own namespace. In one item both must hold. The difference is one dash. The rule is quiet "
     "where the pods are found in the policy's namespace and not in the selected ones.",
     "Take away the dash before podSelector, so that both selectors stand in one item.",
     "from:\n  - namespaceSelector: {matchLabels: {team: web}}\n  - podSelector: {matchLabels: {app: frontend}}\n",
     "from:\n  - namespaceSelector: {matchLabels: {team: web}}\n    podSelector: {matchLabels: {app: frontend}}\n"},
    {"pod-selector-matches-nothing", warning, "a podSelector that matches no pod",
     "No pod or pod template of the namespaces in question has these labels: the policy protects nothing, or the peer "
     "grants nothing. Silent where the input holds no pods of these namespaces, and for pods that controllers make "
     "which podwire does not know. A peer in every namespace is info: the input may lack the one that is meant.",
     "Compare with the labels of the pod template (not of the Deployment).",
     "podSelector: {matchLabels: {app: postgresql}}      # the pods say app: postgres\n",
     "podSelector: {matchLabels: {app: postgres}}\n"},
    {"policy-without-namespace", warning, "a policy that lands in the namespace default",
     "Without metadata.namespace a policy is created wherever the command happens to point, usually in `default`, and "
     "protects the pods there. A policy that a scenario stamps into namespaces is no such case.",
     "Set metadata.namespace.", "kind: NetworkPolicy\nmetadata: {name: default-deny}\n",
     "kind: NetworkPolicy\nmetadata: {name: default-deny, namespace: backend}\n"},
    {"redundant-rule", info, "a rule that another rule contains",
     "Every connection that the rule allows is allowed by another one. It is harmless until someone edits one of the "
     "two and believes the other gone. In a namespace with more than 1,000 rules of a direction a rule is compared "
     "with those of its own policy alone, and the output says so.",
     "Delete the narrower rule.",
     "ingress:\n  - from: [{podSelector: {}}]\n  - from: [{podSelector: {matchLabels: {app: web}}}]\n",
     "ingress:\n  - from: [{podSelector: {}}]\n"},
    {"role-binding-dangling", warning, "a binding to a ServiceAccount or Role that does not exist",
     "A RoleBinding's names are not checked when it is created. It grants nothing, and grants silently as soon as "
     "someone creates an account of that name. ClusterRoles are judged only where the input defines some, accounts of "
     "other namespaces only where it has anything of these.",
     "Correct the name or the namespace, or add what is missing.",
     "kind: RoleBinding\nsubjects: [{kind: ServiceAccount, name: frontend, namespace: frontend}]  # it is "
     "frontend-sa\n",
     "kind: RoleBinding\nsubjects: [{kind: ServiceAccount, name: frontend-sa, namespace: frontend}]\n"},
    {"service-port-not-target-port", warning, "a policy that names the Service's port, not the pod's",
     "Policies see a packet after the Service's address was replaced by a pod's, so that they must name the target "
     "port. A rule for the Service's own port matches nothing.",
     "Allow the target port.", "ports: [{port: 80}]        # Service: {port: 80, targetPort: 8080}\n",
     "ports: [{port: 8080}]\n"},
    {"service-selects-nothing", warning, "a Service that selects no pod",
     "No pod or pod template of the namespace has the selector's labels, so that the Service has no endpoint and "
     "refuses every connection.",
     "Compare the selector with the labels of the pod template.",
     "kind: Service\nspec: {selector: {app: backend}}        # the pods say app: backend-api\n",
     "kind: Service\nspec: {selector: {app: backend-api}}\n"},
    {"short-dns-name", info, "a host name that relies on the search path",
     "A container's environment or arguments name a Service by a short name. It means another Service, or none, as "
     "soon "
     "as the pod runs in another namespace, and costs up to five queries a lookup. A name that resolves in another "
     "namespace only, not where the pod runs, is a warning. Values are never shown, only host names.",
     "Write service.namespace.svc.cluster.local.",
     "env: [{name: DATABASE_URL, value: \"postgres://postgres:5432/shop\"}]\n",
     "env: [{name: DATABASE_URL, value: \"postgres://postgres.database.svc.cluster.local:5432/shop\"}]\n"},
    {"unknown-named-port", warning, "a port name that no container declares",
     "A policy's or a Service's port name is looked up in the destination pod's containers, by name and protocol. A "
     "name that none of them declares grants nothing, or leaves the Service without endpoints.",
     "Name the container port, or use its number.",
     "ports: [{port: web}]       # containers: [{ports: [{name: http, containerPort: 8080}]}]\n",
     "ports: [{port: http}]\n"},
};

}  // namespace

std::string_view to_string(LintSeverity severity) {
  constexpr std::string_view kNames[] = {"error", "warning", "info"};
  return kNames[static_cast<std::size_t>(severity)];
}

std::span<const LintRule> lint_rules() {
  return kRules;
}

const LintRule* find_lint_rule(std::string_view id) {
  const auto at = std::find_if(std::begin(kRules), std::end(kRules), [&](const LintRule& r) { return r.id == id; });
  return at == std::end(kRules) ? nullptr : at;
}

}  // namespace podwire::analysis
