//===- Differential.h - Compiled ops against the evaluator ------*- C++ -*-===//
//
// A batch is one module of many small functions, compiled once through the compiler's own passes,
// plan, code generators and packaging, then run for several sizes of its symbols:
//
//   Batch batch;
//   batch.add({"add f32", {"n xf32", ...}, ...});
//   batch.check({{{"n", 0}}, {{"n", 17}}});
//
// Every result is compared with ir/eval's evaluate() on each op. A case whose ops did not all end in kernel steps
// fails, unless it says that a library step is what it expects.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_TEST_CODEGEN_CPU_DIFFERENTIAL_H
#define OPTC_TEST_CODEGEN_CPU_DIFFERENTIAL_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "runtime/reference/Value.h"
#include "llvm/ADT/StringMap.h"
#include <gtest/gtest.h>
#include <map>
#include <string>
#include <vector>

namespace optc::test {

/// How far a float result may lie from the reference (which is computed in f64 and rounded once): whichever of the
/// two is wider. Zero: equal, NaN to NaN and -0 to -0. Integers and bool are always equal.
struct Bound {
  double ulps = 0;     // of the result's type, at the reference's magnitude
  double absolute = 0; // in units of the result
};

/// Values of an argument.
enum class Fill {
  any,      // the type's special values first, then all magnitudes
  moderate, // [-2, 2] in floats, [-3, 3] in integers
  positive, // (0, 4]
  index,    // [-limit, limit)
  wide,     // up to 2^30: what i64 holds, beyond what narrower integers do
};
struct Argument {
  std::string type; // of a tensor, symbols in quotes: see typeText
  Fill fill = Fill::any;
  int64_t limit = 0;
};

struct Case {
  std::string name;
  std::vector<Argument> arguments; // %0, %1, ...
  /// Ops in textual form; the last one defines %y.
  std::string body;
  std::string result; // type of %y
  Bound bound;
  /// Why a library step is right; empty: every op must be in a kernel.
  std::string library;
};

/// "4x?xf32" with the dims' expressions: typeText({"n", "4"}, "f32").
std::string typeText(const std::vector<std::string> &dims, const std::string &element);

using Sizes = std::map<std::string, int64_t>;

class Batch {
public:
  explicit Batch(std::string target = "native") : target(std::move(target)) {}
  void add(Case c) { cases.push_back(std::move(c)); }
  /// Compiles all cases into one artefact and runs it once for each set of sizes.
  void check(const std::vector<Sizes> &runs);

private:
  std::string target;
  std::vector<Case> cases;
};

} // namespace optc::test

#endif // OPTC_TEST_CODEGEN_CPU_DIFFERENTIAL_H
