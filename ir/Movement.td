//===- Movement.td - Constants, shapes, data movement ----------*- tablegen -*-===//
#ifndef OPTC_IR_MOVEMENT_TD
#define OPTC_IR_MOVEMENT_TD
include "ir/Base.td"

def Optc_ConstantOp : Optc_Op<"constant", [Pure, ConstantLike, AllTypesMatch<["value", "y"]>]> {
  let summary = "A constant tensor";
  let description = "Over 1 KB it is a `dense_resource`, whose blob may be a mapped file; printed IR elides it.";
  let arguments = (ins ElementsAttr:$value);
  let results = (outs Optc_Tensor:$y);
  let assemblyFormat = "attr-dict $value";
  let hasFolder = 1;
  let hasVerifier = 1;
}
def Optc_IotaOp : Optc_PureOp<"iota"> {
  let summary = "0, 1, 2, ... along `axis`, the same along the others";
  let arguments = (ins I64Attr:$axis);
  let results = (outs Optc_Tensor:$y);
  let hasVerifier = 1;
}
def Optc_FromDimsOp : Optc_PureOp<"from_dims"> {
  let summary = "An integer tensor whose elements, in row-major order, are the given dimensions";
  let arguments = (ins Optc_DimsAttr:$values);
  let results = (outs Optc_IndexTensor:$y);
  let hasFolder = 1;
  let hasVerifier = 1;
}
def Optc_BindOp : Optc_Op<"bind"> {
  let summary = "Names the elements of an integer tensor, so that result types may refer to them";
  let description = [{
    After it, the symbols (each beginning with `$`) stand for the elements of `x` in row-major order. This is
    the only way by which a value becomes a shape; an op that needs the symbols must come after it.
    When the elements are known the pass `simplify-shapes` replaces the symbols and removes the op.
    mlir-syntax: `optc.bind %x ["$a", "$b"] : tensor<2xi64>`
  }];
  let arguments = (ins Optc_Tensor:$x, StrArrayAttr:$symbols);
  let assemblyFormat = "$x $symbols attr-dict `:` type($x)";
  let hasVerifier = 1;
}
def Optc_ReshapeOp : Optc_PureOp<"reshape"> {
  let summary = "The same elements in row-major order under another shape";
  let arguments = (ins Optc_Tensor:$x);
  let results = (outs Optc_Tensor:$y);
  let hasFolder = 1;
  let hasVerifier = 1;
}
def Optc_BroadcastOp : Optc_PureOp<"broadcast"> {
  let summary = "Numpy broadcasting to the result's shape";
  let description = [{
    Dims are matched from the last; a dim of size 1, or one that is missing in front, is repeated. A dynamic dim
    that is not known to equal the result's is compared with 1 at run time.
  }];
  let arguments = (ins Optc_Tensor:$x);
  let results = (outs Optc_Tensor:$y);
  let hasFolder = 1;
  let hasVerifier = 1;
}
def Optc_TransposeOp : Optc_InferredOp<"transpose"> {
  let summary = "Dim i of the result is dim permutation[i] of x";
  let arguments = (ins Optc_Tensor:$x, DenseI64ArrayAttr:$permutation);
  let results = (outs Optc_Tensor:$y);
  let hasFolder = 1;
}
def Optc_SliceOp : Optc_PureOp<"slice"> {
  let summary = "Elements start, start + stride, ... along each dim";
  let description = [{
    `starts` and `strides` have one entry a dim; the sizes are the result's. A stride may be negative. Every index
    is inside x: the frontend has clamped them.
  }];
  let arguments = (ins Optc_Tensor:$x, Optc_DimsAttr:$starts, Optc_DimsAttr:$strides);
  let results = (outs Optc_Tensor:$y);
  let hasFolder = 1;
  let hasVerifier = 1;
}
def Optc_PadOp : Optc_PureOp<"pad"> {
  let summary = "Adds elements before (`low`) and after each dim up to the result's size";
  let description = [{
    `low` may be negative (it crops), as may the amount after. constant: `value` (a scalar; 0 when absent);
    edge: the border element; reflect: mirrored without the border element; wrap: periodic.
  }];
  let arguments = (ins Optc_Tensor:$x, Optional<Optc_Tensor>:$value, Optc_DimsAttr:$low,
                       OneOf<["constant", "edge", "reflect", "wrap"]>:$mode);
  let results = (outs Optc_Tensor:$y);
  let hasVerifier = 1;
}
def Optc_ConcatOp : Optc_InferredOp<"concat"> {
  let summary = "Operands one after the other along `axis`";
  let arguments = (ins Variadic<Optc_Tensor>:$xs, I64Attr:$axis);
  let results = (outs Optc_Tensor:$y);
  let hasFolder = 1;
}
def Optc_GatherOp : Optc_InferredOp<"gather"> {
  let summary = "x with dim `axis` replaced by the dims of indices (ONNX Gather)";
  let description = "Negative indices count from the end; an index out of range is a run-time error.";
  let arguments = (ins Optc_Tensor:$x, Optc_IndexTensor:$indices, I64Attr:$axis);
  let results = (outs Optc_Tensor:$y);
}
def Optc_GatherElementsOp : Optc_InferredOp<"gather_elements"> {
  let summary = "y[i,j,...] = x[i,..,indices[i,j,...],..], the index taken at `axis`";
  let arguments = (ins Optc_Tensor:$x, Optc_IndexTensor:$indices, I64Attr:$axis);
  let results = (outs Optc_Tensor:$y);
}
def Optc_GatherNDOp : Optc_InferredOp<"gather_nd"> {
  let summary = "Slices of x at index tuples, which are the last dim of indices";
  let arguments = (ins Optc_Tensor:$x, Optc_IndexTensor:$indices, I64Attr:$batch_dims);
  let results = (outs Optc_Tensor:$y);
}
def Optc_ScatterElementsOp : Optc_InferredOp<"scatter_elements"> {
  let summary = "A copy of x with updates combined in at indices along `axis`, in row-major order of the updates";
  let arguments = (ins Optc_Tensor:$x, Optc_IndexTensor:$indices, Optc_Tensor:$updates, I64Attr:$axis,
                       OneOf<["none", "add", "mul", "min", "max"]>:$reduction);
  let results = (outs Optc_Tensor:$y);
}
def Optc_ScatterNDOp : Optc_InferredOp<"scatter_nd"> {
  let summary = "A copy of x with slices combined in at index tuples, in row-major order of the updates";
  let arguments = (ins Optc_Tensor:$x, Optc_IndexTensor:$indices, Optc_Tensor:$updates,
                       OneOf<["none", "add", "mul", "min", "max"]>:$reduction);
  let results = (outs Optc_Tensor:$y);
}
def Optc_ReverseSequenceOp : Optc_InferredOp<"reverse_sequence"> {
  let summary = "Reverses the first lengths[b] elements along time_axis for each b of batch_axis";
  let arguments = (ins Optc_Tensor:$x, Optc_IndexTensor:$lengths, I64Attr:$time_axis, I64Attr:$batch_axis);
  let results = (outs Optc_Tensor:$y);
}
def Optc_ResizeOp : Optc_PureOp<"resize", [AttrSizedOperandSegments]> {
  let summary = "Resamples to the result's size (ONNX Resize)";
  let description = [{
    One entry of `scales` a dim (output over input size as the model gives it); 1 for dims that are not resized,
    0 where it is the ratio of sizes known at run time only. `roi` has starts then ends, for tf_crop_and_resize.
    The operands `scale` [rank] and `region` [2*rank], where given, take the place of these attributes.
    See the ONNX page of Resize for the formulas.
  }];
  let arguments = (ins Optc_Tensor:$x, Optional<RankedTensorOf<[F64]>>:$scale, Optional<RankedTensorOf<[F64]>>:$region,
      DenseF64ArrayAttr:$scales, DefaultValuedAttr<DenseF64ArrayAttr, "{}">:$roi,
      OneOf<["nearest", "linear", "cubic"]>:$mode,
      OneOf<["half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric", "tf_crop_and_resize", "tf_half_pixel_for_nn"]>:$coordinates,
      DefaultValuedStrAttr<StrAttr, "round_prefer_floor">:$nearest_mode, DefaultValuedAttr<F64Attr, "-0.75">:$cubic_coeff_a,
      DefaultValuedAttr<BoolAttr, "false">:$exclude_outside, DefaultValuedAttr<F64Attr, "0.0">:$extrapolation_value,
      DefaultValuedAttr<BoolAttr, "false">:$antialias);
  let results = (outs Optc_Tensor:$y);
  let assemblyFormat = "$x (`scale` $scale^)? (`region` $region^)? attr-dict `:` functional-type(operands, results)";
}
def Optc_GridSampleOp : Optc_InferredOp<"grid_sample"> {
  let summary = "Samples x [N,C,spatial...] at the normalised coordinates grid [N,out...,rank] (ONNX GridSample)";
  let arguments = (ins Optc_Tensor:$x, Optc_Tensor:$grid, BoolAttr:$align_corners,
      OneOf<["nearest", "linear", "cubic"]>:$mode, OneOf<["zeros", "border", "reflection"]>:$padding);
  let results = (outs Optc_Tensor:$y);
}
def Optc_Col2ImOp : Optc_PureOp<"col2im"> {
  let summary = "Sums columns [N, C*block, L] back into an image [N, C, spatial...] (ONNX Col2Im)";
  let arguments = (ins Optc_Tensor:$x, Optc_DimsAttr:$block, DenseI64ArrayAttr:$strides, DenseI64ArrayAttr:$dilations, DenseI64ArrayAttr:$pads);
  let results = (outs Optc_Tensor:$y);
}
#endif
