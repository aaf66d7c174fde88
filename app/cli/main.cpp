// The podwire binary. Everything is in the cli library, where tests reach it.
#include "app/cli/cli.hpp"

int main(int count, char** words) {
  return podwire::cli::run_command({words + (count > 0 ? 1 : 0), words + count});
}
