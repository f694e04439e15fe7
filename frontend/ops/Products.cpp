//===- Products.cpp - Matrix products --------------------------------------===//
//
// All of them are `optc.contract`, whose result has the batch dims, then lhs's other dims, then
// rhs's. MatMul's batch dims are broadcast first, but a matrix without batch stays one:
//
//   MatMul(x[B,M,K], w[K,N])  ⇒  contract x, w {lhs_contract = [2], rhs_contract = [0]} : [B,M,N]
//
//===----------------------------------------------------------------------===//

#include "frontend/Products.h"
#include "frontend/Registry.h"

using namespace mlir;
using namespace optc;

Value optc::contract(Node &n, Value lhs, Value rhs, ArrayRef<int64_t> lhsBatch, ArrayRef<int64_t> rhsBatch,
                     ArrayRef<int64_t> lhsContract, ArrayRef<int64_t> rhsContract) {
  return n.make<ContractOp>(lhs, rhs, lhsBatch, rhsBatch, lhsContract, rhsContract);
}

Value optc::matMul(Node &n, Value lhs, Value rhs) {
  n.expect(n.rank(lhs) > 0 && n.rank(rhs) > 0, "a scalar is no operand of a matrix product");
  // A vector is a row on the left, a column on the right; its dim of 1 leaves the result.
  bool row = n.rank(lhs) == 1, column = n.rank(rhs) == 1;
  int64_t rankL = n.rank(lhs), rankR = n.rank(rhs);
  if (column)
    return contract(n, lhs, rhs, {}, {}, {rankL - 1}, {0});
  if (rankR == 2)
    return contract(n, lhs, rhs, {}, {}, {rankL - 1}, {0});
  if (row) {
    // [K] x [B..., K, N] -> [B..., N]
    Value y = contract(n, rhs, lhs, {}, {}, {rankR - 2}, {0});
    return y;
  }
  Dims l = n.dims(lhs), r = n.dims(rhs);
  auto batch = broadcastDims(ArrayRef<DimExpr>(l).drop_back(2), ArrayRef<DimExpr>(r).drop_back(2));
  n.expect(succeeded(batch), "the batch dims cannot be broadcast together");
  auto extend = [&](Value x) {
    Dims dims = *batch, own = n.dims(x);
    dims.append(own.end() - 2, own.end());
    return n.broadcast(x, dims);
  };
  lhs = extend(lhs);
  rhs = extend(rhs);
  int64_t rank = batch->size() + 2;
  auto batchDims = llvm::to_vector(llvm::seq<int64_t>(0, rank - 2));
  return contract(n, lhs, rhs, batchDims, batchDims, {rank - 1}, {rank - 2});
}

Value optc::addBias(Node &n, Value y, Value bias) {
  return bias ? n.make<AddOp>(y, n.broadcast(n.cast(bias, elementOf(y)), n.dims(y))) : y;
}

namespace {

Results importMatMul(Node &n) {
  if (!isa<IntegerType>(elementOf(n[0])) || elementOf(n[0]).getIntOrFloatBitWidth() != 8)
    return {matMul(n, n[0], n[1])};
  // Products of bytes give i32; MatMul's result has the operands' type (and wraps).
  return {n.cast(matMul(n, n[0], n[1]), elementOf(n[0]))};
}

// alpha * A' * B' + beta * C
Results gemm(Node &n) {
  n.expect(n.rank(n[0]) == 2 && n.rank(n[1]) == 2, "A and B must be matrices");
  bool transA = n.flag("transA"), transB = n.flag("transB");
  Value y = contract(n, n[0], n[1], {}, {}, {transA ? 0 : 1}, {transB ? 1 : 0});
  double alpha = n.number("alpha", 1), beta = n.number("beta", 1);
  if (alpha != 1)
    y = n.make<MulOp>(y, n.full(y, alpha));
  if (Value c = n.optional(2)) {
    if (beta != 1)
      c = n.make<MulOp>(c, n.full(c, beta));
    y = n.make<AddOp>(y, n.broadcast(c, n.dims(y)));
  }
  return {y};
}

/// One operand of an einsum and the letter of each of its dims.
struct Term {
  Value value;
  std::string letters;
};

/// Letters for "..." that no equation can hold.
char ellipsisLetter(size_t i) { return char(128 + i); }

/// Sums away a dim, or takes the diagonal of a letter that occurs twice.
Term diagonal(Node &n, Term t) {
  for (size_t i = 0; i < t.letters.size(); ++i) {
    size_t j = t.letters.find(t.letters[i], i + 1);
    if (j == std::string::npos)
      continue;
    // The mask i == j keeps the diagonal, the sum over j leaves it.
    Dims dims = n.dims(t.value), square{dims[i], dims[j]};
    n.expect(dimsMayMatch(dims[i], dims[j]), "a letter stands for dims of different sizes");
    Type index = tensorType(square, n.i64());
    Value mask = n.make<CompareOp>(n.makeAs<IotaOp>(index, 0), n.makeAs<IotaOp>(index, 1), "eq");
    Dims placed(dims.size(), DimExpr(1));
    placed[i] = dims[i];
    placed[j] = dims[j];
    mask = n.broadcast(n.reshape(mask, placed), dims);
    t.value = n.make<SelectOp>(mask, t.value, n.full(t.value, 0));
    t.value = n.make<ReduceOp>(t.value, ArrayRef<int64_t>(int64_t(j)), "sum");
    t.letters.erase(j, 1);
    --i;
  }
  return t;
}

Term sumAway(Node &n, Term t, StringRef keep) {
  SmallVector<int64_t> axes;
  std::string left;
  for (size_t i = 0; i < t.letters.size(); ++i)
    if (keep.contains(t.letters[i]))
      left += t.letters[i];
    else
      axes.push_back(i);
  if (axes.empty())
    return t;
  return {n.make<ReduceOp>(t.value, axes, "sum"), left};
}

/// Sum of products of two terms: letters in `keep` stay, shared ones are batch dims.
Term product(Node &n, Term a, Term b, StringRef keep) {
  a = sumAway(n, a, (keep + b.letters).str());
  b = sumAway(n, b, (keep + a.letters).str());
  SmallVector<int64_t> lb, rb, lc, rc;
  std::string batch, left, right;
  for (size_t i = 0; i < a.letters.size(); ++i) {
    size_t j = b.letters.find(a.letters[i]);
    if (j == std::string::npos) {
      left += a.letters[i];
      continue;
    }
    // A dim of 1 is repeated (numpy's rule for "...").
    Dims x = n.dims(a.value), y = n.dims(b.value);
    if (x[i] == DimExpr(1) && y[j] != DimExpr(1)) {
      x[i] = y[j];
      a.value = n.broadcast(a.value, x);
    } else if (y[j] == DimExpr(1) && x[i] != DimExpr(1)) {
      y[j] = x[i];
      b.value = n.broadcast(b.value, y);
    }
    if (keep.contains(a.letters[i])) {
      lb.push_back(i);
      rb.push_back(j);
      batch += a.letters[i];
    } else {
      lc.push_back(i);
      rc.push_back(j);
    }
  }
  for (char c : b.letters)
    if (a.letters.find(c) == std::string::npos)
      right += c;
  return {contract(n, a.value, b.value, lb, rb, lc, rc), batch + left + right};
}

Results einsum(Node &n) {
  std::string equation = n.text("equation");
  llvm::erase(equation, ' ');
  StringRef text = equation;
  bool isExplicit = text.contains("->");
  auto [inputs, output] = text.split("->");
  SmallVector<StringRef> parts;
  inputs.split(parts, ',');
  n.expect(parts.size() == n.size(),
           "the equation has " + Twine(parts.size()) + " terms for " + Twine(n.size()) + " inputs");

  SmallVector<Term> terms;
  size_t ellipsisRank = 0;
  auto expand = [&](StringRef part, size_t dots) {
    auto [before, after] = part.split("...");
    std::string letters = before.str();
    if (part.contains("..."))
      for (size_t i = 0; i < dots; ++i)
        letters += ellipsisLetter(ellipsisRank - dots + i);
    letters += after;
    return letters;
  };
  for (auto [part, value] : llvm::zip(parts, n.all())) {
    size_t named = part.contains("...") ? part.size() - 3 : part.size();
    size_t rank = n.rank(value);
    n.expect(part.contains("...") ? rank >= named : rank == named,
             "term '" + part + "' does not fit rank " + Twine(rank));
    ellipsisRank = std::max(ellipsisRank, rank - named);
  }
  n.expect(ellipsisRank < 64, "too many dims");
  for (auto [part, value] : llvm::zip(parts, n.all()))
    terms.push_back(
        {value, expand(part, n.rank(value) - (part.contains("...") ? part.size() - 3 : part.size()))});

  std::string result;
  if (isExplicit) {
    result = expand(output, ellipsisRank);
  } else {
    // The dims of "...", then the letters that occur once, in order.
    for (size_t i = 0; i < ellipsisRank; ++i)
      result += ellipsisLetter(i);
    for (char c = 'A'; c <= 'z'; ++c)
      if (inputs.count(c) == 1)
        result += c;
  }
  Term all = diagonal(n, terms[0]);
  for (size_t i = 1; i < terms.size(); ++i) {
    std::string keep = result;
    for (size_t j = i + 1; j < terms.size(); ++j)
      keep += terms[j].letters;
    all = product(n, all, diagonal(n, terms[i]), keep);
  }
  all = sumAway(n, all, result);
  SmallVector<int64_t> permutation;
  for (char c : result) {
    size_t at = all.letters.find(c);
    n.expect(at != std::string::npos, "a letter of the result is in no term");
    permutation.push_back(at);
  }
  n.expect(permutation.size() == all.letters.size(), "a letter occurs twice in the result");
  return {n.transpose(all.value, permutation)};
}

} // namespace

void optc::registerProducts(Registry &r) {
  r.domain = "";
  r.add("Einsum", 12, einsum);
  r.add("Gemm", 1, gemm);
  r.add("MatMul", 1, importMatMul);
}
