// Finding files: order, and everything a stranger's folder may hold instead of plain manifests.
#include "sim/config/files.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "sim/config/decompress.hpp"

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

// Packed by gzip and zstd themselves: `printf 'a: 1\n' | gzip -n9`, `| zstd --no-check`, and two of each in a row.
const std::string kGzip(
    "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\x4b\xb4\x52\x30\xe4\x02\x00\x69\x19\x23\xe3\x05\x00\x00\x00", 25);
const std::string kZstd("\x28\xb5\x2f\xfd\x00\x58\x29\x00\x00\x61\x3a\x20\x31\x0a", 14);

TEST_F(FilesTest, PackedFilesAreReadAsWhatTheyHold) {
  write("dump/a.yaml.gz", kGzip);
  write("dump/b.yml.zst", kZstd);
  write("dump/c.json.gz.bak");
  write("dump/d.tar.gz");
  EXPECT_EQ(list("dump"), "dump/a.yaml.gz dump/b.yml.zst");
  for (const char* name : {"dump/a.yaml.gz", "dump/b.yml.zst"}) {
    const auto document = read(name);
    ASSERT_TRUE(document.has_value()) << name;
    EXPECT_EQ(document->roots().front().find("a").text(), "1") << name;
  }
  EXPECT_EQ(codes(), "");
}

TEST_F(FilesTest, SeveralMembersOrFramesMakeOneText) {
  write("two.yaml.gz", kGzip + kGzip);
  write("two.yaml.zst", kZstd + kZstd);
  write("padded.yaml.gz", kGzip + std::string(100, '\0'));
  EXPECT_FALSE(read("two.yaml.gz").has_value());  // "a: 1" twice: the reader of YAML saw both
  EXPECT_FALSE(read("two.yaml.zst").has_value());
  EXPECT_EQ(codes(), "duplicate-key duplicate-key");
  EXPECT_TRUE(read("padded.yaml.gz").has_value());
}

TEST_F(FilesTest, DamagedPackedFilesAreNamedAtEveryLength) {
  for (std::size_t length = 0; length < kGzip.size(); ++length) {
    write("x.yaml.gz", kGzip.substr(0, length));
    EXPECT_FALSE(read("x.yaml.gz").has_value()) << length;
    EXPECT_EQ(codes(), "unreadable") << length;
  }
  for (std::size_t length = 0; length < kZstd.size(); ++length) {
    write("x.yaml.zst", kZstd.substr(0, length));
    EXPECT_FALSE(read("x.yaml.zst").has_value()) << length;
    EXPECT_EQ(codes(), "unreadable") << length;
  }
  EXPECT_NE(problems_.all().back().message.find("x.yaml.zst\" cannot be unpacked: it ends in the middle"),
            std::string::npos)
      << problems_.all().back().message;
  std::string flipped = kGzip;
  flipped[20] = static_cast<char>(flipped[20] ^ 1);  // in the checksum
  write("x.yaml.gz", flipped);
  EXPECT_FALSE(read("x.yaml.gz").has_value());
  write("x.yaml.gz", kGzip + "more");
  EXPECT_FALSE(read("x.yaml.gz").has_value());
  write("x.yaml.gz", "a: 1\n");
  EXPECT_FALSE(read("x.yaml.gz").has_value());
  EXPECT_EQ(codes(), "unreadable unreadable unreadable");
}

std::string packed_zeros() {
  const std::string zeros(1 << 20, '\0');
  std::string packed(2000, ' ');
  z_stream stream{};
  deflateInit2(&stream, 9, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(zeros.data()));
  stream.avail_in = static_cast<uInt>(zeros.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  packed.resize(packed.size() - stream.avail_out);
  deflateEnd(&stream);
  return packed;
}

TEST_F(FilesTest, BytesAreLimitedAfterUnpacking) {
  FileAccess access;
  write("x.yaml.gz", kGzip);
  access.limits.max_bytes = 25;  // the packed file itself has 25, and 5 inside
  EXPECT_TRUE(read("x.yaml.gz", access).has_value());
  EXPECT_EQ(codes(), "");
  for (const Packing packing : {Packing::gzip, Packing::zstd}) {
    std::string text;
    std::string problem;
    std::string packed;
    for (int i = 0; i < 6; ++i) {
      packed += packing == Packing::gzip ? kGzip : kZstd;  // 30 bytes inside
    }
    EXPECT_EQ(unpack(packing, packed, 29, 0, text, problem), Unpacked::too_large);
    EXPECT_LE(text.size(), 30u);
    EXPECT_EQ(unpack(packing, packed, 30, 0, text, problem), Unpacked::done);
    EXPECT_EQ(text, "a: 1\na: 1\na: 1\na: 1\na: 1\na: 1\n");
  }
  const std::string zeros = packed_zeros();  // 1 MiB of NUL in about 1 KiB
  EXPECT_LT(zeros.size(), 2000u);
  write("bomb.yaml.gz", zeros);
  access.limits.max_bytes = 100'000;
  EXPECT_FALSE(read("bomb.yaml.gz", access).has_value());
  EXPECT_EQ(codes(), "too-large");
}

}  // namespace
}  // namespace podwire::config
