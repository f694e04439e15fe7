//===- GraphImporter.cpp - Walks graphs, resolves names -------------------===//

#include "frontend/GraphImporter.h"
#include "frontend/Branches.h"
#include "frontend/Registry.h"
#include "frontend/Tensors.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Verifier.h"
#include "llvm/ADT/ScopeExit.h"

using namespace mlir;
using namespace optc;
using State = Binding::State;

static constexpr int64_t kMinOpset = 1, kMaxOpset = 28;
/// Deepest nesting of graphs and function bodies.
static constexpr int kMaxDepth = 64;
/// Functions that call functions can grow without end in a small file.
static constexpr int64_t kMaxNodes = 5'000'000;

static StringRef normalDomain(StringRef domain) { return domain == "ai.onnx" ? "" : domain; }

void GraphImporter::problem(ProblemKind kind, const Twine &text) {
  std::string message = text.str();
  for (char &c : message)
    if (c == '\n' || c == '\r')
      c = ' ';
  result.problems.push_back({kind, StringRef(message).rtrim().str()});
}

//===----------------------------------------------------------------------===//
// Names
//===----------------------------------------------------------------------===//

std::string GraphImporter::freshSymbol(StringRef wanted) {
  std::string name = wanted.str();
  for (int i = 2; !symbols.insert(name).second; ++i)
    name = (wanted + "_" + Twine(i)).str();
  return name;
}

Location GraphImporter::locationOf(const onnx::NodeProto &node, const Scope &scope) {
  if (scope.callLocation && scope.prefix.empty())
    return *scope.callLocation;
  std::string name = node.name().empty() ? "" : scope.prefix + node.name();
  if (name.empty() || !nodeNames.insert(name).second)
    name = scope.prefix + node.op_type() + "→" + (node.output_size() ? node.output(0) : "");
  if (listedNodes.insert(name).second)
    nodeList.push_back(StringAttr::get(&context, name));
  return NameLoc::get(StringAttr::get(&context, name));
}

void GraphImporter::define(StringRef name, Binding binding, Scope &scope) {
  if (!name.empty())
    scope.names[name] = binding;
}

Binding GraphImporter::importWeight(StringRef name, Scope &scope) {
  OpBuilder builder(&context);
  if (scope.lastWeight)
    builder.setInsertionPointAfter(scope.lastWeight);
  else
    builder.setInsertionPointToStart(scope.block);
  Binding binding;
  try {
    auto dense = scope.weights.find(name);
    ElementsAttr value = dense != scope.weights.end()
                             ? tensor(*dense->second)
                             : importSparseTensor(&context, loaded, *scope.sparseWeights.find(name)->second);
    auto op =
        builder.create<ConstantOp>(NameLoc::get(builder.getStringAttr(name)), value.getShapedType(), value);
    scope.lastWeight = op;
    binding = {State::value, op.getY()};
  } catch (const NodeError &error) {
    problem(error.kind, "initializer '" + name + "': " + error.message);
  }
  define(name, binding, scope);
  return binding;
}

std::optional<Binding> GraphImporter::lookup(StringRef name, Scope &scope) {
  for (Scope *s = &scope; s; s = s->parent) {
    if (auto it = s->names.find(name); it != s->names.end())
      return it->second;
    if (s->weights.contains(name) || s->sparseWeights.contains(name))
      return importWeight(name, *s);
  }
  return std::nullopt;
}

ElementsAttr GraphImporter::tensor(onnx::TensorProto &proto) {
  if (auto it = tensors.find(&proto); it != tensors.end())
    return it->second;
  ElementsAttr value = importTensor(&context, loaded, proto);
  tensors[&proto] = value;
  return value;
}

bool GraphImporter::readOpsets(const google::protobuf::RepeatedPtrField<onnx::OperatorSetIdProto> &imports,
                               Scope &scope) {
  for (const auto &import : imports) {
    StringRef domain = normalDomain(import.domain());
    scope.opsets[domain.str()] = import.version();
    if (domain.empty() && (import.version() < kMinOpset || import.version() > kMaxOpset)) {
      problem(ProblemKind::unsupported, "unsupported opset version " + Twine(import.version()) +
                                            "; this compiler takes " + Twine(kMinOpset) + " to " +
                                            Twine(kMaxOpset));
      return false;
    }
  }
  return true;
}

void GraphImporter::enterGraph(onnx::GraphProto &graph, Scope &scope) {
  for (auto &weight : *graph.mutable_initializer())
    scope.weights[weight.name()] = &weight;
  for (auto &weight : graph.sparse_initializer())
    scope.sparseWeights[weight.values().name()] = &weight;
  for (const auto &info : graph.value_info())
    scope.declared[info.name()] = &info.type();
  for (const auto &info : graph.output())
    scope.declared[info.name()] = &info.type();
}

//===----------------------------------------------------------------------===//
// Graphs
//===----------------------------------------------------------------------===//

void GraphImporter::run() {
  ScopedDiagnosticHandler handler(&context, [&](Diagnostic &d) {
    diagnostic = d.str();
    return success();
  });
  onnx::GraphProto &graph = *model.mutable_graph();
  Scope scope;
  if (!readOpsets(model.opset_import(), scope))
    return;
  if (model.opset_import_size() == 0)
    return problem(ProblemKind::badModel, "the model imports no opset");
  for (onnx::FunctionProto &function : *model.mutable_functions())
    functions[{normalDomain(function.domain()).str(), function.name()}] = &function;

  OpBuilder builder(&context);
  Location location = NameLoc::get(builder.getStringAttr(graph.name()));
  result.module = ModuleOp::create(location);
  builder.setInsertionPointToEnd(result.module->getBody());
  auto main = builder.create<func::FuncOp>(location, "main", builder.getFunctionType({}, {}));
  Block *block = main.addEntryBlock();
  scope.block = block;
  enterGraph(graph, scope);

  // dim_params are the user's names: reserved before any symbol is made up.
  for (const auto &input : graph.input())
    for (const auto &d : input.type().tensor_type().shape().dim())
      if (!d.dim_param().empty()) {
        symbols.insert(DimExpr::symbolName(d.dim_param()));
        bool isConstant = scope.weights.contains(input.name()) || scope.sparseWeights.contains(input.name()); // nothing brings its dims
        if (!isConstant && DimExpr::isSymbolName(d.dim_param()) && d.dim_param()[0] != '$')
          inputSymbols.insert(d.dim_param());
      }

  SmallVector<DictionaryAttr> argumentNames, resultNames;
  auto named = [&](StringRef name) {
    return builder.getDictionaryAttr(builder.getNamedAttr("optc.name", builder.getStringAttr(name)));
  };
  for (const auto &input : graph.input()) {
    // An initialiser that is also an input is a constant (Initializers.h).
    if (scope.weights.contains(input.name()) || scope.sparseWeights.contains(input.name()))
      continue;
    Binding binding;
    try {
      if (scope.names.contains(input.name()))
        throw NodeError{ProblemKind::badModel, "the name is used twice"};
      Type type = importType(input.type(), input.name());
      if (isa<UnrankedTensorType>(type))
        throw NodeError{ProblemKind::unsupported, "unsupported input: its rank is not given"};
      binding = {State::value, block->addArgument(type, NameLoc::get(builder.getStringAttr(input.name())))};
      argumentNames.push_back(named(input.name()));
    } catch (const NodeError &error) {
      problem(error.kind, "input '" + input.name() + "': " + error.message);
    }
    define(input.name(), binding, scope);
  }

  builder.setInsertionPointToEnd(block);
  importNodes(*graph.mutable_node(), scope, builder);

  SmallVector<Value> outputs;
  for (const auto &output : graph.output()) {
    auto binding = lookup(output.name(), scope);
    if (!binding || binding->state == State::absent)
      problem(ProblemKind::badModel, "output '" + output.name() + "' is not computed by any node");
    else if (binding->state == State::value)
      outputs.push_back(binding->value);
    resultNames.push_back(named(output.name()));
  }
  if (!result.problems.empty())
    return;
  builder.create<func::ReturnOp>(location, outputs);
  main.setType(builder.getFunctionType(block->getArgumentTypes(), TypeRange(ValueRange(outputs))));
  main.setAllArgAttrs(argumentNames);
  // What the report accounts for.
  main->setAttr("optc.nodes", builder.getArrayAttr(nodeList));
  if (!result.defaulted.empty())
    main->setAttr("optc.constant_inputs", builder.getStrArrayAttr(SmallVector<StringRef>(result.defaulted.begin(), result.defaulted.end())));
  main.setAllResultAttrs(resultNames);
  if (failed(verify(*result.module)))
    problem(ProblemKind::badModel, "the imported module is malformed: " + takeDiagnostic());
}

std::optional<Results> GraphImporter::importSubgraph(onnx::GraphProto &graph, Block &block,
                                                     ArrayRef<Value> arguments) {
  if (depth >= kMaxDepth)
    throw NodeError{ProblemKind::badModel, "graphs are nested too deeply"};
  Scope scope;
  scope.parent = current;
  scope.opsets = current->opsets;
  scope.callLocation = current->callLocation;
  scope.callLabel = current->callLabel;
  scope.prefix = current->prefix;
  scope.block = &block;
  enterGraph(graph, scope);
  if (int(arguments.size()) != graph.input_size())
    throw NodeError{ProblemKind::badModel, "the graph '" + graph.name() + "' takes " +
                                               std::to_string(graph.input_size()) + " inputs, expected " +
                                               std::to_string(arguments.size())};
  for (auto [input, value] : llvm::zip(graph.input(), arguments))
    define(input.name(), {State::value, value}, scope);

  auto builder = atEndOf(block, &context);
  importNodes(*graph.mutable_node(), scope, builder);
  Results outputs;
  for (const auto &output : graph.output()) {
    auto binding = lookup(output.name(), scope);
    if (!binding || binding->state == State::absent)
      throw NodeError{ProblemKind::badModel,
                      "output '" + output.name() + "' of graph '" + graph.name() + "' is not computed"};
    if (binding->state == State::poison)
      return std::nullopt;
    outputs.push_back(binding->value);
  }
  return outputs;
}

void GraphImporter::importNodes(google::protobuf::RepeatedPtrField<onnx::NodeProto> &nodes, Scope &scope,
                                OpBuilder &builder) {
  Scope *outer = std::exchange(current, &scope);
  ++depth;
  auto leave = llvm::make_scope_exit([&] {
    current = outer;
    --depth;
  });
  for (onnx::NodeProto &node : nodes)
    importNode(node, scope, builder);
}

//===----------------------------------------------------------------------===//
// Nodes
//===----------------------------------------------------------------------===//

void GraphImporter::importNode(onnx::NodeProto &node, Scope &scope, OpBuilder &builder) {
  StringRef domain = normalDomain(node.domain());
  auto opset = scope.opsets.find(domain.str());
  std::string label = scope.callLabel;
  if (label.empty()) {
    StringRef shown =
        !node.name().empty() || node.output_size() == 0 ? StringRef(node.name()) : StringRef(node.output(0));
    label = ("node '" + shown + "' (" + (domain.empty() ? Twine("") : domain + ".") + node.op_type()).str();
    if (opset != scope.opsets.end())
      label += ", opset " + std::to_string(opset->second);
    label += ")";
  } else {
    label += ": " + node.op_type() + " in its function body";
  }
  Results results;
  bool poisoned = false;
  try {
    if (++importedNodes > kMaxNodes)
      throw NodeError{ProblemKind::badModel, "the model expands to too many nodes"};
    if (opset == scope.opsets.end() && !functions.count({domain.str(), node.op_type()}))
      throw NodeError{ProblemKind::badModel, "the model imports no opset of domain '" + domain.str() + "'"};
    SmallVector<Value> operands;
    for (const std::string &name : node.input()) {
      if (name.empty()) {
        operands.push_back({});
        continue;
      }
      auto binding = lookup(name, scope);
      if (!binding)
        throw NodeError{ProblemKind::badModel, "input '" + name + "' is not defined before it"};
      poisoned |= binding->state == State::poison;
      operands.push_back(binding->value);
    }
    for (const std::string &name : node.output())
      if (!name.empty() && (scope.names.contains(name) || scope.weights.contains(name)))
        throw NodeError{ProblemKind::badModel, "output '" + name + "' is defined twice"};
    if (!poisoned)
      results = translate(node, domain, opset == scope.opsets.end() ? 1 : opset->second,
                          locationOf(node, scope), operands, scope, builder);
  } catch (const NodeError &error) {
    if (!error.message.empty()) // empty: reported in a graph within
      problem(error.kind, label + ": " + error.message);
    poisoned = true;
  } catch (const std::exception &error) {
    problem(ProblemKind::badModel, label + ": " + error.what());
    poisoned = true;
  }
  for (int i = 0; i < node.output_size(); ++i) {
    Binding binding;
    if (!poisoned && i < int(results.size()) && results[i])
      binding = {State::value, results[i]};
    else if (!poisoned && !results.empty() && !node.output(i).empty())
      problem(ProblemKind::unsupported, label + ": unsupported output '" + node.output(i) + "'");
    define(node.output(i), binding, scope);
  }
}

/// Checks the number of inputs and outputs, and the attributes, against ONNX's schema.
static void verifyNode(const onnx::OpSchema &schema, const onnx::NodeProto &node) {
  try {
    schema.Verify(node);
  } catch (const std::exception &error) {
    // "Node(x) with schema(::Add:14) has input size 1 ..." -> "input size 1 ..."
    StringRef text = error.what(), rest = text.split(") has ").second;
    throw NodeError{ProblemKind::badModel, (rest.empty() ? text : rest).str()};
  }
}

Results GraphImporter::translate(onnx::NodeProto &node, StringRef domain, int64_t opset, Location location,
                                 ArrayRef<Value> operands, Scope &scope, OpBuilder &builder) {
  // A function of the model wins over an operator of the same name.
  if (auto it = functions.find({domain.str(), node.op_type()}); it != functions.end())
    return expand(*it->second, node, true, nullptr, location, operands, scope, builder);

  const onnx::OpSchema *schema = onnx::OpSchemaRegistry::Schema(node.op_type(), int(opset), domain.str());
  if (schema)
    verifyNode(*schema, node);
  const RegistryEntry *entry = Registry::instance().find(domain, node.op_type(), opset);
  if (entry) {
    for (Value operand : operands)
      if (operand && entry->takes == Takes::tensors && !isa<RankedTensorType>(operand.getType()))
        throw NodeError{ProblemKind::unsupported, "unsupported type: expected tensor operands"};
    Node context(node, opset, location, builder, operands, *this);
    try {
      return entry->import(context);
    } catch (const ExpandInstead &) {
    }
  }
  if (schema && schema->Deprecated())
    throw NodeError{ProblemKind::unsupported, "unsupported operator (removed from ONNX)"};
  if (schema)
    if (auto *body = functionBody(node, *schema, opset, operands))
      return expand(*body, node, false, schema, location, operands, scope, builder);
  throw NodeError{ProblemKind::unsupported, "unsupported operator"};
}

onnx::FunctionProto *GraphImporter::functionBody(const onnx::NodeProto &node, const onnx::OpSchema &schema,
                                                 int64_t opset, ArrayRef<Value> operands) {
  if (const onnx::FunctionProto *body = schema.GetFunction(int(opset)))
    return &bodies.emplace_back(*body);
  if (!schema.HasContextDependentFunction())
    return nullptr;
  std::vector<onnx::TypeProto> types;
  for (Value operand : operands)
    types.push_back(operand ? onnxType(operand.getType()) : onnx::TypeProto());
  onnx::FunctionBodyBuildContextImpl context(node, types);
  onnx::FunctionProto body;
  if (!schema.BuildContextDependentFunction(context, body, int(opset)))
    return nullptr;
  return &bodies.emplace_back(std::move(body));
}

/// Replaces references to the function's attributes by the call's; absent ones disappear.
static void bindAttributes(google::protobuf::RepeatedPtrField<onnx::NodeProto> &nodes,
                           const std::map<std::string, const onnx::AttributeProto *> &actual) {
  for (onnx::NodeProto &node : nodes) {
    google::protobuf::RepeatedPtrField<onnx::AttributeProto> bound;
    for (onnx::AttributeProto &attribute : *node.mutable_attribute()) {
      if (!attribute.ref_attr_name().empty()) {
        auto it = actual.find(attribute.ref_attr_name());
        if (it == actual.end())
          continue;
        std::string name = attribute.name();
        onnx::AttributeProto &copy = *bound.Add();
        copy = *it->second;
        copy.set_name(name);
        continue;
      }
      if (attribute.has_g())
        bindAttributes(*attribute.mutable_g()->mutable_node(), actual);
      bound.Add()->Swap(&attribute);
    }
    node.mutable_attribute()->Swap(&bound);
  }
}

Results GraphImporter::expand(onnx::FunctionProto &function, onnx::NodeProto &call, bool isLocal,
                              const onnx::OpSchema *schema, Location location, ArrayRef<Value> operands,
                              Scope &outer, OpBuilder &builder) {
  if (depth >= kMaxDepth)
    throw NodeError{ProblemKind::badModel, "functions call each other too deeply"};
  if (int(operands.size()) > function.input_size() || call.output_size() > function.output_size())
    throw NodeError{ProblemKind::badModel, "more inputs or outputs than the function has"};
  onnx::FunctionProto *body = &function;
  if (isLocal)
    body = &bodies.emplace_back(function);
  std::map<std::string, const onnx::AttributeProto *> actual;
  for (const auto &attribute : body->attribute_proto())
    actual[attribute.name()] = &attribute;
  if (schema)
    for (const auto &[name, attribute] : schema->attributes())
      if (attribute.default_value.has_name())
        actual[name] = &attribute.default_value;
  for (const auto &attribute : call.attribute())
    actual[attribute.name()] = &attribute;
  bindAttributes(*body->mutable_node(), actual);

  Scope scope;
  scope.opsets = outer.opsets;
  if (!readOpsets(body->opset_import(), scope))
    return {};
  scope.block = builder.getInsertionBlock();
  scope.lastWeight = nullptr;
  scope.callLocation = location;
  if (isLocal) {
    if (auto name = dyn_cast<NameLoc>(location))
      scope.prefix = name.getName().str() + "/";
  } else {
    scope.callLabel = outer.callLabel;
    if (scope.callLabel.empty())
      scope.callLabel = "node '" +
                        (call.name().empty() && call.output_size() ? call.output(0) : call.name()) + "' (" +
                        call.op_type() + ")";
  }
  for (int i = 0; i < body->input_size(); ++i) {
    Value value = i < int(operands.size()) ? operands[i] : Value();
    define(body->input(i), {value ? State::value : State::absent, value}, scope);
  }
  size_t before = numProblems();
  importNodes(*body->mutable_node(), scope, builder);
  Results results;
  for (int i = 0; i < call.output_size(); ++i) {
    auto binding = lookup(body->output(i), scope);
    results.push_back(binding ? binding->value : Value());
  }
  // The body's own problems have been reported.
  if (numProblems() > before)
    return {};
  return results;
}
