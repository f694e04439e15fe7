//===- Neural.td - Normalisation, attention, recurrence, other -*- tablegen -*-===//
#ifndef OPTC_IR_NEURAL_TD
#define OPTC_IR_NEURAL_TD
include "ir/Base.td"

def Optc_SoftmaxOp : Optc_InferredOp<"softmax"> {
  let summary = "exp(x) / sum(exp(x)) along `axis`, shifted by the maximum; `log`: its logarithm";
  let arguments = (ins RankedTensorOf<[AnyFloat]>:$x, I64Attr:$axis, DefaultValuedAttr<BoolAttr, "false">:$log);
  let results = (outs Optc_Tensor:$y);
}
def Optc_NormalizeOp : Optc_InferredOp<"normalize", [AttrSizedOperandSegments]> {
  let summary = "Layer normalisation over the dims from `axis` on, then scale and bias";
  let description = [{
    layer: (x - mean) / sqrt(variance + epsilon); rms: x / sqrt(mean(x*x) + epsilon). scale and bias have the
    shape of the normalised dims. f16 and bf16 are computed in f32.
  }];
  let arguments = (ins RankedTensorOf<[AnyFloat]>:$x, Optional<Optc_Tensor>:$scale, Optional<Optc_Tensor>:$bias,
                       I64Attr:$axis, F64Attr:$epsilon, OneOf<["layer", "rms"]>:$kind);
  let results = (outs Optc_Tensor:$y);
  let assemblyFormat = [{
    $x (`scale` $scale^)? (`bias` $bias^)? attr-dict `:` functional-type(operands, results)
  }];
}
def Optc_LrnOp : Optc_InferredOp<"lrn"> {
  let summary = "Local response normalisation across channels of [N, C, ...] (ONNX LRN)";
  let arguments = (ins Optc_Tensor:$x, F64Attr:$alpha, F64Attr:$beta, F64Attr:$bias, I64Attr:$size);
  let results = (outs Optc_Tensor:$y);
}
def Optc_AttentionOp : Optc_InferredOp<"attention"> {
  let summary = "softmax(scale * q k^T + mask) v";
  let description = [{
    q [B, H, S, D], k [B, G, T, D], v [B, G, T, E], result [B, H, S, E]; G divides H (grouped queries). mask has
    rank 4 and the scores' type, is broadcast to [B, H, S, T] and added. A row whose scores are all -inf gives 0.
    softcap > 0: c * tanh(score / c) before the mask. causal: query i sees keys j <= i + T - S.
    `optc.probability_steps` = n: exp(score - largest score) is rounded to a multiple of 1/n, and what is rounded is summed.
  }];
  let arguments = (ins RankedTensorOf<[AnyFloat]>:$q, RankedTensorOf<[AnyFloat]>:$k, RankedTensorOf<[AnyFloat]>:$v,
                       Optional<RankedTensorOf<[AnyFloat]>>:$mask, F64Attr:$scale, DefaultValuedAttr<F64Attr, "0.0">:$softcap,
                       DefaultValuedAttr<BoolAttr, "false">:$causal);
  let results = (outs Optc_Tensor:$y);
}
def Optc_RecurrentOp : Optc_InferredOp<"recurrent", [AttrSizedOperandSegments]> {
  let summary = "A recurrent layer over time in one direction (ONNX LSTM, GRU, RNN)";
  let description = [{
    x [T, B, I]; w [G*H, I], r [G*H, H], bias [2*G*H] (of w, then of r), lengths [B], h0 and c0 [B, H],
    peephole [3*H]. Without w, x [T, B, G*H] is the product with it already. Gates: lstm i,o,f,c; gru z,r,h; rnn one. Results: y [T, B, H], the last h [B, H] and, for lstm, the
    last c [B, H] (else h again). reset_after: gru applies the reset gate after the product with r. clip > 0 bounds the
    gates' inputs. `activations` names one function a kind of gate, alpha and beta their parameters.
  }];
  let arguments = (ins Optc_Tensor:$x, Optional<Optc_Tensor>:$w, Optc_Tensor:$r, Optional<Optc_Tensor>:$bias,
      Optional<Optc_IndexTensor>:$lengths, Optional<Optc_Tensor>:$h0, Optional<Optc_Tensor>:$c0, Optional<Optc_Tensor>:$peephole,
      OneOf<["lstm", "gru", "rnn"]>:$cell, BoolAttr:$reverse, StrArrayAttr:$activations, DenseF64ArrayAttr:$alpha, DenseF64ArrayAttr:$beta,
      DefaultValuedAttr<F64Attr, "0.0">:$clip, DefaultValuedAttr<BoolAttr, "false">:$input_forget, DefaultValuedAttr<BoolAttr, "false">:$reset_after);
  let results = (outs Optc_Tensor:$y, Optc_Tensor:$h, Optc_Tensor:$c);
  let assemblyFormat = [{
    `(` $x (`w` $w^)? `r` $r (`bias` $bias^)? (`lengths` $lengths^)? (`h0` $h0^)? (`c0` $c0^)?
    (`peephole` $peephole^)? `)` attr-dict `:` functional-type(operands, results)
  }];
}
def Optc_DetOp : Optc_InferredOp<"det"> {
  let summary = "Determinants of the square matrices in the last two dims";
  let arguments = (ins RankedTensorOf<[AnyFloat]>:$x);
  let results = (outs Optc_Tensor:$y);
}
def Optc_DftOp : Optc_PureOp<"dft"> {
  let summary = "Discrete Fourier transform along `axis`; the last dim holds (re) or (re, im)";
  let description = "The result's dim `axis` is the length; one-sided: its first length/2 + 1. The inverse divides by the length. (ONNX DFT)";
  let arguments = (ins RankedTensorOf<[AnyFloat]>:$x, I64Attr:$axis, Optc_DimsAttr:$length, BoolAttr:$inverse, BoolAttr:$onesided);
  let results = (outs Optc_Tensor:$y);
}
def Optc_MelWeightMatrixOp : Optc_PureOp<"mel_weight_matrix"> {
  let summary = "Weights [length/2 + 1, bins] of the bins of a spectrum in triangles on the mel scale, between two frequencies in Hz";
  let description = "length: of the transform whose spectrum it is, of samples of which `rate` are a second. (ONNX MelWeightMatrix)";
  let arguments = (ins Optc_Tensor:$rate, Optc_Tensor:$lower, Optc_Tensor:$upper, Optc_DimsAttr:$length);
  let results = (outs Optc_Tensor:$y);
}
def Optc_RandomOp : Optc_Op<"random"> {
  let summary = "Random values: uniform in [low, high), normal (mean low, deviation high)";
  let description = "Counter-based (Philox 4x32-10): the same seed gives the same values on every target; each run advances the counter.";
  let arguments = (ins OneOf<["uniform", "normal"]>:$distribution, F64Attr:$low, F64Attr:$high, I64Attr:$seed);
  let results = (outs Optc_Tensor:$y);
  let assemblyFormat = "attr-dict `:` type($y)";
}
def Optc_LibraryOp : Optc_PureOp<"library"> {
  let summary = "Calls a reference function by name: strings, sequences, tree ensembles and other rarities";
  let description = "Becomes a library step, reported as such. `parameters` are the function's; absent operands have type `none`.";
  let arguments = (ins Variadic<AnyType>:$xs, StrAttr:$function, DictionaryAttr:$parameters);
  let results = (outs Variadic<AnyType>:$ys);
}
#endif
