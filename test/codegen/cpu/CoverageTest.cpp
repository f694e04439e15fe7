//===- CoverageTest.cpp - Every op of the dialect has a case --------------===//
//
// Runs this program again in a mode where batches only list the ops that are in their cases, and compares with what
// the dialect has registered: an op that is new must get a case.
//
//===----------------------------------------------------------------------===//

#include "ir/Dialect.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Program.h"
#include <cstdlib>
#include <fstream>
#include <gtest/gtest.h>
#include <set>

TEST(Coverage, everyOpHasACase) {
  if (std::getenv("OPTC_LIST_OPS"))
    return;
  llvm::SmallString<128> path;
  ASSERT_FALSE(llvm::sys::fs::createTemporaryFile("optc-ops", "txt", path));
  std::string self = llvm::sys::fs::getMainExecutable(nullptr, nullptr), variable = ("OPTC_LIST_OPS=" + path).str();
  std::string error;
  llvm::StringRef environment[] = {variable};
  int status = llvm::sys::ExecuteAndWait(self, {self, "--gtest_brief=1"}, llvm::ArrayRef(environment), {}, 0, 0, &error);
  ASSERT_EQ(status, 0) << error;
  std::set<std::string> found;
  std::ifstream in(path.c_str());
  for (std::string op; in >> op;)
    found.insert(op);
  (void)llvm::sys::fs::remove(path);

  mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  context.loadDialect<optc::OptcDialect>();
  // What the passes make of the cases' ops.
  found.insert("optc.kernel");
  for (mlir::RegisteredOperationName name : context.getRegisteredOperations())
    if (name.getDialectNamespace() == "optc")
      EXPECT_TRUE(found.count(name.getStringRef().str())) << name.getStringRef().str() << " is in no case";
}
