#include "app/report/json.hpp"

namespace podwire::report {

std::string write_json(const ordered_json& object, bool is_indented) {
  return object.dump(is_indented ? 2 : -1, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace podwire::report
