//===- CodeCache.cpp - Compiled code that is kept, and what is not --------===//

#include "codegen/gpu/CodeCache.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"
#include <fstream>
#include <gtest/gtest.h>
#include <thread>

using namespace optc;

namespace {

class CodeCaches : public testing::Test {
protected:
  CodeCaches() {
    (void)llvm::sys::fs::createUniqueDirectory("optc-cache", made);
    folder = (made + "/in/here").str();
  }
  ~CodeCaches() override { (void)llvm::sys::fs::remove_directories(made); }
  std::vector<std::string> files() const {
    std::vector<std::string> found;
    std::error_code error;
    for (llvm::sys::fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error))
      if (!llvm::StringRef(it->path()).ends_with("timestamp"))
        found.push_back(it->path());
    return found;
  }
  llvm::SmallString<128> made;
  std::string folder;
};

TEST_F(CodeCaches, findsWhatWasAdded) {
  CodeCache cache(folder);
  EXPECT_EQ(cache.find("a"), std::nullopt);
  std::string code("\0code\n\0", 7);
  cache.add("a", code);
  cache.add("b", "");
  EXPECT_EQ(cache.find("a"), code);
  EXPECT_EQ(cache.find("b"), "");
  EXPECT_EQ(CodeCache(folder).find("a"), code);
  EXPECT_EQ(files().size(), 2u);
}

TEST_F(CodeCaches, keysTellPartsApart) {
  EXPECT_EQ(CodeCache::keyOf({"a", "b"}), CodeCache::keyOf({"a", "b"}));
  EXPECT_NE(CodeCache::keyOf({"a", "b"}), CodeCache::keyOf({"ab", ""}));
  EXPECT_NE(CodeCache::keyOf({"a", "b"}), CodeCache::keyOf({"b", "a"}));
}

TEST_F(CodeCaches, leavesOutWhatIsDamaged) {
  CodeCache cache(folder);
  std::string code(1000, 'c');
  cache.add("a", code);
  std::string path = files().at(0), whole;
  {
    std::ifstream in(path, std::ios::binary);
    whole.assign(std::istreambuf_iterator<char>(in), {});
  }
  std::string flipped = whole;
  flipped[whole.size() / 2] ^= 1;
  for (const std::string &damaged : {std::string(), whole.substr(0, 5), whole.substr(0, 80), whole.substr(0, whole.size() - 1), whole + "x", flipped}) {
    std::ofstream(path, std::ios::binary) << damaged;
    EXPECT_EQ(cache.find("a"), std::nullopt) << damaged.size();
  }
  // An entry in another's place.
  std::ofstream(path.substr(0, path.size() - 1) + "b", std::ios::binary) << whole;
  EXPECT_EQ(cache.find("b"), std::nullopt);
  cache.add("a", code);
  EXPECT_EQ(cache.find("a"), code);
}

TEST_F(CodeCaches, dropsWhatWasNotUsedForLongest) {
  const std::string code(1000, 'c');
  {
    CodeCache cache(folder);
    for (const char *key : {"a", "b", "c", "d"})
      cache.add(key, code);
  }
  for (const std::string &path : files()) {
    int file = 0;
    ASSERT_FALSE(llvm::sys::fs::openFileForReadWrite(path, file, llvm::sys::fs::CD_OpenExisting, llvm::sys::fs::OF_None));
    auto time = std::chrono::system_clock::now() - std::chrono::hours(1 + path.back());
    EXPECT_FALSE(llvm::sys::fs::setLastAccessAndModificationTime(file, time));
    close(file);
  }
  {
    CodeCache cache(folder, 3500);
    EXPECT_TRUE(cache.find("d")); // the oldest, until now
    cache.add("e", code);
  }
  CodeCache cache(folder);
  EXPECT_EQ(files().size(), 3u);
  for (const char *key : {"a", "d", "e"})
    EXPECT_TRUE(cache.find(key)) << key;
}

TEST_F(CodeCaches, severalWriteAtATime) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      CodeCache cache(folder, 20000);
      for (int i = 0; i < 50; ++i) {
        std::string key = std::to_string(i % 10), code(1000, char('a' + i % 10));
        if (auto kept = cache.find(key))
          EXPECT_EQ(*kept, code);
        cache.add(key, code);
      }
    });
  for (std::thread &thread : threads)
    thread.join();
  EXPECT_EQ(files().size(), 10u); // no temporary ones
}

TEST_F(CodeCaches, mayHaveNoPlace) {
  std::ofstream((made + "/file").str()) << "here";
  for (const std::string &place : {std::string(), (made + "/file").str(), (made + "/file/below").str(), std::string("/proc/none")}) {
    CodeCache cache(place);
    cache.add("a", "code");
    EXPECT_EQ(cache.find("a"), std::nullopt) << place;
  }
}

} // namespace
