//===- Node.cpp - One ONNX node as its importer sees it -------------------===//

#include "frontend/Node.h"
#include "frontend/GraphImporter.h"
#include "frontend/Tensors.h"
#include "llvm/ADT/SmallSet.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace optc;
using onnx::AttributeProto;

void Node::fail(const Twine &message) const { throw NodeError{ProblemKind::badModel, message.str()}; }
void Node::unsupported(const Twine &message) const {
  throw NodeError{ProblemKind::unsupported, message.str()};
}

void Node::failWithDiagnostic() const {
  // "'optc.add' op operand ..." -> "operand ..."
  std::string text = graph.takeDiagnostic();
  StringRef message = text;
  if (message.consume_front("'optc."))
    message = message.substr(message.find("' op ") + 5);
  fail(message.empty() ? "cannot be imported" : message);
}

//===----------------------------------------------------------------------===//
// Operands and attributes
//===----------------------------------------------------------------------===//

Value Node::operator[](size_t i) const {
  if (!optional(i))
    fail("input " + Twine(i) + " is missing");
  return operands[i];
}

ArrayRef<Value> Node::all() const {
  for (size_t i = 0; i < operands.size(); ++i)
    (void)(*this)[i];
  return operands;
}

Value Node::tensor(size_t i) const {
  expect(isa<RankedTensorType>((*this)[i].getType()), "input " + Twine(i) + " must be a tensor");
  return operands[i];
}

size_t Node::numOutputs() const { return proto.output_size(); }
bool Node::wants(size_t i) const { return int(i) < proto.output_size() && !proto.output(i).empty(); }
std::string Node::outputName(size_t i) const {
  return wants(i) ? proto.output(i) : (proto.op_type() + "." + Twine(i)).str();
}

const AttributeProto *Node::attribute(StringRef name) const {
  for (const AttributeProto &a : proto.attribute())
    if (a.name() == name)
      return &a;
  return nullptr;
}

/// The attribute when it has the wanted type; a problem when it has another.
static const AttributeProto *typed(const Node &n, StringRef name, AttributeProto::AttributeType type) {
  const AttributeProto *a = n.attribute(name);
  if (a && a->type() != type)
    n.fail("attribute '" + name + "' must be of type " + AttributeProto::AttributeType_Name(type));
  return a;
}

int64_t Node::integer(StringRef name, std::optional<int64_t> otherwise) const {
  if (auto *a = typed(*this, name, AttributeProto::INT))
    return a->i();
  expect(otherwise.has_value(), "attribute '" + name + "' is missing");
  return *otherwise;
}
double Node::number(StringRef name, std::optional<double> otherwise) const {
  if (auto *a = typed(*this, name, AttributeProto::FLOAT))
    return a->f();
  expect(otherwise.has_value(), "attribute '" + name + "' is missing");
  return *otherwise;
}
std::string Node::text(StringRef name, std::optional<std::string> otherwise) const {
  if (auto *a = typed(*this, name, AttributeProto::STRING))
    return a->s();
  expect(otherwise.has_value(), "attribute '" + name + "' is missing");
  return *otherwise;
}
SmallVector<int64_t> Node::integers(StringRef name) const {
  auto *a = typed(*this, name, AttributeProto::INTS);
  return a ? SmallVector<int64_t>(a->ints().begin(), a->ints().end()) : SmallVector<int64_t>();
}
SmallVector<double> Node::numbers(StringRef name) const {
  auto *a = typed(*this, name, AttributeProto::FLOATS);
  return a ? SmallVector<double>(a->floats().begin(), a->floats().end()) : SmallVector<double>();
}
SmallVector<std::string> Node::texts(StringRef name) const {
  auto *a = typed(*this, name, AttributeProto::STRINGS);
  return a ? SmallVector<std::string>(a->strings().begin(), a->strings().end()) : SmallVector<std::string>();
}
SmallVector<int64_t> Node::integers(StringRef name, size_t count, int64_t otherwise) const {
  if (!has(name))
    return SmallVector<int64_t>(count, otherwise);
  auto list = integers(name);
  expect(list.size() == count,
         "attribute '" + name + "' has " + Twine(list.size()) + " entries, expected " + Twine(count));
  return list;
}
onnx::GraphProto &Node::subgraph(StringRef name) const {
  auto *a = typed(*this, name, AttributeProto::GRAPH);
  expect(a, "attribute '" + name + "' is missing");
  // The importer takes large tensors out of graphs as it goes.
  return *const_cast<AttributeProto *>(a)->mutable_g();
}

Value Node::tensorAttribute(const AttributeProto &a) {
  switch (a.type()) {
  case AttributeProto::TENSOR:
    return constant(graph.tensor(*const_cast<AttributeProto &>(a).mutable_t()));
  case AttributeProto::SPARSE_TENSOR:
    return constant(importSparseTensor(context(), graph.loaded, a.sparse_tensor()));
  case AttributeProto::INT:
    return scalarInteger(i64(), a.i());
  case AttributeProto::FLOAT:
    return scalar(f32(), a.f());
  case AttributeProto::INTS:
    return integersOf(integers(a.name()));
  case AttributeProto::FLOATS: {
    SmallVector<float> values(a.floats().begin(), a.floats().end());
    return constant(
        DenseElementsAttr::get(RankedTensorType::get(values.size(), f32()), ArrayRef<float>(values)));
  }
  case AttributeProto::STRING:
    return constant(
        DenseStringElementsAttr::get(RankedTensorType::get({}, StringType::get(context())), {a.s()}));
  case AttributeProto::STRINGS: {
    SmallVector<StringRef> values(a.strings().begin(), a.strings().end());
    return constant(DenseStringElementsAttr::get(
        RankedTensorType::get(values.size(), StringType::get(context())), values));
  }
  default:
    fail("attribute '" + a.name() + "' holds no tensor");
  }
}

DictionaryAttr Node::parameters() {
  NamedAttrList list;
  for (const AttributeProto &a : proto.attribute()) {
    Attribute value;
    switch (a.type()) {
    case AttributeProto::INT:
      value = b.getI64IntegerAttr(a.i());
      break;
    case AttributeProto::FLOAT:
      value = b.getF64FloatAttr(a.f());
      break;
    case AttributeProto::STRING:
      value = b.getStringAttr(a.s());
      break;
    case AttributeProto::INTS:
      value = b.getDenseI64ArrayAttr(integers(a.name()));
      break;
    case AttributeProto::FLOATS:
      value = b.getDenseF64ArrayAttr(numbers(a.name()));
      break;
    case AttributeProto::STRINGS: {
      SmallVector<StringRef> strings(a.strings().begin(), a.strings().end());
      value = b.getStrArrayAttr(strings);
      break;
    }
    case AttributeProto::TENSOR:
      value = graph.tensor(*const_cast<AttributeProto &>(a).mutable_t());
      break;
    default:
      unsupported("unsupported kind of attribute '" + a.name() + "'");
    }
    list.set(a.name(), value);
  }
  return list.getDictionary(context());
}

//===----------------------------------------------------------------------===//
// Types and ops
//===----------------------------------------------------------------------===//

Type Node::element(int64_t onnxType) const { return elementType(context(), int(onnxType)); }

int64_t Node::axis(int64_t axis, int64_t rank) const {
  expect(axis >= -rank && axis < rank, "axis " + Twine(axis) + " is out of range for rank " + Twine(rank));
  return axis < 0 ? axis + rank : axis;
}
SmallVector<int64_t> Node::axes(ArrayRef<int64_t> list, int64_t rank) const {
  SmallVector<int64_t> out;
  for (int64_t a : list) {
    out.push_back(axis(a, rank));
    expect(!llvm::is_contained(ArrayRef<int64_t>(out).drop_back(), out.back()),
           "axis " + Twine(a) + " is given twice");
  }
  return out;
}

Type Node::declaredType(size_t output) {
  return wants(output) ? graph.declaredType(proto.output(output)) : Type();
}

void Node::checkTensors(const OperationState &state) const {
  for (Value operand : state.operands)
    if (!operand || !isa<RankedTensorType>(operand.getType()))
      fail("expected a tensor operand");
}

Operation *Node::create(const OperationState &state) {
  Operation *op = b.create(state);
  if (op->getNumRegions() == 0 && failed(op->getName().verifyInvariants(op))) {
    op->erase();
    failWithDiagnostic();
  }
  return op;
}

Results Node::library(StringRef function, TypeRange types, ArrayRef<Value> values,
                      DictionaryAttr parameters) {
  auto op = opAs<LibraryOp>(types, values, function, parameters ? parameters : b.getDictionaryAttr({}));
  return Results(op->result_begin(), op->result_end());
}

//===----------------------------------------------------------------------===//
// Constants
//===----------------------------------------------------------------------===//

Value Node::constant(ElementsAttr value) { return makeAs<ConstantOp>(value.getShapedType(), value); }

Value Node::scalar(Type element, double value) {
  auto type = RankedTensorType::get({}, element);
  if (auto f = dyn_cast<FloatType>(element)) {
    llvm::APFloat number(value);
    bool lost;
    number.convert(f.getFloatSemantics(), llvm::APFloat::rmNearestTiesToEven, &lost);
    return constant(DenseElementsAttr::get(type, number));
  }
  if (!isa<IntegerType>(element))
    unsupported("unsupported type: expected a number");
  return scalarInteger(element, int64_t(value));
}

Value Node::scalarInteger(Type element, int64_t value) {
  llvm::APInt number = llvm::APInt(64, value, true).sextOrTrunc(element.getIntOrFloatBitWidth());
  return constant(DenseElementsAttr::get(RankedTensorType::get({}, element), number));
}

Value Node::integersOf(ArrayRef<int64_t> values) {
  return constant(DenseElementsAttr::get(RankedTensorType::get(int64_t(values.size()), i64()), values));
}

Value Node::fromDims(ArrayRef<DimExpr> values, Type type) {
  if (!type)
    type = RankedTensorType::get(int64_t(values.size()), i64());
  auto dims = DimsAttr::get(context(), values);
  if (auto constants = dims.constants(); constants && cast<RankedTensorType>(type).getElementType() == i64())
    return constant(DenseElementsAttr::get(cast<RankedTensorType>(type), ArrayRef<int64_t>(*constants)));
  return makeAs<FromDimsOp>(type, dims);
}

//===----------------------------------------------------------------------===//
// Shape and movement
//===----------------------------------------------------------------------===//

static std::string printed(ArrayRef<DimExpr> dims) {
  return "[" + llvm::join(llvm::map_range(dims, [](const DimExpr &d) { return d.str(); }), ", ") + "]";
}

Value Node::broadcast(Value x, ArrayRef<DimExpr> dims) {
  Type type = tensorType(dims, elementOf(x));
  return x.getType() == type ? x : makeAs<BroadcastOp>(type, x);
}

SmallVector<Value> Node::together(ArrayRef<Value> values) {
  Dims dims = dimsOf(values.front());
  for (Value v : values.drop_front()) {
    auto common = broadcastDims(dims, dimsOf(v));
    if (failed(common))
      fail("operands of dims " + printed(dims) + " and " + printed(dimsOf(v)) +
           " cannot be broadcast together");
    dims = *common;
  }
  SmallVector<Value> out;
  for (Value v : values)
    out.push_back(broadcast(v, dims));
  return out;
}

Value Node::reshape(Value x, ArrayRef<DimExpr> dims) {
  Type type = tensorType(dims, elementOf(x));
  return x.getType() == type ? x : makeAs<ReshapeOp>(type, x);
}

Value Node::cast(Value x, Type element) {
  return elementOf(x) == element ? x : makeAs<CastOp>(tensorType(dimsOf(x), element), x);
}

Value Node::transpose(Value x, ArrayRef<int64_t> permutation) {
  if (llvm::equal(permutation, llvm::seq<int64_t>(0, rank(x))))
    return x;
  return make<TransposeOp>(x, permutation);
}

Value Node::unsqueeze(Value x, ArrayRef<int64_t> axes) {
  Dims in = dimsOf(x), out;
  size_t total = in.size() + axes.size(), next = 0;
  for (size_t i = 0; i < total; ++i)
    out.push_back(llvm::is_contained(axes, int64_t(i)) ? DimExpr(1) : in[next++]);
  return reshape(x, out);
}

Value Node::squeeze(Value x, ArrayRef<int64_t> axes) {
  Dims in = dimsOf(x), out;
  for (size_t i = 0; i < in.size(); ++i) {
    if (!llvm::is_contained(axes, int64_t(i)))
      out.push_back(in[i]);
    else if (!dimsMayMatch(in[i], DimExpr(1)))
      fail("dim " + Twine(i) + " is " + in[i].str() + ", expected 1");
  }
  return reshape(x, out);
}

Value Node::slice(Value x, int64_t axis, const DimExpr &start, const DimExpr &size) {
  Dims dims = dimsOf(x), starts(dims.size(), DimExpr(0)), strides(dims.size(), DimExpr(1));
  if (dims[axis] == size && start == DimExpr(0))
    return x;
  dims[axis] = size;
  starts[axis] = start;
  return makeAs<SliceOp>(tensorType(dims, elementOf(x)), x, DimsAttr::get(context(), starts),
                         DimsAttr::get(context(), strides));
}

Value Node::concat(ArrayRef<Value> values, int64_t axis) {
  return values.size() == 1 ? values.front() : make<ConcatOp>(values, axis);
}

Value Node::alongAxis(Value vector, Value x, int64_t axis) {
  expect(rank(vector) == 1, "expected a vector along axis " + Twine(axis));
  expect(dimsMayMatch(dimsOf(vector)[0], dimsOf(x)[axis]), "a vector of " + dimsOf(vector)[0].str() +
                                                               " elements does not fit dim " + Twine(axis) +
                                                               " of size " + dimsOf(x)[axis].str());
  Dims dims(rank(x) - axis, DimExpr(1));
  dims[0] = dimsOf(vector)[0];
  return broadcast(reshape(vector, dims), dimsOf(x));
}

//===----------------------------------------------------------------------===//
// Values as sizes
//===----------------------------------------------------------------------===//

Dims Node::elements(Value x) {
  if (auto known = symbolicElements(x))
    return *known;
  RankedTensorType type = tensorOf(x);
  if (!isa<IntegerType>(type.getElementType()))
    fail("expected integers");
  if (!type.hasStaticShape() || type.getNumElements() > 64)
    unsupported("the number of entries in a shape operand is not known");
  // Right after its definition, where it dominates every use.
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointAfterValue(x);
  x = cast(x, i64());
  std::string base = "$" + DimExpr::symbolName(proto.input_size() ? proto.input(0) : proto.op_type());
  for (auto [i, name] : llvm::enumerate(proto.input()))
    if (i < operands.size() && operands[i] == x)
      base = "$" + DimExpr::symbolName(name);
  SmallVector<std::string> names;
  Dims dims;
  for (int64_t i = 0; i < type.getNumElements(); ++i) {
    names.push_back(graph.freshSymbol(base + "." + std::to_string(i)));
    dims.push_back(DimExpr::symbol(names.back()));
  }
  SmallVector<StringRef> views(names.begin(), names.end());
  opAs<BindOp>(TypeRange(), x, b.getStrArrayAttr(views));
  return dims;
}

std::optional<SmallVector<int64_t>> Node::constantIntegers(Value x) {
  auto elements = symbolicElements(x);
  if (!elements)
    return std::nullopt;
  SmallVector<int64_t> out;
  for (const DimExpr &e : *elements) {
    if (!e.isConstant())
      return std::nullopt;
    out.push_back(*e.constant());
  }
  return out;
}

std::optional<SmallVector<double>> Node::constantNumbers(Value x) {
  if (isa<IntegerType>(elementOf(x))) {
    auto integers = constantIntegers(x);
    return integers ? std::optional(SmallVector<double>(integers->begin(), integers->end())) : std::nullopt;
  }
  Operation *def = x.getDefiningOp();
  while (isa_and_nonnull<ReshapeOp>(def))
    def = def->getOperand(0).getDefiningOp();
  auto constant = dyn_cast_or_null<ConstantOp>(def);
  auto dense = constant ? dyn_cast<DenseElementsAttr>(constant.getValue()) : DenseElementsAttr();
  if (!dense || !isa<FloatType>(dense.getElementType()))
    return std::nullopt;
  SmallVector<double> out;
  for (llvm::APFloat value : dense.getValues<llvm::APFloat>()) {
    bool lost;
    value.convert(llvm::APFloat::IEEEdouble(), llvm::APFloat::rmNearestTiesToEven, &lost);
    out.push_back(value.convertToDouble());
  }
  return out;
}

DimExpr Node::freshSize(size_t output, size_t axis) {
  return DimExpr::symbol(
      graph.freshSymbol(DimExpr::symbolName(outputName(output)) + "." + std::to_string(axis)));
}
