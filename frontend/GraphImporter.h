//===- GraphImporter.h - Walks graphs, resolves names -----------*- C++ -*-===//
//
// Private to the frontend. Owns what all graphs of a model share (symbols in use, names in use,
// problems) and the scopes: a graph in a node sees the names around it, a function body sees its
// parameters only.
//
// A node that fails leaves poison: values that make the nodes after it skip silently, so that one
// mistake is reported once.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_FRONTEND_GRAPHIMPORTER_H
#define OPTC_FRONTEND_GRAPHIMPORTER_H

#include "frontend/Importer.h"
#include "frontend/Loader.h"
#include "frontend/Node.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"
#include <deque>
#include <onnx/defs/schema.h>
#include <onnx/onnx_pb.h>

namespace optc {

/// What a name stands for.
struct Binding {
  enum class State { value, poison, absent } state = State::poison;
  Value value;
};

/// The names of one graph or function body.
struct Scope {
  Scope *parent = nullptr;
  llvm::StringMap<Binding> names;
  /// Initialisers that no node has used yet.
  llvm::StringMap<onnx::TensorProto *> weights;
  llvm::StringMap<const onnx::SparseTensorProto *> sparseWeights;
  llvm::StringMap<const onnx::TypeProto *> declared;
  /// domain -> version
  std::map<std::string, int64_t> opsets;
  mlir::Block *block = nullptr;
  mlir::Operation *lastWeight = nullptr;
  /// In a function body: the node that calls it, and the prefix of names within.
  std::optional<Location> callLocation;
  std::string callLabel, prefix;
};

class GraphImporter {
public:
  GraphImporter(LoadedModel &loaded, mlir::MLIRContext &context, ImportResult &result)
      : loaded(loaded), model(loaded.model()), context(context), result(result) {}
  void run();

  /// Imports a graph that is an attribute into `block`, whose arguments are `arguments`; gives its outputs
  /// (nothing when one is poison). Sees the scope of the node being imported.
  std::optional<Results> importSubgraph(onnx::GraphProto &graph, mlir::Block &block,
                                        ArrayRef<Value> arguments);

  mlir::ElementsAttr tensor(onnx::TensorProto &proto);
  Type declaredType(StringRef name);
  Type importType(const onnx::TypeProto &type, StringRef name);
  std::string freshSymbol(StringRef wanted);
  /// The symbols that exist so far (for those that a region defines).
  const llvm::StringSet<> &symbolsInUse() const { return symbols; }
  /// Names of nodes so far; restored before a loop's body is imported again.
  const llvm::StringSet<> &nodeNamesInUse() const { return nodeNames; }
  void restoreNodeNames(const llvm::StringSet<> &names) { nodeNames = names; }
  size_t numProblems() const { return result.problems.size(); }
  std::string takeDiagnostic() { return std::exchange(diagnostic, {}); }

  LoadedModel &loaded;

private:
  void problem(ProblemKind kind, const Twine &message);
  bool readOpsets(const google::protobuf::RepeatedPtrField<onnx::OperatorSetIdProto> &imports, Scope &scope);
  void enterGraph(onnx::GraphProto &graph, Scope &scope);
  void importNodes(google::protobuf::RepeatedPtrField<onnx::NodeProto> &nodes, Scope &scope,
                   mlir::OpBuilder &builder);
  void importNode(onnx::NodeProto &node, Scope &scope, mlir::OpBuilder &builder);
  Results translate(onnx::NodeProto &node, StringRef domain, int64_t opset, Location location,
                    ArrayRef<Value> operands, Scope &scope, mlir::OpBuilder &builder);
  Results expand(onnx::FunctionProto &function, onnx::NodeProto &call, bool isLocal,
                 const onnx::OpSchema *schema, Location location, ArrayRef<Value> operands, Scope &scope,
                 mlir::OpBuilder &builder);
  onnx::FunctionProto *functionBody(const onnx::NodeProto &node, const onnx::OpSchema &schema, int64_t opset,
                                    ArrayRef<Value> operands);
  /// nullopt when the name is not defined.
  std::optional<Binding> lookup(StringRef name, Scope &scope);
  Binding importWeight(StringRef name, Scope &scope);
  Location locationOf(const onnx::NodeProto &node, const Scope &scope);
  void define(StringRef name, Binding binding, Scope &scope);

  onnx::ModelProto &model;
  mlir::MLIRContext &context;
  ImportResult &result;
  Scope *current = nullptr;
  int depth = 0;
  int64_t importedNodes = 0;
  /// A dim's name as exporters write it that computes with names of other inputs' dims ("past + 1"); nullopt where it is a name of its own.
  std::optional<DimExpr> declaredExpression(llvm::StringRef text) const;
  /// `inputSymbols`: those that are a whole dim of an input.
  llvm::StringSet<> symbols, inputSymbols, nodeNames, listedNodes;
  /// Every node's name, in order.
  llvm::SmallVector<mlir::Attribute> nodeList;
  std::map<std::pair<std::string, std::string>, onnx::FunctionProto *> functions;
  /// Tensors already taken out of the model; bodies of loops are imported more than once.
  llvm::DenseMap<const onnx::TensorProto *, mlir::ElementsAttr> tensors;
  /// Function bodies with their attributes bound; they live as long as `tensors` refers to them.
  std::deque<onnx::FunctionProto> bodies;
  std::string diagnostic;
};

} // namespace optc

#endif // OPTC_FRONTEND_GRAPHIMPORTER_H
