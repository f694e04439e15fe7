//===- Contraction.td - Matrix products, convolutions, pooling -*- tablegen -*-===//
#ifndef OPTC_IR_CONTRACTION_TD
#define OPTC_IR_CONTRACTION_TD
include "ir/Base.td"

/// nchw: [N, C, spatial...]; nhwc: [N, spatial..., C]. Both for any number of spatial dims.
def Optc_Layout : OneOf<["nchw", "nhwc"]>;

def Optc_ContractOp : Optc_InferredOp<"contract"> {
  let summary = "Sum of products over the contracted dims: matrix products of every kind";
  let description = [{
    The result's dims are the batch dims, then lhs's other dims, then rhs's, each in their operand's order.
    The i-th of lhs_batch pairs with the i-th of rhs_batch, and likewise for lhs_contract and rhs_contract.
    f16, bf16 accumulate in f32; i8 and ui8 operands accumulate in i32 and give i32.
  }];
  let arguments = (ins Optc_Tensor:$lhs, Optc_Tensor:$rhs, DenseI64ArrayAttr:$lhs_batch, DenseI64ArrayAttr:$rhs_batch,
                       DenseI64ArrayAttr:$lhs_contract, DenseI64ArrayAttr:$rhs_contract);
  let results = (outs Optc_Tensor:$y);
}
def Optc_ConvOp : Optc_InferredOp<"conv"> {
  let summary = "Convolution (cross-correlation) with zero padding";
  let description = [{
    nchw: x [N, C, spatial...], w [O, C/groups, kernel...]. nhwc: x [N, spatial..., C], w [kernel..., C/groups, O].
    8-bit operands (each signed or unsigned) accumulate in i32 and give i32. The result has x's layout. pads_low/pads_high: zeros before and after each spatial dim. The result's sizes are
    floor((in + low + high - dilation*(kernel-1) - 1) / stride) + 1. (ONNX Conv)
  }];
  let arguments = (ins Optc_Tensor:$x, Optc_Tensor:$w, DenseI64ArrayAttr:$strides, DenseI64ArrayAttr:$dilations,
      DenseI64ArrayAttr:$pads_low, DenseI64ArrayAttr:$pads_high, I64Attr:$groups, DefaultValuedStrAttr<Optc_Layout, "nchw">:$layout);
  let results = (outs Optc_Tensor:$y);
}
def Optc_ConvTransposeOp : Optc_InferredOp<"conv_transpose"> {
  let summary = "Transposed convolution";
  let description = [{
    nchw: x [N, C, spatial...], w [C, O/groups, kernel...]. nhwc: x [N, spatial..., C], w [kernel..., C, O/groups].
    Sizes: stride*(in-1) + output_padding + dilation*(kernel-1) + 1 - low - high. (ONNX ConvTranspose)
  }];
  let arguments = (ins Optc_Tensor:$x, Optc_Tensor:$w, DenseI64ArrayAttr:$strides, DenseI64ArrayAttr:$dilations,
      DenseI64ArrayAttr:$pads_low, DenseI64ArrayAttr:$pads_high, DenseI64ArrayAttr:$output_padding, I64Attr:$groups,
      DefaultValuedStrAttr<Optc_Layout, "nchw">:$layout);
  let results = (outs Optc_Tensor:$y);
}
def Optc_DeformConvOp : Optc_PureOp<"deform_conv"> {
  let summary = "Deformable convolution (ONNX DeformConv), nchw";
  let arguments = (ins Optc_Tensor:$x, Optc_Tensor:$w, Optc_Tensor:$offset, Optional<Optc_Tensor>:$mask,
      DenseI64ArrayAttr:$strides, DenseI64ArrayAttr:$dilations, DenseI64ArrayAttr:$pads_low, I64Attr:$groups, I64Attr:$offset_groups);
  let results = (outs Optc_Tensor:$y);
}
def Optc_PoolOp : Optc_InferredOp<"pool"> {
  let summary = "Maximum, mean or p-norm over sliding windows";
  let description = [{
    Padding never wins a maximum; it counts in the mean's divisor where `count_padding` is set (positions inside
    the padded input only). Sizes are as of conv, rounded up where `ceil` is set; a window that would start
    in the padding after the input is dropped then. lp: (sum |x|^p)^(1/p).
  }];
  let arguments = (ins Optc_Tensor:$x, OneOf<["max", "mean", "lp"]>:$kind, DenseI64ArrayAttr:$window, DenseI64ArrayAttr:$strides,
      DenseI64ArrayAttr:$dilations, DenseI64ArrayAttr:$pads_low, DenseI64ArrayAttr:$pads_high, BoolAttr:$ceil,
      BoolAttr:$count_padding, DefaultValuedAttr<I64Attr, "2">:$p, DefaultValuedStrAttr<Optc_Layout, "nchw">:$layout);
  let results = (outs Optc_Tensor:$y);
}
def Optc_MaxPoolIndicesOp : Optc_InferredOp<"max_pool_indices"> {
  let summary = "Maximum over sliding windows of nchw x, and its position in the flattened x (i64)";
  let description = "`column_major`: positions count with the last two spatial dims swapped. (ONNX MaxPool storage_order)";
  let arguments = (ins Optc_Tensor:$x, DenseI64ArrayAttr:$window, DenseI64ArrayAttr:$strides, DenseI64ArrayAttr:$dilations,
      DenseI64ArrayAttr:$pads_low, DenseI64ArrayAttr:$pads_high, BoolAttr:$ceil, BoolAttr:$column_major);
  let results = (outs Optc_Tensor:$y, RankedTensorOf<[I64]>:$indices);
}
def Optc_MaxUnpoolOp : Optc_PureOp<"max_unpool"> {
  let summary = "Zeros of the result's shape with x written at flat positions";
  let arguments = (ins Optc_Tensor:$x, Optc_IndexTensor:$indices);
  let results = (outs Optc_Tensor:$y);
}
def Optc_RoiAlignOp : Optc_InferredOp<"roi_align"> {
  let summary = "Pools regions of x [N,C,H,W] given by rois [R,4] (x1,y1,x2,y2) of images batch [R] (ONNX RoiAlign)";
  let arguments = (ins Optc_Tensor:$x, Optc_Tensor:$rois, Optc_IndexTensor:$batch, I64Attr:$height, I64Attr:$width,
      I64Attr:$sampling_ratio, F64Attr:$spatial_scale, OneOf<["mean", "max"]>:$kind, BoolAttr:$half_pixel);
  let results = (outs Optc_Tensor:$y);
}
def Optc_MaxRoiPoolOp : Optc_InferredOp<"max_roi_pool"> {
  let summary = "Maximum over a grid on regions of x [N,C,H,W]; rois [R,5] (batch,x1,y1,x2,y2) (ONNX MaxRoiPool)";
  let arguments = (ins Optc_Tensor:$x, Optc_Tensor:$rois, I64Attr:$height, I64Attr:$width, F64Attr:$spatial_scale);
  let results = (outs Optc_Tensor:$y);
}
#endif
