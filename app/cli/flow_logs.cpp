#include "app/cli/flow_logs.hpp"

#include <unistd.h>

#include <cerrno>
#include <memory>
#include <system_error>

#include "sim/config/byte_stream.hpp"

namespace podwire::cli {
namespace {

std::unique_ptr<config::ByteStream> standard_input() {
  return config::stream_of([](char* out, std::size_t room) {
    for (;;) {
      const ssize_t count = read(STDIN_FILENO, out, room);
      if (count >= 0) {
        return static_cast<std::size_t>(count);
      }
      if (errno != EINTR) {
        throw std::system_error(errno, std::generic_category(), "standard input");
      }
    }
  });
}

}  // namespace

bool FlowLogs::open(Diagnostics& diagnostics) {
  for (const std::string& name : names_) {
    // What the command line names itself is allowed, wherever it lies.
    auto stream = name == "-" ? standard_input() : config::open_stream(name, {}, {}, diagnostics);
    if (stream != nullptr) {
      logs_.push_back({flows::FlowReader(name, std::move(stream)), {}, false});
    }
  }
  if (diagnostics.has_errors()) {
    return false;
  }
  for (Log& log : logs_) {
    log.has_flow = log.reader.next(log.flow);
  }
  return true;
}

void FlowLogs::play_into(flows::EndMapper& mapper, flows::Merger& merger) {
  each([&](const flows::Flow& flow, std::uint32_t file, std::uint64_t number) {
    const flows::End source = mapper.map(flow.source, flow.time, flow.node);
    const flows::End destination = mapper.map(flow.destination, flow.time, flow.node);
    merger.add(flow, source, destination, file, number);
  });
  merger.finish();
}

std::uint64_t FlowLogs::records() const {
  std::uint64_t count = 0;
  for (const Log& log : logs_) {
    count += log.reader.statistics().records;
  }
  return count;
}

}  // namespace podwire::cli
