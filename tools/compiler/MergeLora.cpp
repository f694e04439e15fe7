//===- MergeLora.cpp - Adapters of low rank into weights ------------------===//

#include "tools/compiler/MergeLora.h"
#include "ir/Locations.h"
#include "ir/PrecisionNotes.h"
#include "ir/eval/Evaluate.h"
#include "passes/LowRank.h"
#include "tools/compiler/LoraFile.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/Path.h"
#include <cmath>

using namespace mlir;
using namespace optc;

namespace {

using Path = SmallVector<std::string>;

/// A constant that a product or a convolution multiplies with.
struct Site {
  OpOperand *weight;
  /// What the module may be called: by the initialiser's name, by the node's.
  SmallVector<Path> names;
};

Path split(StringRef name) {
  Path parts;
  for (StringRef part : llvm::split(name, '.'))
    for (StringRef piece : llvm::split(part, '/'))
      if (!piece.empty())
        parts.push_back(piece.str());
  return parts;
}

/// A site has the name X.weight, or the node's /X/MatMul.
std::optional<Site> siteOf(OpOperand &operand) {
  Operation *op = operand.getOwner();
  mlir::Value source = operand.get();
  while (source.getDefiningOp() && isa<TransposeOp, ReshapeOp, CastOp>(source.getDefiningOp()))
    source = source.getDefiningOp()->getOperand(0);
  auto constant = source.getDefiningOp<ConstantOp>();
  if (!constant || !isa<FloatType>(elementOf(operand.get())))
    return std::nullopt;
  Site site{&operand, {}};
  for (const std::string &name : nodesOf(constant.getLoc()))
    if (Path path = split(name); path.size() > 1 && path.back() == "weight") {
      path.pop_back();
      site.names.push_back(path);
    }
  for (const std::string &name : nodesOf(op->getLoc()))
    if (Path path = split(name); path.size() > 1) {
      path.pop_back();
      site.names.push_back(path);
    }
  return site;
}

/// Parts that two names share from the end, twice, and one more where they are the same; 0 where neither ends with the other.
int64_t likeness(const Path &a, const Path &b) {
  size_t shared = std::min(a.size(), b.size());
  if (!std::equal(a.end() - shared, a.end(), b.end() - shared))
    return 0;
  return 2 * int64_t(shared) + (a.size() == b.size());
}

class Merger {
public:
  explicit Merger(ModuleOp module) : module(module) {
    module.walk([&](Operation *op) {
      if (isa<ContractOp, ConvOp>(op))
        for (OpOperand &operand : op->getOpOperands())
          if (auto site = siteOf(operand))
            sites.push_back(*site);
    });
  }

  Error merge(const AdapterFile &file) {
    std::vector<LoraPair> pairs;
    if (Error error = formPairs(file, pairs))
      return error;
    for (const LoraPair &pair : pairs)
      if (Error error = merge(file.adapter, pair))
        return error;
    return Error::success();
  }

private:
  Error merge(const LoraAdapter &adapter, const LoraPair &pair);
  /// The sum's type is the weight's; null when the factors have other sizes.
  mlir::Value merged(OpBuilder &b, const Site &site, const LoraPair &pair);
  static mlir::Value factor(OpBuilder &b, Location loc, HostValue value, ArrayRef<int64_t> dims);

  ModuleOp module;
  SmallVector<Site> sites;
};

/// A factor as a matrix of f32.
mlir::Value Merger::factor(OpBuilder &b, Location loc, HostValue value, ArrayRef<int64_t> dims) {
  value.dims.assign(dims.begin(), dims.end());
  auto type = RankedTensorType::get(dims, elementTypeOf(b.getContext(), value.type));
  mlir::Value x = b.create<ConstantOp>(loc, type, elementsOf(value, type));
  auto f32 = tensorType(dimsOf(x), b.getF32Type());
  return x.getType() == f32 ? x : mlir::Value(b.create<CastOp>(loc, f32, x));
}

mlir::Value Merger::merged(OpBuilder &b, const Site &site, const LoraPair &pair) {
  Operation *op = site.weight->getOwner();
  mlir::Value weight = site.weight->get();
  auto type = tensorOf(weight);
  const auto &a = pair.down.dims;
  int64_t rank = a[0], in = 1, out = pair.up.dims[0];
  for (size_t i = 1; i < a.size(); ++i)
    in *= a[i];
  SmallVector<int64_t> dims(a.begin(), a.end());
  dims[0] = out;
  bool turned = false;
  if (auto contract = dyn_cast<ContractOp>(op)) {
    auto over = site.weight->getOperandNumber() == 0 ? contract.getLhsContract() : contract.getRhsContract();
    if (!contract.getLhsBatch().empty() || over.size() != 1 || type.getRank() != 2)
      return {};
    // [in, out] where the product is over its first dim. A 1x1 convolution may have become a product, and the other way.
    turned = over.front() == 0;
    dims = turned ? SmallVector<int64_t>{in, out} : SmallVector<int64_t>{out, in};
  } else if (cast<ConvOp>(op).getGroups() != 1 || site.weight->getOperandNumber() != 1 || cast<ConvOp>(op).getLayout() != "nchw") {
    return {};
  } else if (a.size() == 2) {
    dims.append(type.getRank() - 2, 1);
  }
  if (type.getShape() != ArrayRef<int64_t>(dims))
    return {};
  Location loc = weight.getLoc();
  Type f32 = b.getF32Type();
  mlir::Value down = factor(b, loc, pair.down, {rank, in}), up = factor(b, loc, pair.up, {out, rank});
  auto scalar = RankedTensorType::get({}, f32);
  mlir::Value scale = b.create<ConstantOp>(loc, scalar, DenseElementsAttr::get(scalar, float(pair.scale)));
  up = b.create<MulOp>(loc, up, b.create<BroadcastOp>(loc, up.getType(), scale));
  auto transposed = [&](mlir::Value x) { return b.create<TransposeOp>(loc, x, ArrayRef<int64_t>{1, 0}); };
  return turned ? addLowRank(b, loc, weight, transposed(down), transposed(up)) : addLowRank(b, loc, weight, up, down);
}

Error Merger::merge(const LoraAdapter &adapter, const LoraPair &pair) {
  auto refuse = [&](const Twine &why) { return Error::at(adapter.path, "'" + pair.module + "' " + why.str()); };
  Path wanted = split(pair.module);
  int64_t best = 0;
  SmallVector<std::pair<Site *, Path>> found;
  for (Site &site : sites) {
    int64_t most = 0;
    const Path *name = nullptr;
    for (const Path &path : site.names)
      if (int64_t like = likeness(path, wanted); like > most) {
        most = like;
        name = &path;
      }
    if (most == 0 || most < best)
      continue;
    if (most > best)
      found.clear();
    best = most;
    found.emplace_back(&site, *name);
  }
  if (found.empty())
    return refuse("is no module of the model: no matrix product or convolution has a weight '" + pair.module + ".weight' or is a node in it");
  for (auto &[site, name] : found)
    if (name != found.front().second)
      return refuse("may be '" + llvm::join(found.front().second, ".") + "' or '" + llvm::join(name, ".") + "' of the model");
  for (auto &[site, name] : found) {
    Operation *op = site->weight->getOwner();
    OpBuilder b(op);
    mlir::Value sum = merged(b, *site, pair);
    if (!sum)
      return refuse("does not fit the weight of node '" + nodesOf(op->getLoc()).front() + "'");
    site->weight->set(sum);
    noteMerged(module.lookupSymbol<func::FuncOp>("main"), op,
               llvm::formatv("{0}, rank {1}, scale {2}", llvm::sys::path::filename(adapter.path), pair.down.dims[0], pair.scale).str());
  }
  return Error::success();
}

} // namespace

LoraAdapter optc::parseLoraFlag(const std::string &flag) {
  // Names may hold '='.
  auto [path, text] = StringRef(flag).rsplit('=');
  double scale;
  if (!path.empty() && !text.empty() && !text.getAsDouble(scale) && std::isfinite(scale))
    return {path.str(), scale};
  return {flag, std::nullopt};
}

Error optc::readAdapters(const std::vector<LoraAdapter> &adapters, std::vector<AdapterFile> &files) {
  for (const LoraAdapter &adapter : adapters)
    if (Error error = readAdapter(adapter, files.emplace_back()))
      return error;
  return Error::success();
}

std::vector<GivenTensor> optc::givenBy(const std::vector<AdapterFile> &files) {
  std::vector<GivenTensor> given;
  for (const AdapterFile &file : files) {
    if (!file.isOnnx)
      continue;
    for (const NamedValue &tensor : file.tensors)
      given.push_back({tensor.name, int32_t(tensor.value.type), tensor.value.dims,
                       StringRef(static_cast<const char *>(tensor.value.data), tensor.value.bytes()), llvm::sys::path::filename(file.adapter.path).str()});
  }
  return given;
}

/// Notes the nodes that read a parameter.
static void noteGiven(ModuleOp module, const AdapterFile &file, StringRef name) {
  module.walk([&](ConstantOp constant) {
    if (auto names = nodesOf(constant.getLoc()); names.size() == 1 && names.front() == name)
      for (Operation *user : constant->getUsers())
        noteMerged(module.lookupSymbol<func::FuncOp>("main"), user, (llvm::sys::path::filename(file.adapter.path) + ", parameter " + name).str());
  });
}

Error optc::mergeLora(const ImportResult &imported, const std::vector<AdapterFile> &files) {
  ModuleOp module = imported.module.get();
  Merger merger(module);
  for (const AdapterFile &file : files) {
    AdapterFile rest{file.adapter, file.isOnnx, {}};
    for (const NamedValue &tensor : file.tensors)
      if (!file.isOnnx || imported.unknown.contains(tensor.name))
        rest.tensors.push_back(tensor);
      else
        noteGiven(module, file, tensor.name);
    if (Error error = merger.merge(rest))
      return error;
  }
  return Error::success();
}
