// Finding files: order, and everything a stranger's folder may hold instead of plain manifests.
#include "sim/config/files.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace podwire::config {
namespace {

namespace fs = std::filesystem;

class FilesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "podwire-files-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = fs::canonical(pattern);
  }
  void TearDown() override {
    std::error_code ignored;
    fs::permissions(folder_, fs::perms::owner_all, ignored);
    fs::remove_all(folder_, ignored);
  }
  void write(const std::string& name, const std::string& text = "a: 1\n") {
    fs::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name) << text;
  }
  /// Relative names of what is listed.
  std::string list(const std::string& name = ".", FileAccess access = {}) {
    std::string out;
    for (const fs::path& path : list_files(folder_ / name, access, {}, problems_)) {
      out += (out.empty() ? "" : " ") + path.lexically_relative(folder_).lexically_normal().string();
    }
    return out;
  }
  std::optional<Document> read(const std::string& name, FileAccess access = {}) {
    return read_file(sources_, folder_ / name, name, access, {}, problems_);
  }
  std::string codes() {
    std::string out;
    for (; seen_ < problems_.all().size(); ++seen_) {
      out += (out.empty() ? "" : " ") + problems_.all()[seen_].code;
    }
    return out;
  }

  fs::path folder_;
  SourceMap sources_;
  Diagnostics problems_;
  std::size_t seen_ = 0;
};

TEST_F(FilesTest, FoldersAreWalkedInByteOrderOfRelativePaths) {
  for (const char* name :
       {"b.yaml", "a/z.yml", "a.yaml", "a-b.json", "notes.txt", ".hidden.yaml", ".git/x.yaml", "a/b/c.yaml"}) {
    write(name);
  }
  // '-' (0x2d) < '.' (0x2e) < '/' (0x2f)
  EXPECT_EQ(list(), "a-b.json a.yaml a/b/c.yaml a/z.yml b.yaml");
  EXPECT_EQ(list("notes.txt"), "notes.txt");  // named by the user: taken whatever it is called
  EXPECT_EQ(codes(), "");
}

TEST_F(FilesTest, MissingFilesAndEmptyFoldersAreErrors) {
  EXPECT_EQ(list("nowhere"), "");
  EXPECT_EQ(codes(), "no-such-file");
  fs::create_directories(folder_ / "empty");
  EXPECT_EQ(list("empty"), "");
  EXPECT_EQ(codes(), "no-manifests");
  EXPECT_FALSE(read("nowhere.yaml").has_value());
  EXPECT_EQ(codes(), "no-such-file");
  EXPECT_FALSE(read("empty").has_value());
  EXPECT_EQ(codes(), "not-a-regular-file");
}

TEST_F(FilesTest, LinksThatLeaveTheRootAreRefused) {
  write("outside/secret.yaml");
  write("root/in.yaml");
  fs::create_symlink(folder_ / "outside/secret.yaml", folder_ / "root/link.yaml");
  fs::create_directory_symlink(folder_ / "outside", folder_ / "root/folder");
  fs::create_symlink("in.yaml", folder_ / "root/within.yaml");
  const FileAccess access{.roots = {folder_ / "root"}};
  EXPECT_EQ(list("root", access), "root/in.yaml root/within.yaml");
  EXPECT_EQ(codes(), "outside-root outside-root");
  EXPECT_FALSE(read("root/link.yaml", access).has_value());
  EXPECT_FALSE(read("root/../outside/secret.yaml", access).has_value());
  EXPECT_EQ(codes(), "outside-root outside-root");
  EXPECT_TRUE(read("root/within.yaml", access).has_value());
  // A sibling whose name begins alike is not inside.
  write("root-2/x.yaml");
  EXPECT_FALSE(read("root-2/x.yaml", access).has_value());
  EXPECT_EQ(codes(), "outside-root");
}

TEST_F(FilesTest, FifosAndDevicesAreRefusedWithoutWaiting) {
  ASSERT_EQ(::mkfifo((folder_ / "fifo.yaml").c_str(), 0600), 0);
  EXPECT_FALSE(read("fifo.yaml").has_value());
  EXPECT_EQ(codes(), "not-a-regular-file");
  EXPECT_EQ(list("fifo.yaml"), "");
  EXPECT_EQ(codes(), "not-a-regular-file");
  write("ok.yaml");
  EXPECT_EQ(list(), "ok.yaml");
  EXPECT_EQ(codes(), "not-a-regular-file");
  EXPECT_FALSE(read_file(sources_, "/dev/zero", "zero", {}, {}, problems_).has_value());
  EXPECT_FALSE(read_file(sources_, "/dev/tty", "tty", {}, {}, problems_).has_value());
  EXPECT_EQ(codes(), "not-a-regular-file not-a-regular-file");
}

TEST_F(FilesTest, LinkLoopsEnd) {
  write("a/b/x.yaml");
  fs::create_directory_symlink(folder_ / "a", folder_ / "a/b/up");
  EXPECT_EQ(list("a"), "a/b/x.yaml");
  EXPECT_EQ(codes(), "too-many-files");
  fs::create_symlink("self.yaml", folder_ / "self.yaml");
  EXPECT_EQ(list("self.yaml"), "");
  EXPECT_EQ(codes(), "no-such-file");
}

TEST_F(FilesTest, CountsDepthsAndSizesAreLimited) {
  for (int i = 0; i < 5; ++i) {
    write("many/" + std::to_string(i) + ".yaml");
  }
  EXPECT_EQ(list("many", {.max_files = 3}), "many/0.yaml many/1.yaml many/2.yaml");
  EXPECT_EQ(codes(), "too-many-files");
  write("deep/1/2/3/x.yaml");
  EXPECT_EQ(list("deep", {.max_folder_depth = 2}), "");
  EXPECT_EQ(codes(), "too-many-files");
  write("big.yaml", "a: 12345678901234567890\n");
  EXPECT_FALSE(read("big.yaml", {.limits = {.max_bytes = 10}}).has_value());
  EXPECT_EQ(codes(), "too-large");
  // A sparse terabyte is refused by its size, before memory is asked for.
  write("sparse.json", "");
  fs::resize_file(folder_ / "sparse.json", std::uintmax_t{1} << 40);
  EXPECT_FALSE(read("sparse.json").has_value());
  EXPECT_EQ(codes(), "too-large");
}

TEST_F(FilesTest, UnreadableFilesAndFoldersAreErrors) {
  write("locked.yaml");
  write("shut/x.yaml");
  fs::permissions(folder_, static_cast<fs::perms>(0755));
  fs::permissions(folder_ / "locked.yaml", fs::perms::none);
  fs::permissions(folder_ / "shut", fs::perms::none);
  const bool is_root = ::geteuid() == 0;
  if (is_root) {
    ASSERT_EQ(::seteuid(65534), 0);  // root reads everything: be nobody for a moment
  }
  EXPECT_FALSE(read("locked.yaml").has_value());
  EXPECT_EQ(list("shut"), "");
  EXPECT_FALSE(read("shut/x.yaml").has_value());
  if (is_root) {
    ASSERT_EQ(::seteuid(0), 0);
  }
  EXPECT_EQ(codes(), "unreadable unreadable unreadable");
  fs::permissions(folder_ / "shut", fs::perms::owner_all);
}

TEST_F(FilesTest, FilesAreReadWhole) {
  std::string text = "{\"a\": \"" + std::string(200'000, 'x') + "\"}";
  write("a.json", text);
  const std::optional<Document> document = read("a.json");
  ASSERT_TRUE(document.has_value());
  EXPECT_EQ(document->roots()[0].find("a").text().size(), 200'000u);
  EXPECT_EQ(sources_.name(document->source()), "a.json");
  write("empty.yaml", "");
  EXPECT_TRUE(read("empty.yaml").has_value());
  EXPECT_EQ(codes(), "");
}

}  // namespace
}  // namespace podwire::config
