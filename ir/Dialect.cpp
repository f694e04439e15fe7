//===- Dialect.cpp - The optc dialect -------------------------------------===//

#include "ir/Dialect.h"
#include "ir/Shape.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace optc;

#include "ir/dialect.cpp.inc"

#define GET_TYPEDEF_CLASSES
#include "ir/typedef.cpp.inc"
#define GET_ATTRDEF_CLASSES
#include "ir/attrdef.cpp.inc"
#define GET_OP_CLASSES
#include "ir/op.cpp.inc"

void OptcDialect::initialize() {
  addTypes<
#define GET_TYPEDEF_LIST
#include "ir/typedef.cpp.inc"
      >();
  addAttributes<
#define GET_ATTRDEF_LIST
#include "ir/attrdef.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "ir/op.cpp.inc"
      >();
}

Operation *OptcDialect::materializeConstant(OpBuilder &builder, Attribute value, Type type, Location loc) {
  if (auto dims = dyn_cast<DimsAttr>(value))
    return builder.create<FromDimsOp>(loc, type, dims);
  auto elements = dyn_cast<ElementsAttr>(value);
  return elements ? builder.create<ConstantOp>(loc, type, elements) : nullptr;
}

LogicalResult DimsAttr::verify(llvm::function_ref<InFlightDiagnostic()> emitError, ArrayAttr values) {
  for (Attribute value : values) {
    if (llvm::isa<IntegerAttr>(value))
      continue;
    auto text = llvm::dyn_cast<StringAttr>(value);
    if (!text || !DimExpr::parse(text.getValue()))
      return emitError() << "expected integers and dimension expressions, got " << value;
  }
  return success();
}

DimExpr DimsAttr::dim(size_t i) const {
  Attribute value = getValues()[i];
  if (auto integer = llvm::dyn_cast<IntegerAttr>(value))
    return integer.getInt();
  return *DimExpr::parse(llvm::cast<StringAttr>(value).getValue());
}

SmallVector<DimExpr> DimsAttr::dims() const {
  SmallVector<DimExpr> all;
  for (size_t i = 0; i < size(); ++i)
    all.push_back(dim(i));
  return all;
}

std::optional<SmallVector<int64_t>> DimsAttr::constants() const {
  SmallVector<int64_t> all;
  for (const DimExpr &d : dims()) {
    if (!d.isConstant())
      return std::nullopt;
    all.push_back(*d.constant());
  }
  return all;
}

DimsAttr DimsAttr::get(MLIRContext *context, ArrayRef<DimExpr> dims) {
  SmallVector<Attribute> values;
  for (const DimExpr &d : dims)
    if (auto c = d.constant())
      values.push_back(IntegerAttr::get(IntegerType::get(context, 64), *c));
    else
      values.push_back(StringAttr::get(context, d.str()));
  return get(context, ArrayAttr::get(context, values));
}

DimsAttr DimsAttr::get(MLIRContext *context, ArrayRef<int64_t> dims) {
  return get(context, SmallVector<DimExpr>(dims.begin(), dims.end()));
}
