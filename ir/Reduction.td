//===- Reduction.td - Reductions, scans, sorting, counting -----*- tablegen -*-===//
#ifndef OPTC_IR_REDUCTION_TD
#define OPTC_IR_REDUCTION_TD
include "ir/Base.td"

def Optc_ReduceOp : Optc_InferredOp<"reduce"> {
  let summary = "Combines the elements along `axes`, which leave the shape";
  let description = [{
    Over no elements: sum 0, prod 1, max the lowest and min the highest value (an infinity for floats), mean NaN.
    f16 and bf16 accumulate in f32. mean of integers rounds towards zero. max and min give NaN if any element is.
  }];
  let arguments = (ins Optc_Tensor:$x, DenseI64ArrayAttr:$axes, OneOf<["sum", "prod", "max", "min", "mean"]>:$kind);
  let results = (outs Optc_Tensor:$y);
  let hasFolder = 1;
}
def Optc_ArgReduceOp : Optc_InferredOp<"arg_reduce"> {
  let summary = "Position (i64) of the largest or smallest element along `axis`, which leaves the shape";
  let arguments = (ins Optc_Tensor:$x, I64Attr:$axis, OneOf<["max", "min"]>:$kind, BoolAttr:$last);
  let results = (outs RankedTensorOf<[I64]>:$y);
}
def Optc_CumulativeOp : Optc_InferredOp<"cumulative"> {
  let summary = "Running sum or product along `axis`";
  let arguments = (ins Optc_Tensor:$x, I64Attr:$axis, OneOf<["sum", "prod"]>:$kind, BoolAttr:$exclusive, BoolAttr:$reverse);
  let results = (outs Optc_Tensor:$y);
}
def Optc_TopKOp : Optc_PureOp<"top_k"> {
  let summary = "The k largest or smallest along `axis` and their positions (i64); k is the result's dim";
  let description = "Equal values keep their order. With `sorted` false the order is unspecified.";
  let arguments = (ins Optc_Tensor:$x, I64Attr:$axis, BoolAttr:$largest, BoolAttr:$sorted);
  let results = (outs Optc_Tensor:$values, RankedTensorOf<[I64]>:$indices);
}
def Optc_NonZeroOp : Optc_PureOp<"nonzero"> {
  let summary = "Positions [rank, n] (i64) of the elements that are not 0, in row-major order; defines n";
  let arguments = (ins Optc_Tensor:$x);
  let results = (outs RankedTensorOf<[I64]>:$y);
}
def Optc_UniqueOp : Optc_PureOp<"unique"> {
  let summary = "Unique elements, or slices along `axis` (-1: of the flattened tensor); defines their number";
  let arguments = (ins Optc_Tensor:$x, OptionalAttr<I64Attr>:$axis, BoolAttr:$sorted);
  let results = (outs Optc_Tensor:$y, RankedTensorOf<[I64]>:$first, RankedTensorOf<[I64]>:$inverse, RankedTensorOf<[I64]>:$counts);
}
def Optc_NmsOp : Optc_PureOp<"nms", [AttrSizedOperandSegments]> {
  let summary = "Non-maximum suppression: selected [n, 3] (batch, class, box); defines n";
  let description = [{
    boxes [batches, n, 4], scores [batches, classes, n]; the scalars may be absent. center_box: boxes are
    (x, y, width, height), else two corners (y1, x1, y2, x2) in any order. (ONNX NonMaxSuppression)
  }];
  let arguments = (ins Optc_Tensor:$boxes, Optc_Tensor:$scores, Optional<Optc_Tensor>:$max_per_class,
                       Optional<Optc_Tensor>:$iou_threshold, Optional<Optc_Tensor>:$score_threshold, BoolAttr:$center_box);
  let results = (outs RankedTensorOf<[I64]>:$y);
  let assemblyFormat = [{
    `(` $boxes `,` $scores (`,` `max_per_class` $max_per_class^)? (`,` `iou_threshold` $iou_threshold^)?
    (`,` `score_threshold` $score_threshold^)? `)` attr-dict `:` functional-type(operands, results)
  }];
}
#endif
