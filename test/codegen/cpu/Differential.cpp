//===- Differential.cpp - Compiled ops against the evaluator --------------===//

#include "Differential.h"
#include "Interpreter.h"
#include "Values.h"
#include "codegen/cpu/CompileKernels.h"
#include "codegen/package/Package.h"
#include "codegen/plan/PlanBuilder.h"
#include "passes/Pipelines.h"
#include "runtime/Model.h"
#include "runtime/ThreadPool.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Regex.h"
#include <cstdlib>
#include <fstream>
#include <sstream>

using namespace optc;
using namespace optc::test;
using mlir::failed;

std::string optc::test::typeText(const std::vector<std::string> &dims, const std::string &element) {
  std::string shape, encoding;
  bool dynamic = false;
  for (const std::string &d : dims) {
    bool constant = d.find_first_not_of("0123456789") == std::string::npos;
    dynamic |= !constant;
    shape += (constant ? d : "?") + "x";
    encoding += (encoding.empty() ? "" : ", ") + (constant ? d : "\"" + d + "\"");
  }
  return "tensor<" + shape + element + (dynamic ? ", #optc.dims<[" + encoding + "]>>" : ">");
}

std::string optc::test::opText(const std::string &result, const std::string &op, const std::vector<std::string> &types, const std::string &type) {
  return "%" + result + " = optc." + op + " : (" + llvm::join(types, ", ") + ") -> " + type;
}

Case optc::test::opCase(std::string name, const std::string &op, std::vector<Argument> arguments, std::vector<std::string> results, Bound bound,
                        std::string library) {
  std::vector<std::string> types;
  for (const Argument &a : arguments)
    types.push_back(a.type);
  std::string result = results.size() == 1 ? results[0] : "(" + llvm::join(results, ", ") + ")";
  std::string body = opText(results.size() == 1 ? "y" : "y:" + std::to_string(results.size()), op, types, result);
  return {std::move(name), std::move(arguments), std::move(body), results[0], bound, std::move(library), {results.begin() + 1, results.end()}};
}

std::vector<std::string> optc::test::words(const std::string &text) {
  std::istringstream in(text);
  return {std::istream_iterator<std::string>(in), {}};
}

namespace {

//===----------------------------------------------------------------------===//
// Compiling
//===----------------------------------------------------------------------===//

struct ScratchFolder {
  llvm::SmallString<128> path;
  ScratchFolder() { (void)llvm::sys::fs::createUniqueDirectory("optc-differential", path); }
  ~ScratchFolder() { (void)llvm::sys::fs::remove_directories(path); }
};

/// One function with all functions' arguments, ops and results; each op's location is its case's name.
mlir::OwningOpRef<mlir::ModuleOp> merge(mlir::ModuleOp parts, const std::vector<Case> &cases, const std::vector<std::vector<HostValue>> &weights) {
  mlir::MLIRContext *context = parts.getContext();
  mlir::OpBuilder b(context);
  mlir::OwningOpRef<mlir::ModuleOp> module = mlir::ModuleOp::create(b.getUnknownLoc());
  b.setInsertionPointToEnd(module->getBody());
  auto main = b.create<mlir::func::FuncOp>(b.getUnknownLoc(), "main", b.getFunctionType({}, {}));
  mlir::Block *block = main.addEntryBlock();
  b.setInsertionPointToEnd(block);
  llvm::SmallVector<mlir::Value> results;
  for (auto [i, f] : llvm::enumerate(parts.getOps<mlir::func::FuncOp>())) {
    auto location = mlir::NameLoc::get(b.getStringAttr(cases[i].name));
    mlir::IRMapping mapping;
    for (auto [k, argument] : llvm::enumerate(f.getArguments())) {
      auto type = mlir::dyn_cast<mlir::RankedTensorType>(argument.getType());
      mapping.map(argument, cases[i].arguments[k].weight ? b.create<ConstantOp>(location, elementsOf(weights[i][k], type)).getResult()
                                                         : mlir::Value(block->addArgument(argument.getType(), location)));
    }
    for (mlir::Operation &op : f.getBody().front().without_terminator()) {
      mlir::Operation *clone = b.clone(op, mapping);
      clone->walk([&](mlir::Operation *inner) { inner->setLoc(location); });
    }
    for (mlir::Value result : f.getBody().front().getTerminator()->getOperands())
      results.push_back(mapping.lookup(result));
  }
  b.create<mlir::func::ReturnOp>(b.getUnknownLoc(), results);
  main.setType(b.getFunctionType(block->getArgumentTypes(), mlir::TypeRange(mlir::ValueRange(results))));
  return module;
}

/// Cases by the kind of step that their ops ended in.
void checkSteps(const Plan &plan, const std::vector<Case> &cases) {
  llvm::StringMap<bool> inKernel, inLibrary;
  for (const Frame &frame : plan.frames)
    for (const Step &step : frame.steps) {
      llvm::SmallVector<llvm::StringRef> names;
      llvm::StringRef(step.name).split(names, '+');
      for (llvm::StringRef name : names)
        if (step.kind == Step::Kind::kernel)
          inKernel[name] = true;
        else if (step.kind == Step::Kind::library)
          inLibrary[name] = true;
    }
  for (const Case &c : cases)
    if (c.library.empty()) {
      EXPECT_TRUE(inKernel.lookup(c.name)) << c.name << ": in no kernel";
      EXPECT_FALSE(inLibrary.lookup(c.name)) << c.name << ": a library step";
    }
}

/// The cases as one function each.
std::string textOf(const std::vector<Case> &cases) {
  std::string text;
  for (auto [i, c] : llvm::enumerate(cases)) {
    std::string types = c.result, values = c.more.empty() ? "%y" : "%y#0";
    for (auto [k, type] : llvm::enumerate(c.more)) {
      types += ", " + type;
      values += ", %y#" + std::to_string(k + 1);
    }
    std::string function = "(";
    for (auto [k, a] : llvm::enumerate(c.arguments))
      function += (k ? ", %" : "%") + std::to_string(k) + ": " + a.type;
    function += ") -> (" + types + ") {\n" + c.body + "\nreturn " + values + " : " + types + "\n}\n";
    size_t at;
    while ((at = function.find('@')) != std::string::npos)
      function.replace(at, 1, "_" + std::to_string(i));
    text += "func.func @f" + std::to_string(i) + function;
  }
  return text;
}

/// What CoverageTest.cpp asks for: the ops that are in the cases, and nothing is run.
bool listOps(const std::string &text) {
  const char *path = std::getenv("OPTC_LIST_OPS");
  if (!path)
    return false;
  std::ofstream out(path, std::ios::app);
  llvm::Regex op("optc\\.[a-z0-9_]+");
  llvm::SmallVector<llvm::StringRef> match;
  for (llvm::StringRef rest = text; op.match(rest, &match); rest = rest.drop_front(match[0].end() - rest.begin()))
    out << match[0].str() << "\n";
  return true;
}

} // namespace

void Batch::check(const std::vector<Sizes> &runs) {
  std::string text = textOf(cases);
  if (listOps(text))
    return;
  mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  context.loadDialect<OptcDialect, mlir::func::FuncDialect>();
  auto parts = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
  ASSERT_TRUE(parts) << text.substr(0, 2000);
  std::vector<mlir::func::FuncOp> functions(parts->getOps<mlir::func::FuncOp>().begin(), parts->getOps<mlir::func::FuncOp>().end());
  // Weights are made once, the other inputs for each run.
  std::mt19937 random(1);
  std::vector<std::vector<HostValue>> inputs(cases.size());
  for (auto [i, c] : llvm::enumerate(cases)) {
    inputs[i].resize(c.arguments.size());
    for (auto [k, a] : llvm::enumerate(c.arguments))
      if (a.weight)
        inputs[i][k] = makeInput(functions[i].getArgumentTypes()[k], a, {}, random);
  }
  auto module = merge(*parts, cases, inputs);
  auto cpu = parseCpuTarget(target);
  ASSERT_TRUE(bool(cpu)) << llvm::toString(cpu.takeError());
  PipelineOptions options;
  options.spreadsMasks = cpu->spreadsMasks();
  options.spreadsTwoOfFour = cpu->spreadsTwoOfFour();
  mlir::PassManager passes(&context);
  buildPipeline(passes, options);
  ASSERT_TRUE(succeeded(passes.run(*module)));
  auto built = buildPlan(module->lookupSymbol<mlir::func::FuncOp>("main"));
  ASSERT_TRUE(succeeded(built));
  checkSteps(built->plan, cases);
  auto compiled = compileKernels(built->kernelTexts, built->kernelNames, *cpu, ThreadPool::availableCores());
  ASSERT_TRUE(bool(compiled)) << llvm::toString(compiled.takeError());
  if (uint64_t missing = compiled->features & ~cpuFeatures()) {
    std::cout << target << ": not run, this CPU has no " << featureNames(missing) << "\n";
    return;
  }
  ScratchFolder folder;
  std::string path = (folder.path + "/model.so").str();
  auto failure = writeArtefact(*built, {{cpu->name, cpu->suffix, compiled->features, std::move(compiled->objects)}}, path);
  ASSERT_FALSE(bool(failure)) << llvm::toString(std::move(failure));

  std::string error;
  auto model = Model::open(path, error);
  ASSERT_TRUE(model) << error;
  auto session = model->borrow(2);
  for (const Sizes &sizes : runs) {
    llvm::StringMap<int64_t> symbols;
    std::string label;
    for (const auto &[name, size] : sizes) {
      symbols[name] = size;
      label += " " + name + "=" + std::to_string(size);
    }
    std::vector<const HostValue *> pointers;
    size_t results = 0;
    for (auto [i, c] : llvm::enumerate(cases)) {
      for (auto [k, a] : llvm::enumerate(c.arguments))
        if (!a.weight) {
          inputs[i][k] = makeInput(functions[i].getArgumentTypes()[k], a, symbols, random);
          pointers.push_back(&inputs[i][k]);
        }
      results += 1 + c.more.size();
    }
    std::vector<HostValue> outputs(results);
    Status status = session->run(pointers, outputs);
    ASSERT_EQ(status.message, "") << label;
    size_t next = 0;
    for (auto [i, c] : llvm::enumerate(cases)) {
      std::vector<HostValue> expected;
      Status status = Interpreter(symbols).run(functions[i].getBody().front(), inputs[i], expected);
      EXPECT_EQ(status.message, "") << c.name << label;
      for (size_t k = 0; k <= c.more.size(); ++k, ++next)
        if (status.ok())
          EXPECT_EQ(compare(outputs[next], expected[k], c.bound, inputs[i]), "") << c.name << label << " result " << k;
    }
  }
  model->giveBack(std::move(session));
}
