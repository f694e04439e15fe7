//===- CudaPrinter.cpp - Structured IR as CUDA C++ ------------------------===//

#include "codegen/gpu/CudaPrinter.h"
#include "codegen/gpu/CudaExpression.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/TypeUtilities.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace optc;

namespace {

class CudaPrinter {
public:
  explicit CudaPrinter(DeviceFunction &f) : f(f), os(out) {}
  std::string print();
  std::string printEpilogue();

private:
  using Targets = ArrayRef<std::string>;
  using Assignments = SmallVector<std::pair<std::string, std::string>>;

  // Statements.
  raw_ostream &line() { return os.indent(2 * depth); }
  void printBody(Block &block, Targets targets);
  void printOp(Operation *op);
  void printFor(scf::ForOp op);
  void printIf(scf::IfOp op);
  void printLoad(LLVM::LoadOp op);
  void printStore(LLVM::StoreOp op);
  void printInsert(vector::InsertOp op);
  void printCall(func::CallOp op);
  void assignAll(Assignments assigned, StringRef subscript);
  void define(Value value, const std::string &name, const std::string &text);

  // Ops on vectors, gathered until something else needs one of their values.
  bool needsLanes(Operation *op) const;
  llvm::SmallDenseSet<unsigned> flushLanes(Operation *until, Targets targets);
  CudaText laneText(Value value, bool typed);

  // Values.
  CudaText textOf(Value value, bool typed = false);
  std::string addressOf(Value pointer);
  std::string elementAt(Value pointer);
  bool isInlined(Operation *op) const;
  bool isUndisturbed(LLVM::LoadOp load) const;
  std::string freshName(StringRef base);
  std::string freshName(Value value);

  DeviceFunction &f;
  std::string out;
  llvm::raw_string_ostream os;
  unsigned depth = 0;
  llvm::DenseMap<Value, CudaText> texts;
  SmallVector<Operation *> lanes;
  llvm::StringSet<> used; // names of the scopes that are open
};

/// Longer expressions get a name.
constexpr size_t kLongest = 80;

/// Names that mean something else in the text: C++'s, the device's, the loop over lanes'.
const llvm::StringSet<> &reservedNames() {
  static const llvm::StringSet<> names = {
      "and",   "or",    "not",   "xor",   "int",  "float", "double", "bool",    "if",     "for",
      "const", "true",  "false", "k",     "exp",  "expm1", "log",    "log1p",   "sqrt",   "rsqrt",
      "sin",   "cos",   "tan",   "asin",  "acos", "atan",  "sinh",   "cosh",    "tanh",   "asinh",
      "acosh", "atanh", "erf",   "pow",   "fma",  "floor", "ceil",   "trunc",   "rint",   "fabs",
      "max",   "min",   "abs",   "round", "load", "store", "splat",  "minimum", "maximum"};
  return names;
}

/// True where `name` stands as a whole word in `text`.
bool mentions(StringRef text, StringRef name) {
  auto isWord = [](char c) { return llvm::isAlnum(c) || c == '_'; };
  for (size_t at = text.find(name); at != StringRef::npos; at = text.find(name, at + 1))
    if ((at == 0 || !isWord(text[at - 1])) &&
        (at + name.size() == text.size() || !isWord(text[at + name.size()])))
      return true;
  return false;
}

/// An op on vectors that works lane by lane.
bool isLaneOp(Operation *op) {
  return op->getNumResults() == 1 && isa<VectorType>(op->getResult(0).getType()) &&
         !isa<arith::ConstantOp>(op) && isCudaExpression(op);
}

//===----------------------------------------------------------------------===//
// Values
//===----------------------------------------------------------------------===//

std::string CudaPrinter::freshName(StringRef base) {
  std::string name = base.str();
  for (unsigned n = 1; reservedNames().contains(name) || used.contains(name); ++n)
    name = (base + "_" + Twine(n)).str();
  used.insert(name);
  return name;
}

/// What the generator calls it (a NameLoc), or after the op of the model whose body it belongs to (a
/// FusedLoc, see CudaSource.cpp).
std::string CudaPrinter::freshName(Value value) {
  Location loc = value.getLoc();
  if (auto model = dyn_cast<FusedLoc>(loc))
    loc = model.getLocations().front();
  if (auto named = dyn_cast<NameLoc>(loc))
    return freshName(named.getName().getValue());
  Type type = getElementTypeOrSelf(value.getType());
  return freshName(type.isInteger(1) ? "is" : isa<IntegerType>(type) ? "n" : "v");
}

CudaText CudaPrinter::textOf(Value value, bool typed) {
  if (auto it = texts.find(value); it != texts.end())
    return it->second;
  auto vector = dyn_cast<VectorType>(value.getType());
  if (auto constant = value.getDefiningOp<arith::ConstantOp>(); constant && !vector)
    return cudaConstant(constant.getValue(), value.getType(), typed);
  // Equal lanes have no variable of their own.
  return {"splat<" + std::to_string(vector.getNumElements()) + ">(" + laneText(value, true).text + ")"};
}

/// A vector's lane k, inside of the loop over lanes.
CudaText CudaPrinter::laneText(Value value, bool typed) {
  if (auto splat = value.getDefiningOp<vector::SplatOp>())
    return textOf(splat.getInput(), typed);
  if (auto constant = value.getDefiningOp<arith::ConstantOp>()) {
    auto elements = cast<DenseElementsAttr>(constant.getValue());
    Type scalar = elements.getElementType();
    if (elements.isSplat())
      return cudaConstant(elements.getSplatValue<Attribute>(), scalar, typed);
    // The lanes' positions: 0, step, 2 * step, ...
    int64_t step = (*std::next(elements.value_begin<APInt>())).getSExtValue();
    return {cudaType(scalar) + (step == 1 ? "(k)" : "(k * " + std::to_string(step) + ")")};
  }
  CudaText text = texts.lookup(value);
  // What the loop computes itself has its text; a vector from outside is a variable.
  bool isOutside = isa<VectorType>(value.getType()) && !llvm::is_contained(lanes, value.getDefiningOp());
  return isOutside ? CudaText{text.text + "[k]"} : text;
}

/// Loads of what no kernel writes may move to where they are used.
static bool readsConstant(LLVM::LoadOp load, const DeviceFunction &f) {
  Value base = load.getAddr();
  if (auto gep = base.getDefiningOp<LLVM::GEPOp>())
    base = gep.getBase();
  auto argument = dyn_cast<BlockArgument>(base);
  return argument && f.parameters[argument.getArgNumber()].isConst;
}

/// What is used once, in the same block, needs no name, unless its name says more than the longer expression.
bool CudaPrinter::isInlined(Operation *op) const {
  Value value = op->getResult(0);
  if (!value.hasOneUse() || isa<NameLoc>(op->getLoc()) || isa<VectorType>(value.getType()))
    return false;
  Operation *user = *value.user_begin();
  // Inside of loops it would be computed in each turn.
  if (user->getBlock() != op->getBlock() || isLaneOp(user) || isa<vector::SplatOp>(user))
    return false;
  if (auto loop = dyn_cast<scf::ForOp>(user); loop && value == loop.getUpperBound())
    return false;
  auto load = dyn_cast<LLVM::LoadOp>(op);
  return !load || readsConstant(load, f) || isUndisturbed(load);
}

/// True where nothing is written between the load and the statement that its value ends up in.
bool CudaPrinter::isUndisturbed(LLVM::LoadOp load) const {
  Operation *user = *load->user_begin();
  while (user->getNumResults() == 1 && user->getNumRegions() == 0 && user->getResult(0).hasOneUse() &&
         isInlined(user))
    user = *user->user_begin();
  if (user->getBlock() != load->getBlock())
    return false;
  for (Operation *op = load->getNextNode(); op != user; op = op->getNextNode())
    if (isa<LLVM::StoreOp, func::CallOp>(op) || op->getNumRegions() > 0)
      return false;
  return true;
}

/// pointer + offset
std::string CudaPrinter::addressOf(Value pointer) {
  auto gep = pointer.getDefiningOp<LLVM::GEPOp>();
  if (!gep)
    return textOf(pointer).text;
  auto offset = gep.getIndices()[0];
  if (auto constant = dyn_cast<IntegerAttr>(offset))
    return textOf(gep.getBase()).text + " + " + std::to_string(constant.getInt());
  return textOf(gep.getBase()).text + " + " + textOf(cast<Value>(offset)).inside(Binding::shift);
}

/// pointer[offset]
std::string CudaPrinter::elementAt(Value pointer) {
  auto gep = pointer.getDefiningOp<LLVM::GEPOp>();
  if (!gep)
    return textOf(pointer).text + "[0]";
  auto offset = gep.getIndices()[0];
  std::string at = isa<IntegerAttr>(offset) ? std::to_string(cast<IntegerAttr>(offset).getInt())
                                            : textOf(cast<Value>(offset)).text;
  return textOf(gep.getBase()).text + "[" + at + "]";
}

//===----------------------------------------------------------------------===//
// Lanes
//===----------------------------------------------------------------------===//

bool CudaPrinter::needsLanes(Operation *op) const {
  bool needs = false;
  op->walk([&](Operation *inner) {
    for (Value operand : inner->getOperands())
      needs |= isa<VectorType>(operand.getType()) && llvm::is_contained(lanes, operand.getDefiningOp());
  });
  return needs;
}

/// Assigns to each target; where one reads what another one has just been given, through a copy.
void CudaPrinter::assignAll(Assignments assigned, StringRef subscript) {
  for (size_t i = 0; i < assigned.size(); ++i)
    for (size_t j = 0; j < i; ++j)
      if (mentions(assigned[i].second, assigned[j].first)) {
        std::string name = freshName("next");
        line() << "const auto " << name << " = " << assigned[i].second << ";\n";
        assigned[i].second = name;
        break;
      }
  for (auto &[target, text] : assigned)
    line() << target << subscript << " = " << text << ";\n";
}

/// Prints the gathered ops as one loop over lanes, because `until` reads some of their values. Where that is
/// a terminator, its operands are assigned to `targets`; returns which of them.
llvm::SmallDenseSet<unsigned> CudaPrinter::flushLanes(Operation *until, Targets targets) {
  llvm::SmallDenseSet<unsigned> done;
  int64_t count = cast<VectorType>(lanes.front()->getResult(0).getType()).getNumElements();
  // Values that outlive the loop.
  llvm::DenseMap<Value, std::string> kept;
  SmallVector<std::pair<std::string, Value>> yielded;
  for (Operation *op : lanes) {
    Value value = op->getResult(0);
    bool outlives = false;
    for (OpOperand &use : value.getUses())
      if (use.getOwner() == until && !targets.empty()) {
        yielded.push_back({targets[use.getOperandNumber()], value});
        done.insert(use.getOperandNumber());
      } else {
        outlives |= !llvm::is_contained(lanes, use.getOwner());
      }
    if (outlives) {
      kept[value] = freshName(value);
      line() << cudaType(value.getType()) << " " << kept[value] << ";\n";
    }
  }
  line() << "#pragma unroll\n";
  line() << "for (int k = 0; k < " << count << "; ++k) {\n";
  ++depth;
  llvm::StringSet<> outer = used;
  for (Operation *op : lanes) {
    Value value = op->getResult(0);
    CudaText text =
        cudaExpression(op, [&](unsigned i, bool typed) { return laneText(op->getOperand(i), typed); });
    if (auto it = kept.find(value); it != kept.end()) {
      line() << it->second << "[k] = " << text.text << ";\n";
      text = {it->second + "[k]"};
    } else if (!value.hasOneUse() || text.text.size() > kLongest) {
      std::string name = freshName(value);
      line() << "const " << cudaType(getElementTypeOrSelf(value.getType())) << " " << name << " = "
             << text.text << ";\n";
      text = {name};
    }
    texts[value] = text;
  }
  Assignments assigned;
  for (auto &[target, value] : yielded)
    assigned.push_back({target, texts[value].text});
  assignAll(std::move(assigned), "[k]");
  used = std::move(outer);
  --depth;
  line() << "}\n";
  for (auto &[value, name] : kept)
    texts[value] = {name};
  lanes.clear();
  return done;
}

//===----------------------------------------------------------------------===//
// Statements
//===----------------------------------------------------------------------===//

void CudaPrinter::define(Value value, const std::string &name, const std::string &text) {
  line() << "const " << cudaType(value.getType()) << " " << name << " = " << text << ";\n";
  texts[value] = {name};
}

void CudaPrinter::printLoad(LLVM::LoadOp op) {
  std::string text = elementAt(op.getAddr());
  if (auto vector = dyn_cast<VectorType>(op.getType())) {
    bool isAligned = op.getAlignment().value_or(0) * 8 > vector.getElementTypeBitWidth();
    text = (isAligned ? "load<" : "load_each<") + std::to_string(vector.getNumElements()) + ">(" +
           addressOf(op.getAddr()) + ")";
  }
  if (isInlined(op)) {
    texts[op.getResult()] = {text};
    return;
  }
  // A value of x2 is v2.
  std::string base = StringRef(elementAt(op.getAddr())).split('[').first.str();
  define(op.getResult(), freshName(readsConstant(op, f) ? "v" + base.substr(1) : "v"), text);
}

void CudaPrinter::printStore(LLVM::StoreOp op) {
  std::string value = textOf(op.getValue()).text;
  if (auto vector = dyn_cast<VectorType>(op.getValue().getType())) {
    bool isAligned = op.getAlignment().value_or(0) * 8 > vector.getElementTypeBitWidth();
    line() << (isAligned ? "store(" : "store_each(") << addressOf(op.getAddr()) << ", " << value << ");\n";
  } else {
    line() << elementAt(op.getAddr()) << " = " << value << ";\n";
  }
}

/// A vector that is filled lane by lane is one variable.
void CudaPrinter::printInsert(vector::InsertOp op) {
  std::string name;
  if (op.getDest().getDefiningOp<vector::InsertOp>() && op.getDest().hasOneUse()) {
    name = textOf(op.getDest()).text;
  } else {
    name = freshName(op.getResult());
    line() << cudaType(op.getType()) << " " << name << " = " << textOf(op.getDest()).text << ";\n";
  }
  line() << name << "[" << op.getStaticPosition()[0] << "] = " << textOf(op.getSource()).text << ";\n";
  texts[op.getResult()] = {name};
}

void CudaPrinter::printCall(func::CallOp op) {
  StringRef name = op.getCallee().split('.').first;
  if (name == "barrier") {
    line() << "__syncthreads();\n";
    return;
  }
  if (name == "product") {
    line() << f.libraryCall << "(";
    auto values = op.getOperands().drop_front(f.shapeSize).begin();
    for (char c : f.libraryArguments)
      c == '$' ? os << textOf(*values++).text : os << c;
    os << ", {";
    for (auto [i, operand] : llvm::enumerate(op.getOperands().take_front(f.shapeSize)))
      os << (i ? ", " : "") << "int(" << textOf(operand).text << ")";
    os << f.moreOfShape << "}, epilogue, launch_memory()" << (f.split.empty() ? "" : ", ") << f.split << ");\n";
    return;
  }
  if (name == "library") {
    line() << f.libraryCall << "({";
    for (auto [i, operand] : llvm::enumerate(op.getOperands()))
      os << (i ? ", " : "") << "i64(" << textOf(operand).text << ")";
    os << "}" << (f.libraryArguments.empty() ? "" : ", ") << f.libraryArguments << ");\n";
    return;
  }
  Value result = op.getResult(0);
  if (name == "shuffle_xor") {
    // Never within a larger expression: all threads must get there.
    define(result, freshName(result),
           "shuffle_xor<" + textOf(op.getOperand(2)).text + ">(" + textOf(op.getOperand(0), true).text +
               ", " + textOf(op.getOperand(1)).text + ")");
    return;
  }
  std::string text = cudaType(result.getType()) + (name == "thread_index" ? "(threadIdx.x)" : "(blockIdx.x)");
  if (result.hasOneUse())
    texts[result] = {text};
  else
    define(result, freshName(result), text);
}

void CudaPrinter::printFor(scf::ForOp op) {
  SmallVector<std::string> names;
  for (auto [init, argument, result] : llvm::zip(op.getInitArgs(), op.getRegionIterArgs(), op.getResults())) {
    // The accumulator of the loop before goes on.
    std::string name;
    if (init.getDefiningOp<scf::ForOp>() && init.hasOneUse()) {
      name = textOf(init).text;
    } else {
      name = freshName(argument);
      line() << cudaType(result.getType()) << " " << name << " = " << textOf(init).text << ";\n";
    }
    names.push_back(name);
    texts[argument] = {name};
    texts[result] = {name};
  }
  auto lower = KernelEmitter::constantOf(op.getLowerBound()),
       upper = KernelEmitter::constantOf(op.getUpperBound());
  auto step = KernelEmitter::constantOf(op.getStep());
  if (lower && upper && step && (*upper - *lower) / *step <= 8)
    line() << "#pragma unroll\n";
  llvm::StringSet<> outer = used;
  std::string i =
      isa<NameLoc>(op.getInductionVar().getLoc()) ? freshName(op.getInductionVar()) : freshName("j");
  texts[op.getInductionVar()] = {i};
  line() << "for (" << cudaType(op.getInductionVar().getType()) << " " << i << " = "
         << textOf(op.getLowerBound()).text << "; " << i << " < "
         << textOf(op.getUpperBound()).inside(Binding::relation) << "; ";
  if (step && *step == 1)
    os << "++" << i << ") {\n";
  else
    os << i << " += " << textOf(op.getStep()).text << ") {\n";
  printBody(*op.getBody(), names);
  line() << "}\n";
  used = std::move(outer);
}

void CudaPrinter::printIf(scf::IfOp op) {
  SmallVector<std::string> names;
  for (Value result : op.getResults()) {
    names.push_back(freshName(result));
    line() << cudaType(result.getType()) << " " << names.back() << ";\n";
    texts[result] = {names.back()};
  }
  line() << "if (" << textOf(op.getCondition()).text << ") {\n";
  printBody(*op.thenBlock(), names);
  if (op.elseBlock() && !(names.empty() && op.elseBlock()->without_terminator().empty())) {
    line() << "} else {\n";
    printBody(*op.elseBlock(), names);
  }
  line() << "}\n";
}

void CudaPrinter::printOp(Operation *op) {
  llvm::TypeSwitch<Operation *>(op)
      .Case<arith::ConstantOp, LLVM::GEPOp, vector::SplatOp>([](auto) {}) // written where they are used
      .Case([&](scf::ForOp o) { printFor(o); })
      .Case([&](scf::IfOp o) { printIf(o); })
      .Case([&](LLVM::LoadOp o) { printLoad(o); })
      .Case([&](LLVM::StoreOp o) { printStore(o); })
      .Case([&](func::CallOp o) { printCall(o); })
      .Case([&](vector::InsertOp o) { printInsert(o); })
      .Case([&](vector::ExtractOp o) {
        texts[o.getResult()] = {textOf(o.getVector()).text + "[" + std::to_string(o.getStaticPosition()[0]) +
                                "]"};
      })
      .Case([&](LLVM::AllocaOp o) {
        std::string name = freshName(o.getResult());
        line() << "__shared__ " << cudaType(o.getElemType()) << " " << name << "["
               << textOf(o.getArraySize()).text << "];\n";
        texts[o.getResult()] = {name};
      })
      .Default([&](Operation *o) {
        CudaText text =
            cudaExpression(o, [&](unsigned i, bool typed) { return textOf(o->getOperand(i), typed); });
        Value result = o->getResult(0);
        if (isInlined(o) && text.text.size() <= kLongest)
          texts[result] = text;
        else
          define(result, freshName(result), text.text);
      });
}

/// Prints the ops and assigns the terminator's operands to `targets`.
void CudaPrinter::printBody(Block &block, Targets targets) {
  llvm::StringSet<> outer = used;
  SmallVector<Operation *> waiting;
  std::swap(waiting, lanes);
  ++depth;
  for (Operation &op : block.without_terminator()) {
    if (isLaneOp(&op)) {
      lanes.push_back(&op);
      continue;
    }
    if (needsLanes(&op))
      flushLanes(&op, {});
    printOp(&op);
  }
  Operation *end = block.getTerminator();
  llvm::SmallDenseSet<unsigned> done;
  if (needsLanes(end))
    done = flushLanes(end, targets);
  Assignments assigned;
  for (auto [i, target] : llvm::enumerate(targets))
    if (!done.contains(i))
      if (std::string text = textOf(end->getOperand(i), true).text; text != target)
        assigned.push_back({target, text});
  assignAll(std::move(assigned), "");
  --depth;
  std::swap(waiting, lanes);
  used = std::move(outer);
}

std::string CudaPrinter::print() {
  func::FuncOp function = f.function;
  os << "extern \"C\" __global__ void __launch_bounds__(" << f.threads;
  if (f.blocksPerMultiprocessor)
    os << ", " << f.blocksPerMultiprocessor;
  os << ")\n" << function.getName() << "(";
  Block &body = function.getBody().front();
  for (auto [p, argument] : llvm::zip(f.parameters, body.getArguments())) {
    os << (argument.getArgNumber() ? ", " : "") << (p.isConst ? "const " : "")
       << (p.isMap ? "__grid_constant__ TensorMap" : cudaType(p.type))
       << (p.isPointer ? " *__restrict__ " : " ") << p.name;
    texts[argument] = {p.name};
    used.insert(p.name);
  }
  os << ") {\n";
  if (f.epilogue)
    os << CudaPrinter(*f.epilogue).printEpilogue();
  printBody(body, {});
  os << "}\n";
  return std::move(out);
}

/// A lambda that sees the kernel's parameters.
std::string CudaPrinter::printEpilogue() {
  Block &body = f.function.getFunctionBody().front();
  for (auto [p, argument] : llvm::zip(f.parameters, body.getArguments())) {
    texts[argument] = {p.name};
    used.insert(p.name);
  }
  depth = 1;
  auto last = ArrayRef(f.parameters).take_back(4);
  line() << "const auto epilogue = [&](";
  for (size_t i = 0; i < last.size(); ++i)
    os << (i ? ", " : "") << "const " << cudaType(last[i].type)
       << (isa<VectorType>(last[i].type) ? " &" : " ") << last[i].name;
  os << ") {\n";
  printBody(body, {});
  line() << "};\n";
  return std::move(out);
}

} // namespace

Operation *optc::findUnprintable(DeviceFunction &f) {
  Operation *unknown = f.epilogue ? findUnprintable(*f.epilogue) : nullptr;
  f.function.walk([&](Operation *op) {
    if (!isa<func::FuncOp, func::ReturnOp, func::CallOp, scf::ForOp, scf::IfOp, scf::YieldOp, LLVM::LoadOp,
             LLVM::StoreOp, LLVM::GEPOp, LLVM::AllocaOp, vector::SplatOp, vector::ExtractOp,
             vector::InsertOp>(op) &&
        !isCudaExpression(op))
      unknown = op;
  });
  return unknown;
}

std::string optc::printCuda(DeviceFunction &f) { return CudaPrinter(f).print(); }
