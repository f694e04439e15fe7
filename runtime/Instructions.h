//===- Instructions.h - Runs the instructions of a plan ---------*- C++ -*-===//
#ifndef OPTC_RUNTIME_INSTRUCTIONS_H
#define OPTC_RUNTIME_INSTRUCTIONS_H

#include "runtime/Plan.h"
#include <map>

namespace optc {

inline int64_t floorDiv(int64_t a, int64_t b) {
  if (b == 0)
    return 0;
  if (b == -1)
    return int64_t(0 - uint64_t(a));
  int64_t q = a / b;
  return (a % b != 0 && ((a < 0) != (b < 0))) ? q - 1 : q;
}

// Saturating, so that the size of an impossible shape is refused and does not wrap to a possible one.
inline int64_t addSaturating(int64_t a, int64_t b) {
  int64_t sum;
  return __builtin_add_overflow(a, b, &sum) ? (a < 0 ? INT64_MIN : INT64_MAX) : sum;
}
inline int64_t mulSaturating(int64_t a, int64_t b) {
  int64_t product;
  return __builtin_mul_overflow(a, b, &product) ? ((a < 0) != (b < 0) ? INT64_MIN : INT64_MAX) : product;
}

/// r[target] = op(r[a], r[b], ...)
inline void execute(const Instruction &in, int64_t *r) {
  using Op = Instruction::Op;
  if (in.op == Op::constant) {
    r[in.target] = in.value;
    return;
  }
  int64_t a = r[in.args[0]], b = r[in.args[1]], value = 0;
  switch (in.op) {
  case Op::constant: break;
  case Op::add: value = addSaturating(a, b); break;
  case Op::mul: value = mulSaturating(a, b); break;
  case Op::floordiv: value = floorDiv(a, b); break;
  case Op::mod: value = int64_t(uint64_t(a) - uint64_t(floorDiv(a, b)) * uint64_t(b)); break;
  case Op::min: value = a < b ? a : b; break;
  case Op::max: value = a > b ? a : b; break;
  case Op::bcast: value = a == 1 ? b : a; break;
  case Op::ifeq: value = a == b ? r[in.args[2]] : r[in.args[3]]; break;
  }
  r[in.target] = value;
}

/// The registers of a frame that are constants.
inline std::map<RegisterId, int64_t> constantsOf(const Frame &frame) {
  std::map<RegisterId, int64_t> values;
  for (const Instruction &i : frame.program)
    if (i.op == Instruction::Op::constant)
      values[i.target] = i.value;
  return values;
}

} // namespace optc

#endif // OPTC_RUNTIME_INSTRUCTIONS_H
