#include "app/cli/output.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "app/cli/cli.hpp"
#include "tests/unit/scenario/scratch_folder.hpp"

namespace podwire::cli {
namespace {

std::string content(const std::string& path) {
  std::ostringstream out;
  out << std::ifstream(path).rdbuf();
  return out.str();
}

std::size_t files_in(const std::string& folder) {
  return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder), {}));
}

TEST(Outputs, AFileIsWholeOrNotThere) {
  const test::ScratchFolder folder;
  const OutputRequest request{Format::json, folder.path("out.json")};
  {
    OutputWriter writer(request);
    writer.write(std::string(3 << 20, 'x'));  // more than the buffer: something has been written
    EXPECT_FALSE(std::filesystem::exists(request.file));
    writer.write("end");
    EXPECT_EQ(writer.finish(), "");
  }
  EXPECT_EQ(std::filesystem::file_size(request.file), (3u << 20) + 3);
  EXPECT_EQ(files_in(folder.path()), 1u);
}

TEST(Outputs, AnAbandonedFileLeavesNothingAndKeepsTheOldOne) {
  const test::ScratchFolder folder;
  const OutputRequest request{Format::json, folder.write("out.json", "old")};
  {
    OutputWriter writer(request);
    writer.write(std::string(3 << 20, 'x'));
  }
  EXPECT_EQ(content(request.file), "old");
  EXPECT_EQ(files_in(folder.path()), 1u);
}

TEST(Outputs, AFullDeviceIsReported) {
  OutputWriter writer({Format::table, "/dev/full"});
  writer.write("x");
  EXPECT_EQ(writer.finish(), "No space left on device");
}

TEST(Outputs, AFolderThatIsNotThereIsReported) {
  const test::ScratchFolder folder;
  OutputWriter writer({Format::table, folder.path("no/file")});
  EXPECT_NE(writer.finish(), "");
  EXPECT_NE(problem_with_file(folder.path("no/file")), "");
  EXPECT_NE(problem_with_file(folder.path()), "");
  EXPECT_EQ(problem_with_file(folder.path("file")), "");
  EXPECT_EQ(problem_with_file("/dev/null"), "");
}

TEST(Outputs, AReaderThatLeftIsNoProblem) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  close(ends[0]);
  signal(SIGPIPE, SIG_IGN);
  EXPECT_EQ(write_all(ends[1], "nobody reads this"), "");
  close(ends[1]);
}

TEST(ExitCodes, TheGravestWins) {
  EXPECT_EQ(worse(Exit::ok, Exit::inconclusive), Exit::inconclusive);
  EXPECT_EQ(worse(Exit::failed, Exit::inconclusive), Exit::failed);
  EXPECT_EQ(worse(Exit::failed, Exit::bad_input), Exit::bad_input);
  EXPECT_EQ(worse(Exit::bug, Exit::bad_input), Exit::bug);
  EXPECT_EQ(worse(Exit::interrupted, Exit::failed), Exit::interrupted);
}

}  // namespace
}  // namespace podwire::cli
