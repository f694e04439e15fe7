//===- Products.h - Matrix products that several families share -*- C++ -*-===//
#ifndef OPTC_FRONTEND_PRODUCTS_H
#define OPTC_FRONTEND_PRODUCTS_H

#include "frontend/Node.h"

namespace optc {

/// `optc.contract`.
Value contract(Node &n, Value lhs, Value rhs, ArrayRef<int64_t> lhsBatch, ArrayRef<int64_t> rhsBatch,
               ArrayRef<int64_t> lhsContract, ArrayRef<int64_t> rhsContract);
/// numpy.matmul: batch dims are broadcast, vectors are rows on the left and columns on the right.
Value matMul(Node &n, Value lhs, Value rhs);
/// `bias` added to the last dim of y; null: nothing.
Value addBias(Node &n, Value y, Value bias);

} // namespace optc

#endif // OPTC_FRONTEND_PRODUCTS_H
