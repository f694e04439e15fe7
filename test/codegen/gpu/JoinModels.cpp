//===- JoinModels.cpp - Many models as one --------------------------------===//

#include "test/codegen/gpu/JoinModels.h"
#include "ir/Dialect.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Parser/Parser.h"

using namespace optc;

mlir::OwningOpRef<mlir::ModuleOp> optc::joinModels(llvm::ArrayRef<Model> models, mlir::MLIRContext &context,
                                                   int64_t rows) {
  mlir::OpBuilder b(&context);
  mlir::Location loc = b.getUnknownLoc();
  mlir::OwningOpRef<mlir::ModuleOp> module = mlir::ModuleOp::create(loc);
  b.setInsertionPointToEnd(module->getBody());
  auto main = b.create<mlir::func::FuncOp>(loc, "main", b.getFunctionType({}, {}));
  mlir::Block *block = main.addEntryBlock();
  b.setInsertionPointToEnd(block);
  llvm::SmallVector<mlir::Value> results;
  for (const Model &model : models) {
    llvm::SmallVector<llvm::StringRef> elements;
    llvm::StringRef(model.elements).split(elements, ' ');
    for (llvm::StringRef element : elements) {
      std::string text;
      for (const char *c = model.text; *c; ++c) {
        bool isRows = *c == 'R' && (c[-1] == '<' || c[-1] == 'x');
        text += *c == 'T' && c[-1] == 'x' ? element.str() : isRows ? "" : std::string(1, *c);
        if (isRows && rows) {
          text += std::to_string(rows);
          while (c[1] >= '0' && c[1] <= '9')
            ++c;
        }
      }
      auto parsed = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
      if (!parsed)
        return nullptr;
      auto f = parsed->lookupSymbol<mlir::func::FuncOp>("main");
      mlir::IRMapping mapping;
      for (mlir::Value argument : f.getArguments())
        mapping.map(argument, block->addArgument(argument.getType(), loc));
      for (mlir::Operation &op : f.getBody().front().without_terminator())
        b.clone(op, mapping);
      for (mlir::Value result : f.getBody().front().getTerminator()->getOperands())
        results.push_back(mapping.lookup(result));
    }
  }
  b.create<mlir::func::ReturnOp>(loc, results);
  main.setType(b.getFunctionType(block->getArgumentTypes(), mlir::TypeRange(mlir::ValueRange(results))));
  return module;
}
