//===- Base.td - The optc dialect, its types and op classes ----*- tablegen -*-===//
#ifndef OPTC_IR_BASE_TD
#define OPTC_IR_BASE_TD

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/OpBase.td"
include "mlir/IR/BuiltinAttributeInterfaces.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Optc_Dialect : Dialect {
  let name = "optc";
  let cppNamespace = "::optc";
  let summary = "Tensor operators with one meaning each";
  let description = [{
    Ops work on builtin ranked tensors. A dynamic dimension carries its expression in the tensor's
    encoding: `tensor<?x4xf32, #optc.dims<["batch", 4]>>`. Signless integers are signed, `ui8` and its
    like unsigned, `i1` is bool. Shapes are never computed by tensor ops: an op whose result shape depends
    on values has it in its result type, as expressions over symbols (see `optc.bind`, `optc.from_dims`).
    Every op has a reference function (`runtime/reference`), which defines what it computes.
  }];
  let useDefaultAttributePrinterParser = 1;
  let useDefaultTypePrinterParser = 1;
  let hasConstantMaterializer = 1;
}

//===----------------------------------------------------------------------===//
// Types and attributes
//===----------------------------------------------------------------------===//

class Optc_Type<string name, string typeMnemonic> : TypeDef<Optc_Dialect, name> {
  let mnemonic = typeMnemonic;
}

def Optc_StringType : Optc_Type<"String", "string"> {
  let summary = "Element type of tensors of UTF-8 strings; only library steps touch it";
}

def Optc_F4E2M1Type : Optc_Type<"F4E2M1", "f4E2M1"> {
  let summary = "Element type: ONNX's FLOAT4E2M1, one element a byte; kernels of GPUs and library steps touch it";
}

def Optc_F8E8M0Type : Optc_Type<"F8E8M0", "f8E8M0"> {
  let summary = "Element type: ONNX's FLOAT8E8M0 (a power of two); kernels of GPUs and library steps touch it";
}

def Optc_SequenceType : Optc_Type<"Sequence", "sequence"> {
  let summary = "A list of tensors of one element type; only library steps touch it";
  let parameters = (ins "::mlir::Type":$element);
  let assemblyFormat = "`<` $element `>`";
}

def Optc_OptionalType : Optc_Type<"Optional", "optional"> {
  let summary = "A tensor or sequence that may be absent; only library steps touch it";
  let parameters = (ins "::mlir::Type":$element);
  let assemblyFormat = "`<` $element `>`";
}

def Optc_DimsAttr : AttrDef<Optc_Dialect, "Dims"> {
  let mnemonic = "dims";
  let summary = "A list of dimensions: integers, or strings that hold an expression over symbols";
  let description = [{
    As the encoding of a tensor type it has one entry a dimension, an integer where the dimension is static.
    As an attribute it gives the sizes, offsets and strides of ops such as `optc.slice`.
    See ir/DimExpr.h for the expressions.
  }];
  let parameters = (ins "::mlir::ArrayAttr":$values);
  let assemblyFormat = "`<` $values `>`";
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    size_t size() const { return getValues().size(); }
    DimExpr dim(size_t i) const;
    ::llvm::SmallVector<DimExpr> dims() const;
    /// nullopt unless every entry is an integer.
    std::optional<::llvm::SmallVector<int64_t>> constants() const;
    static DimsAttr get(::mlir::MLIRContext *context, ::llvm::ArrayRef<DimExpr> dims);
    static DimsAttr get(::mlir::MLIRContext *context, ::llvm::ArrayRef<int64_t> dims);
  }];
}

class OneOf<list<string> names> : StringBasedAttr<
    CPred<!interleave(!foreach(n, names, "::llvm::cast<::mlir::StringAttr>($_self).getValue() == \"" # n # "\""), " || ")>,
    "one of " # !interleave(names, ", ")>;

def Optc_Tensor : AnyTypeOf<[AnyRankedTensor], "ranked tensor">;
def Optc_IndexTensor : RankedTensorOf<[I32, I64]>;
def Optc_BoolTensor : RankedTensorOf<[I1]>;
/// A tensor, or an object (sequence, optional) that only library steps and control flow carry.
def Optc_Value : AnyTypeOf<[AnyRankedTensor, Optc_SequenceType, Optc_OptionalType]>;

//===----------------------------------------------------------------------===//
// Op classes
//===----------------------------------------------------------------------===//

class Optc_Op<string mnemonic, list<Trait> traits = []> : Op<Optc_Dialect, mnemonic, traits>;

/// Pure op whose result types are given, because they hold sizes that operands do not determine.
class Optc_PureOp<string mnemonic, list<Trait> traits = []> : Optc_Op<mnemonic, !listconcat([Pure], traits)> {
  let assemblyFormat = "operands attr-dict `:` functional-type(operands, results)";
}

/// Pure op whose result types follow from operands and attributes (ir/InferTypes*.cpp).
class Optc_InferredOp<string mnemonic, list<Trait> traits = []>
    : Optc_PureOp<mnemonic, !listconcat([DeclareOpInterfaceMethods<InferTypeOpInterface>], traits)> {
  let extraClassDeclaration = [{
    static bool isCompatibleReturnTypes(::mlir::TypeRange inferred, ::mlir::TypeRange actual) {
      return ::optc::compatibleTypes(inferred, actual);
    }
  }];
}

/// Computes each element of the result from the elements of the operands at the same position.
/// All operands have the result's shape (`optc.broadcast` is explicit). The scalar body is in
/// codegen/kernel/ScalarBody.cpp.
def Optc_Elementwise : NativeOpTrait<"Elementwise"> { let cppNamespace = "::optc"; }

class Optc_ElementwiseOp<string mnemonic, list<Trait> traits = []> : Optc_InferredOp<mnemonic, !listconcat([Optc_Elementwise], traits)>;

#endif // OPTC_IR_BASE_TD
