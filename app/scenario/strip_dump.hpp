// A dump without what podwire does not read: smaller by an order of magnitude, and nothing in it that a cluster's owner
// would not show. One JSON List, an object a line, so that it can be read, searched and compared.
//
// Left out are
// - kinds that neither decide a verdict nor make one unknown (Secrets and ConfigMaps among them; `left_out` counts
// them),
// - metadata but name, namespace, labels, ownerReferences, creation and deletion times, and annotations that podwire
//   obeys (so no managedFields and no last-applied-configuration),
// - of containers all but name, image, ports and probes, and of env (ConfigMaps' among it) and args what names a peer
//   (peer_text.hpp), without credentials, path, query and fragment; lone names only where a Service is called so,
// - volumes, and status but addresses, phases, conditions' types and truth, a node's capacity and version.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "models/cluster/objects.hpp"

namespace podwire::scenario {

struct StrippedDump {
  std::string text;  // {"kind":"List", …}
  std::size_t objects = 0;
  std::vector<std::pair<std::string, std::size_t>> left_out;  // kind → objects, by name
};

StrippedDump strip_dump(const cluster::ObjectStore& store);

/// What of a variable or argument names peers: "http://user:pw@api.shop:8080/x?y" and "--db=api.shop:5432" give
/// "http://api.shop:8080" and "--db=api.shop:5432"; "" when nothing does. Reading the result gives the same peers.
std::string peer_of_value(std::string_view text);

}  // namespace podwire::scenario
