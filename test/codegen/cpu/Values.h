//===- Values.h - Inputs of differential tests, and their results -*- C++ -*-===//
//
// Random values with a type's special ones among them, and the comparison of a result with the evaluator's.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_TEST_CODEGEN_CPU_VALUES_H
#define OPTC_TEST_CODEGEN_CPU_VALUES_H

#include "Differential.h"
#include "ir/Shape.h"
#include "runtime/reference/Value.h"
#include "llvm/ADT/StringMap.h"
#include <random>

namespace optc {
using HostValue = Value;
}

namespace optc::test {

/// A value of a tensor type, its dims under `symbols`.
HostValue makeInput(mlir::Type type, const Argument &argument, const llvm::StringMap<int64_t> &symbols, std::mt19937 &random);

/// Empty when every element is within the bound, else the worst one. `inputs` of the result's size are shown beside it.
std::string compare(const HostValue &got, const HostValue &expected, Bound bound, const std::vector<HostValue> &inputs);

} // namespace optc::test

#endif // OPTC_TEST_CODEGEN_CPU_VALUES_H
