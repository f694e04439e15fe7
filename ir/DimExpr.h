//===- DimExpr.h - Symbolic dimensions --------------------------*- C++ -*-===//
//
// A dimension is a constant, a named symbol (`batch`) or an expression over symbols
// (`2*seq+1`, `floordiv(h-1,2)+1`). Expressions are kept as polynomials with integer
// coefficients over atoms, so that equal sums and products compare equal:
//
//   batch*seq*768  /  (seq*64)   ->  12*batch
//
// An atom is a symbol or an uninterpreted function of expressions (floordiv, mod, min, max,
// bcast, ifeq). Symbols that begin with '$' name elements of integer tensors read at run time
// (`optc.bind`) and may be negative; every other symbol is a dimension and at least 0.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_IR_DIMEXPR_H
#define OPTC_IR_DIMEXPR_H

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/StringRef.h"
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace optc {

class DimExpr {
public:
  /// Product of atoms, sorted, with repetition; empty for the constant term.
  using Monomial = std::vector<std::string>;

  DimExpr(int64_t constant = 0);
  static DimExpr symbol(llvm::StringRef name);
  /// Parses the printed form; nullopt when it is malformed.
  static std::optional<DimExpr> parse(llvm::StringRef text);
  /// True when `name` can be written as a symbol.
  static bool isSymbolName(llvm::StringRef name);
  /// Replaces what cannot stand in a symbol by '_'.
  static std::string symbolName(llvm::StringRef text);

  bool isConstant() const;
  std::optional<int64_t> constant() const;
  /// The symbol's name when the expression is exactly one symbol.
  std::optional<std::string> asSymbol() const;
  std::string str() const;

  DimExpr operator+(const DimExpr &other) const;
  DimExpr operator-(const DimExpr &other) const;
  DimExpr operator*(const DimExpr &other) const;
  bool operator==(const DimExpr &other) const { return terms == other.terms; }
  bool operator!=(const DimExpr &other) const { return !(*this == other); }

  /// Rounds towards minus infinity. Division by the constant 0 gives 0.
  static DimExpr floordiv(const DimExpr &a, const DimExpr &b);
  static DimExpr ceildiv(const DimExpr &a, const DimExpr &b);
  static DimExpr mod(const DimExpr &a, const DimExpr &b);
  static DimExpr min(const DimExpr &a, const DimExpr &b);
  static DimExpr max(const DimExpr &a, const DimExpr &b);
  /// The broadcast of two dims: b where a is 1, else a (ONNX multidirectional broadcasting).
  static DimExpr bcast(const DimExpr &a, const DimExpr &b);
  /// a == b ? x : y
  static DimExpr ifeq(const DimExpr &a, const DimExpr &b, const DimExpr &x, const DimExpr &y);

  /// a / b when b divides a as a polynomial, else nullopt.
  static std::optional<DimExpr> divideExactly(const DimExpr &a, const DimExpr &b);

  /// True when the value is at least 0 (at least 1) whatever the symbols are.
  bool isNonNegative() const;

  void forEachSymbol(llvm::function_ref<void(llvm::StringRef)> visit) const;
  /// Replaces symbols by expressions; `map` returns nullopt to keep one.
  DimExpr substitute(llvm::function_ref<std::optional<DimExpr>(llvm::StringRef)> map) const;
  /// The value under `map` (symbol -> value); nullopt when a symbol is unknown.
  std::optional<int64_t> evaluate(llvm::function_ref<std::optional<int64_t>(llvm::StringRef)> map) const;

  /// Visits the expression bottom up as a program: the visitor returns a handle for each
  /// constant, symbol and operation ("+", "*", "floordiv", ...). Used to emit shape programs.
  struct Visitor {
    virtual ~Visitor() = default;
    virtual int64_t constant(int64_t value) = 0;
    virtual int64_t symbol(llvm::StringRef name) = 0;
    virtual int64_t apply(llvm::StringRef function, const std::vector<int64_t> &args) = 0;
  };
  int64_t visit(Visitor &visitor) const;

private:
  static DimExpr function(llvm::StringRef name, const std::vector<DimExpr> &args);
  std::map<Monomial, int64_t> terms; // no zero coefficients
};

} // namespace optc

#endif // OPTC_IR_DIMEXPR_H
