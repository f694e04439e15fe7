//===- Contractions.cpp - contract ----------------------------------------===//
//
// Operands are brought to [batch, m, k] and [batch, k, n] and multiplied batch by batch.
//
//===----------------------------------------------------------------------===//

#include "runtime/reference/Blocks.h"
#include "runtime/reference/MatrixProduct.h"

using namespace optc;

Value optc::permuted(const Value &x, const std::vector<int64_t> &order) {
  if (std::is_sorted(order.begin(), order.end()))
    return x;
  std::vector<int64_t> own = stridesOf(x.dims), dims, strides;
  for (int64_t d : order) {
    dims.push_back(x.dims[size_t(d)]);
    strides.push_back(own[size_t(d)]);
  }
  Value y = Value::allocate(x.type, dims);
  if (y.data)
    copyView(x, 0, strides, y);
  return y;
}

template <typename T>
static void multiplyBatches(const Value &a, const Value &b, Value &y, int64_t m, int64_t k, int64_t n) {
  std::vector<T> left(size_t(m * k)), right(size_t(k * n)), result(size_t(m * n));
  for (int64_t batch = 0, batches = y.size() / (m * n); batch < batches; ++batch) {
    load(a, batch * m * k, m * k, left.data());
    load(b, batch * k * n, k * n, right.data());
    std::fill(result.begin(), result.end(), T(0));
    multiplyAdd(left.data(), right.data(), result.data(), m, k, n);
    store(y, batch * m * n, m * n, result.data());
  }
}

static Status contract(Call &call) {
  OPTC_TRY(expectTensors(call, 2));
  const Value *operands[2] = {&call.in(0), &call.in(1)};
  const std::vector<int64_t> *batch[2] = {&call.attributes.integers("lhs_batch"),
                                          &call.attributes.integers("rhs_batch")};
  const std::vector<int64_t> *inner[2] = {&call.attributes.integers("lhs_contract"),
                                          &call.attributes.integers("rhs_contract")};
  OPTC_TRY(expectEntries(*batch[1], batch[0]->size(), "rhs_batch"));
  OPTC_TRY(expectEntries(*inner[1], inner[0]->size(), "rhs_contract"));
  std::vector<int64_t> free[2];
  for (int side = 0; side < 2; ++side) {
    std::vector<bool> used(operands[side]->dims.size());
    for (const auto *list : {batch[side], inner[side]})
      for (int64_t d : *list) {
        OPTC_TRY(expectAxis(d, operands[side]->rank()));
        if (used[size_t(d)])
          return Status::error("dim " + std::to_string(d) + " is named twice");
        used[size_t(d)] = true;
      }
    for (size_t d = 0; d < used.size(); ++d)
      if (!used[d])
        free[side].push_back(int64_t(d));
  }
  auto sizes = [&](int side, const std::vector<int64_t> &list) {
    std::vector<int64_t> dims;
    for (int64_t d : list)
      dims.push_back(operands[side]->dims[size_t(d)]);
    return dims;
  };
  std::vector<int64_t> dims = sizes(0, *batch[0]), depth = sizes(0, *inner[0]);
  if (dims != sizes(1, *batch[1]) || depth != sizes(1, *inner[1]))
    return Status::error("operands " + shapeText(operands[0]->dims) + " and " + shapeText(operands[1]->dims) +
                         " do not fit together");
  std::vector<int64_t> left = sizes(0, free[0]), right = sizes(1, free[1]);
  dims.insert(dims.end(), left.begin(), left.end());
  dims.insert(dims.end(), right.begin(), right.end());
  OPTC_TRY(call.allocate(0, dims));
  Value &y = call.outputs[0];
  Class cls = classOf(y.type);
  for (const Value *operand : operands)
    if (cls == Class::object || classOf(operand->type) == Class::object)
      return unsupported("contract", operand->type);
  if (y.size() == 0)
    return Status::success();
  std::vector<int64_t> order[2] = {*batch[0], *batch[1]};
  order[0].insert(order[0].end(), free[0].begin(), free[0].end());
  order[0].insert(order[0].end(), inner[0]->begin(), inner[0]->end());
  order[1].insert(order[1].end(), inner[1]->begin(), inner[1]->end());
  order[1].insert(order[1].end(), free[1].begin(), free[1].end());
  Value a = permuted(*operands[0], order[0]), b = permuted(*operands[1], order[1]);
  if ((a.size() && !a.data) || (b.size() && !b.data))
    return Status::error("out of memory for the operands of contract");
  int64_t m = product(left), n = product(right), k = product(depth);
  if (cls == Class::f64)
    multiplyBatches<double>(a, b, y, m, k, n);
  else
    multiplyBatches<uint64_t>(a, b, y, m, k, n);
  return Status::success();
}

void optc::registerContractions(ReferenceTable &table) { table["contract"] = contract; }
