//===- Node.h - One ONNX node as its importer sees it -----------*- C++ -*-===//
//
// An importer translates one node and knows nothing of the graph around it. It reads attributes
// and operands, and makes ops; whatever is wrong throws NodeError, so that it reads straight down:
//
//   static Results importRelu(Node &n) { return {n.make<MaxOp>(n[0], n.full(n[0], 0))}; }
//
// `make` infers the result type and verifies the op at once, so a wrong operand is reported at
// the node that brought it.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_FRONTEND_NODE_H
#define OPTC_FRONTEND_NODE_H

#include "frontend/Problem.h"
#include "ir/Shape.h"

namespace onnx {
class AttributeProto;
class GraphProto;
class NodeProto;
} // namespace onnx

namespace optc {

using llvm::ArrayRef;
using llvm::SmallVector;
using llvm::StringRef;
using llvm::Twine;
using mlir::Location;
using mlir::RankedTensorType;
using mlir::Type;
using mlir::Value;

/// One value an output of the node; those that the node leaves out may be null.
using Results = SmallVector<Value>;

class GraphImporter;

class Node {
public:
  Node(const onnx::NodeProto &proto, int64_t opset, Location location, mlir::OpBuilder &builder,
       ArrayRef<Value> operands, GraphImporter &graph)
      : proto(proto), opset(opset), location(location), b(builder), graph(graph),
        operands(operands.begin(), operands.end()) {}

  const onnx::NodeProto &proto;
  const int64_t opset;
  const Location location;
  mlir::OpBuilder &b;
  GraphImporter &graph;

  //===- Problems ----------------------------------------------------------===//

  [[noreturn]] void fail(const Twine &message) const;
  [[noreturn]] void unsupported(const Twine &message) const;
  /// Leaves this form of the operator to its function body.
  [[noreturn]] void expandInstead() const { throw ExpandInstead(); }
  void expect(bool condition, const Twine &message) const {
    if (!condition)
      fail(message);
  }

  //===- Operands and results -------------------------------------------------===//

  size_t size() const { return operands.size(); }
  /// Operand i; a problem when it is absent.
  Value operator[](size_t i) const;
  /// Operand i; null when it is absent.
  Value optional(size_t i) const { return i < operands.size() ? operands[i] : Value(); }
  /// All operands; a problem when one is absent.
  ArrayRef<Value> all() const;
  /// All operands, null where absent.
  ArrayRef<Value> allOrNull() const { return operands; }
  /// Operand i, in an importer that takes objects; a problem unless it is a tensor.
  Value tensor(size_t i) const;
  /// Number of outputs the node names, and whether it names output i.
  size_t numOutputs() const;
  bool wants(size_t i) const;
  std::string outputName(size_t i) const;

  //===- Attributes --------------------------------------------------------===//

  const onnx::AttributeProto *attribute(StringRef name) const;
  bool has(StringRef name) const { return attribute(name) != nullptr; }
  int64_t integer(StringRef name, std::optional<int64_t> otherwise = std::nullopt) const;
  double number(StringRef name, std::optional<double> otherwise = std::nullopt) const;
  std::string text(StringRef name, std::optional<std::string> otherwise = std::nullopt) const;
  bool flag(StringRef name, bool otherwise = false) const { return integer(name, otherwise) != 0; }
  /// Lists: empty when absent.
  SmallVector<int64_t> integers(StringRef name) const;
  SmallVector<double> numbers(StringRef name) const;
  SmallVector<std::string> texts(StringRef name) const;
  /// A list with one entry a dim: `otherwise` for each when absent, a problem when the length differs.
  SmallVector<int64_t> integers(StringRef name, size_t count, int64_t otherwise) const;
  onnx::GraphProto &subgraph(StringRef name) const;
  /// A TensorProto, SparseTensorProto or number attribute as a constant.
  Value tensorAttribute(const onnx::AttributeProto &attribute);
  /// All attributes under ONNX's names: numbers, texts, lists; tensors as elements.
  mlir::DictionaryAttr parameters();

  //===- Types ---------------------------------------------------------------===//

  mlir::MLIRContext *context() const { return b.getContext(); }
  Type i64() { return b.getI64Type(); }
  Type f32() { return b.getF32Type(); }
  Type boolean() { return b.getI1Type(); }
  /// The element type of an ONNX data type.
  Type element(int64_t onnxType) const;
  int64_t rank(Value x) const { return tensorOf(x).getRank(); }
  Dims dims(Value x) const { return dimsOf(x); }
  RankedTensorType type(ArrayRef<DimExpr> dims, Type element) const { return tensorType(dims, element); }
  /// The axis counted from the front; a problem when it is out of range.
  int64_t axis(int64_t axis, int64_t rank) const;
  SmallVector<int64_t> axes(ArrayRef<int64_t> axes, int64_t rank) const;
  /// The type that the model declares for an output (graph output or value_info); null when it doesn't.
  Type declaredType(size_t output);

  //===- Making ops ------------------------------------------------------------===//

  /// An op whose result types are inferred.
  template <typename OpT, typename... Args> OpT op(Args &&...args) {
    mlir::OperationState state(location, OpT::getOperationName());
    OpT::build(b, state, placeholders<OpT>(), std::forward<Args>(args)...);
    state.types.clear();
    checkTensors(state);
    if (failed(OpT::inferReturnTypes(context(), location, state.operands,
                                     state.attributes.getDictionary(context()), state.getRawProperties(),
                                     state.regions, state.types)))
      failWithDiagnostic();
    return llvm::cast<OpT>(create(state));
  }
  template <typename OpT, typename... Args> Value make(Args &&...args) {
    return op<OpT>(std::forward<Args>(args)...)->getResult(0);
  }
  /// An op whose result types are given.
  template <typename OpT, typename... Args> OpT opAs(mlir::TypeRange types, Args &&...args) {
    mlir::OperationState state(location, OpT::getOperationName());
    OpT::build(b, state, types, std::forward<Args>(args)...);
    return llvm::cast<OpT>(create(state));
  }
  template <typename OpT, typename... Args> Value makeAs(Type type, Args &&...args) {
    return opAs<OpT>(mlir::TypeRange(type), std::forward<Args>(args)...)->getResult(0);
  }
  /// An `optc.library` call.
  Results library(StringRef function, mlir::TypeRange types, ArrayRef<Value> operands,
                  mlir::DictionaryAttr parameters);

  //===- Constants -----------------------------------------------------------===//

  Value constant(mlir::ElementsAttr value);
  Value scalar(Type element, double value);
  Value scalarInteger(Type element, int64_t value);
  /// A scalar repeated to x's shape, of x's element type.
  Value full(Value x, double value) { return broadcast(scalar(elementOf(x), value), dims(x)); }
  Value integersOf(ArrayRef<int64_t> values);
  Value fromDims(ArrayRef<DimExpr> values, Type type = {});

  //===- Shape and movement ---------------------------------------------------===//

  Value broadcast(Value x, ArrayRef<DimExpr> dims);
  /// Broadcasts values to their common shape.
  SmallVector<Value> together(ArrayRef<Value> values);
  Value reshape(Value x, ArrayRef<DimExpr> dims);
  Value cast(Value x, Type element);
  Value transpose(Value x, ArrayRef<int64_t> permutation);
  /// Inserts dims of 1 at the given positions of the result.
  Value unsqueeze(Value x, ArrayRef<int64_t> axes);
  Value squeeze(Value x, ArrayRef<int64_t> axes);
  /// `size` elements from `start` on along one axis.
  Value slice(Value x, int64_t axis, const DimExpr &start, const DimExpr &size);
  Value concat(ArrayRef<Value> values, int64_t axis);
  /// A per-channel vector [C] as [1, C, 1, ...] broadcast to x's shape.
  Value alongAxis(Value vector, Value x, int64_t axis);

  //===- Values as sizes ------------------------------------------------------===//

  /// The elements of an integer tensor as expressions: known ones, else symbols that a `bind` defines.
  Dims elements(Value x);
  /// The elements when they are all constants.
  std::optional<SmallVector<int64_t>> constantIntegers(Value x);
  std::optional<SmallVector<double>> constantNumbers(Value x);
  /// A symbol that no other op defines, for a size that this node determines.
  DimExpr freshSize(size_t output, size_t axis);

private:
  template <typename OpT> static SmallVector<Type> placeholdersOf(mlir::MLIRContext *c, size_t n) {
    return SmallVector<Type>(n, mlir::NoneType::get(c));
  }
  template <typename OpT> SmallVector<Type> placeholders() {
    // Result counts of the inferred ops: see RecurrentOp and MaxPoolIndicesOp.
    size_t n = std::is_same_v<OpT, RecurrentOp> ? 3 : std::is_same_v<OpT, MaxPoolIndicesOp> ? 2 : 1;
    return placeholdersOf<OpT>(context(), n);
  }
  void checkTensors(const mlir::OperationState &state) const;
  mlir::Operation *create(const mlir::OperationState &state);
  [[noreturn]] void failWithDiagnostic() const;

  SmallVector<Value> operands;
};

} // namespace optc

#endif // OPTC_FRONTEND_NODE_H
