//===- Differential.h - Compiled ops against the evaluator ------*- C++ -*-===//
//
// A batch is one module of many small functions, compiled once through the compiler's own passes,
// plan, code generators and packaging, then run for several sizes of its symbols:
//
//   Batch batch;
//   batch.add({"add f32", {"n xf32", ...}, ...});
//   batch.check({{{"n", 0}}, {{"n", 17}}});
//
// Every result is compared with ir/eval's evaluate() on each op (Interpreter.h). A case whose ops did not all end in
// kernel steps fails, unless it says why a library step will do. Every op of the dialect is in some case (CoverageTest.cpp).
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_TEST_CODEGEN_CPU_DIFFERENTIAL_H
#define OPTC_TEST_CODEGEN_CPU_DIFFERENTIAL_H

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
  index,    // [-limit, limit), floats and unsigned integers [0, limit)
  count,    // [1, limit]
};
struct Argument {
  std::string type; // of a tensor, symbols in quotes: see typeText
  Fill fill = Fill::any;
  int64_t limit = 0;
  /// A constant of the model instead of an input.
  bool weight = false;
};

struct Case {
  std::string name;
  std::vector<Argument> arguments; // %0, %1, ...
  /// Ops in textual form; the last one defines %y. A symbol that an op defines ends in '@', the case's number.
  std::string body;
  std::string result; // type of %y
  Bound bound;
  /// Why a library step will do; empty: every op must be in a kernel.
  std::string library;
  /// Types of %y#1, %y#2, ... where the last op has more results.
  std::vector<std::string> more = {};
};

/// "4x?xf32" with the dims' expressions: typeText({"n", "4"}, "f32").
std::string typeText(const std::vector<std::string> &dims, const std::string &element);
/// One op of one result in textual form: opText("y", "add %0, %1", {type, type}, type).
std::string opText(const std::string &result, const std::string &op, const std::vector<std::string> &types, const std::string &type);
/// The words of a text: element types, mostly.
std::vector<std::string> words(const std::string &text);
const std::string kFloats = "f32 f64 f16 bf16", kIntegers = "i8 i16 i32 i64 ui8 ui16 ui32 ui64", kNumbers = kFloats + " " + kIntegers;

/// A case of one op on %0, %1, ...: opCase("rows", "softmax %0 {axis = 1 : i64}", {{x}}, {x}).
Case opCase(std::string name, const std::string &op, std::vector<Argument> arguments, std::vector<std::string> results, Bound bound = {},
            std::string library = "");

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
