#include "app/cli/output.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "sim/base/text.hpp"

namespace podwire::cli {
namespace {

namespace fs = std::filesystem;

std::string system_message(int error) {
  return std::strerror(error);  // NOLINT(concurrency-mt-unsafe): called from the main thread alone
}

// Devices and pipes cannot be replaced by a rename, and need not be.
bool is_replaceable(const std::string& file) {
  struct stat status {};
  return stat(file.c_str(), &status) != 0 || S_ISREG(status.st_mode);
}

constexpr std::size_t kBuffer = std::size_t{1} << 20;

}  // namespace

std::string_view to_string(Format format) {
  constexpr std::string_view kNames[] = {"table", "json",  "csv",    "md",      "dot",
                                         "text",  "sarif", "github", "mermaid", "yaml"};
  return kNames[static_cast<std::size_t>(format)];
}

std::optional<std::vector<OutputRequest>> parse_outputs(const std::vector<std::string>& texts, std::string& problem,
                                                        std::span<const Format> formats) {
  std::vector<OutputRequest> requests;
  for (const std::string& text : texts) {
    const std::size_t equals = text.find('=');
    const std::string name = text.substr(0, equals);
    OutputRequest request;
    const auto known = std::find_if(formats.begin(), formats.end(), [&](Format f) { return to_string(f) == name; });
    if (known == formats.end()) {
      std::string names;
      for (const Format format : formats) {
        names += fmt::format("{}{}", names.empty() ? "" : ", ", to_string(format));
      }
      problem = fmt::format("-o: no format is called \"{}\" ({})", printable(name, 40), names);
      return std::nullopt;
    }
    request.format = *known;
    if (equals != std::string::npos) {
      request.file = text.substr(equals + 1);
      if (request.file.empty()) {
        problem = fmt::format("-o {}: no file after the =", printable(text, 40));
        return std::nullopt;
      }
    }
    const bool is_taken = std::any_of(requests.begin(), requests.end(),
                                      [&](const OutputRequest& other) { return other.file == request.file; });
    if (is_taken) {
      problem = request.file.empty() ? "-o: only one format can go to standard output; give the others a file"
                                     : fmt::format("-o: two formats for \"{}\"", printable(request.file));
      return std::nullopt;
    }
    requests.push_back(std::move(request));
  }
  if (requests.empty()) {
    requests.push_back({.format = formats.front(), .file = {}});
  }
  return requests;
}

std::string problem_with_file(const std::string& file) {
  std::error_code error;
  const fs::path path(file);
  if (fs::is_directory(path, error)) {
    return "it is a folder";
  }
  const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  if (!fs::is_directory(folder, error)) {
    return fmt::format("there is no folder \"{}\"", printable(folder.string()));
  }
  const bool exists = fs::exists(path, error);
  if (exists && !is_replaceable(file)) {
    return access(file.c_str(), W_OK) == 0 ? "" : system_message(errno);
  }
  return access(folder.c_str(), W_OK) == 0 ? "" : system_message(errno);
}

std::string write_all(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(descriptor, text.data(), text.size());
    if (written < 0) {
      if (errno == EINTR) {
        continue;
      }
      return errno == EPIPE ? "" : system_message(errno);
    }
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return "";
}

OutputWriter::OutputWriter(const OutputRequest& request) : request_(request) {
  if (request_.file.empty()) {
    descriptor_ = STDOUT_FILENO;
    return;
  }
  if (is_replaceable(request_.file)) {
    temporary_ = fmt::format("{}.{}.partial", request_.file, getpid());
    descriptor_ = open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  } else {
    descriptor_ = open(request_.file.c_str(), O_WRONLY | O_CLOEXEC);
  }
  if (descriptor_ < 0) {
    problem_ = system_message(errno);
    temporary_.clear();
  }
}

OutputWriter::~OutputWriter() {
  if (descriptor_ > STDOUT_FILENO) {
    close(descriptor_);
  }
  if (!temporary_.empty()) {
    unlink(temporary_.c_str());
  }
}

void OutputWriter::write(std::string_view text) {
  if (problem_.empty()) {
    buffer_ += text;
    if (buffer_.size() >= kBuffer) {
      flush();
    }
  }
}

void OutputWriter::flush() {
  if (problem_.empty()) {
    problem_ = write_all(descriptor_, buffer_);
  }
  buffer_.clear();
}

std::string OutputWriter::finish() {
  flush();
  if (descriptor_ > STDOUT_FILENO) {
    // Some file systems report a full disk only here.
    if (close(descriptor_) != 0 && problem_.empty()) {
      problem_ = system_message(errno);
    }
    descriptor_ = -1;
  }
  if (!temporary_.empty() && problem_.empty()) {
    if (std::rename(temporary_.c_str(), request_.file.c_str()) == 0) {
      temporary_.clear();
    } else {
      problem_ = system_message(errno);
    }
  }
  return problem_;
}

}  // namespace podwire::cli
