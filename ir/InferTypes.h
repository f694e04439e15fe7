//===- InferTypes.h - How result types are defined --------------*- C++ -*-===//
//
// Private to the InferTypes*.cpp files: one macro that turns a function of an op's adaptor
// into its InferTypeOpInterface method.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_IR_INFERTYPES_H
#define OPTC_IR_INFERTYPES_H

#include "ir/Shape.h"

/// Defines OP::inferReturnTypes by the body that follows, which sees `op` (the adaptor),
/// `location` and `types`.
#define OPTC_INFER(OP)                                                                                       \
  static LogicalResult infer##OP(OP::Adaptor op, std::optional<Location> location,                           \
                                 SmallVectorImpl<Type> &types);                                              \
  LogicalResult OP::inferReturnTypes(MLIRContext *, std::optional<Location> location, ValueRange operands,   \
                                     DictionaryAttr attributes, OpaqueProperties properties,                 \
                                     RegionRange regions, SmallVectorImpl<Type> &types) {                    \
    return infer##OP(OP::Adaptor(operands, attributes, properties, regions), location, types);               \
  }                                                                                                          \
  static LogicalResult infer##OP(OP::Adaptor op, std::optional<Location> location,                           \
                                 SmallVectorImpl<Type> &types)

#endif // OPTC_IR_INFERTYPES_H
