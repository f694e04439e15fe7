//===- Passes.td - The catalogue of passes ---------------------*- tablegen -*-===//
#ifndef OPTC_PASSES_PASSES_TD
#define OPTC_PASSES_PASSES_TD
include "mlir/Pass/PassBase.td"

def SpecializeShapes : Pass<"specialize-shapes", "::mlir::ModuleOp"> {
  let summary = "Fixes symbolic dims";
  let description = [{
    before:  %0 : tensor<?x768xf32, #optc.dims<["batch", 768]>>
    after:   %0 : tensor<8x768xf32>                                  bindings=batch=8
  }];
  let options = [ListOption<"bindings", "bindings", "std::string", "symbol=size, ...">];
  let dependentDialects = ["::optc::OptcDialect"];
}

def FoldConstants : Pass<"fold-constants", "::mlir::func::FuncOp"> {
  let summary = "Evaluates what is constant and has at most 1 KB";
  let description = [{
    before:  %s = optc.sqrt (optc.constant 64.0);  %r = optc.reciprocal %s
    after:   %r = optc.constant 0.125
    Larger constants stay lazy weight expressions, evaluated when the artefact is packaged.
  }];
  let dependentDialects = ["::optc::OptcDialect"];
}

def FoldScales : Pass<"fold-scales", "::mlir::func::FuncOp"> {
  let summary = "Constant factors of convolutions and matrix products into their weights";
  let description = [{
    before:  %1 = optc.conv %x, %w;  %2 = optc.mul %1, (broadcast %scale)
    after:   %2 = optc.conv %x, (optc.mul %w, %scale)
    With the constants of a batch normalisation; a constant offset on the way is scaled, too.
  }];
  let dependentDialects = ["::optc::OptcDialect"];
}

def FoldLowRank : Pass<"fold-low-rank", "::mlir::func::FuncOp"> {
  let summary = "Branches of low rank (LoRA) with constant factors into the weight beside them";
  let description = [{
    before:  %1 = optc.contract %x, %w;  %2 = optc.contract (optc.contract %x, %a), %b;  %y = optc.add %1, %2
    after:   %y = optc.contract %x, (optc.add %w, (optc.contract %a, %b))
    Not where the weight comes in few bits, or other ops read it, too.
  }];
  let dependentDialects = ["::optc::OptcDialect"];
}

def PropagateQuantization : Pass<"propagate-quantization", "::mlir::func::FuncOp"> {
  let summary = "Dequantisation down and quantisation up through what only moves data";
  let description = [{
    before:  %1 = optc.dequantize %q, s, z;  %2 = optc.transpose %1;  %3 = optc.quantize %2, s, z
    after:   %3 = optc.transpose %q
  }];
  let options = [Option<"float8", "float8", "bool", "false", "of codes of e4m3, too">];
  let dependentDialects = ["::optc::OptcDialect"];
}

def InsertRounding : Pass<"insert-rounding", "::mlir::func::FuncOp"> {
  let summary = "Operands of products rounded to bf16 or tf32";
  let description = [{
    before:  %y = optc.contract %x, %w
    after:   %h = optc.cast %x : bf16;  %y = optc.contract (optc.cast %h : f32), (optc.cast (optc.cast %w : bf16) : f32)
  }];
  let options = [Option<"tiles", "tiles", "bool", "true", "every CPU of the artefact has AMX, or the kernels are a GPU's">,
                 Option<"gpu", "gpu", "bool", "false", "products are a GPU's, of any number of rows">,
                 Option<"fewBits", "few-bits", "bool", "false", "weights will be stored in few bits: of a GPU's products the other operand is rounded">,
                 Option<"tf32", "tf32", "bool", "false", "to tf32, for a GPU: what stays f32 in memory">];
  let dependentDialects = ["::optc::OptcDialect"];
}

def LowerQdq : Pass<"lower-qdq", "::mlir::func::FuncOp"> {
  let summary = "Products of dequantised tensors as products of their codes";
  let description = [{
    before:  %y = optc.contract (optc.dequantize %x, sx, zx), (optc.dequantize %w, sw, 0);  %q = optc.quantize %y, sy, zy
    after:   %a = optc.contract %x, %w : i32;  %q = optc.quantize ((cast (%a - zx * sum of %w)) * (sx * sw / sy)), 1, zy
  }];
  let dependentDialects = ["::optc::OptcDialect"];
}

def LowerFloat8 : Pass<"lower-float8", "::mlir::func::FuncOp"> {
  let summary = "Products of tensors dequantised from e4m3 as products of their codes";
  let description = [{
    before:  %y = optc.contract (optc.dequantize %x, sx), (optc.dequantize %w, sw)
    after:   %y = optc.mul (optc.contract (optc.cast %x : f32), (optc.cast %w : f32)), sx * sw
    For GPUs.
  }];
  let dependentDialects = ["::optc::OptcDialect"];
}

def SplitGroups : Pass<"split-groups", "::mlir::func::FuncOp"> {
  let summary = "Grouped convolutions as a dense one for each group";
  let description = [{
    before:  %y = optc.conv %x, %w {groups = 2, layout = "nhwc"}
    after:   %y = optc.concat (optc.conv (optc.slice %x), (optc.slice %w)), (optc.conv (optc.slice %x), (optc.slice %w))
  }];
  let dependentDialects = ["::optc::OptcDialect"];
}

def UnfoldDepth : Pass<"unfold-depth", "::mlir::func::FuncOp"> {
  let summary = "Convolutions over three dims as convolutions over two of an image with more channels";
  let description = [{
    before:  %y = optc.conv %x, %w {layout = "nhwc"} : (tensor<1x4x8x8x16xf32>, tensor<3x3x3x16x32xf32>)
    after:   %s = optc.concat (optc.slice %x), (optc.slice %x), (optc.slice %x);  %y = optc.conv %s, (optc.transpose %w) {layout = "nhwc"}
    For GPUs; groups stay what they are.
  }];
  let dependentDialects = ["::optc::OptcDialect"];
}

def TabulateCodes : Pass<"tabulate-codes", "::mlir::func::FuncOp"> {
  let summary = "Functions of one tensor of codes by tables of 256 codes";
  let description = [{
    before:  %y = optc.quantize (sigmoid (dequantize %q))
    after:   %y = optc.lookup %q {table = array<i64: ...>}
  }];
  let dependentDialects = ["::optc::OptcDialect"];
}

def KeepFloatProducts : Pass<"keep-float-products", "::mlir::func::FuncOp"> {
  let summary = "Quantised products that are estimated to be faster in f32";
  let description = [{
    before:  %y = optc.conv (optc.dequantize %x), (optc.dequantize %w)
    after:   %y = optc.conv (optc.dequantize %x), (optc.dequantize %w) {optc.compute_float = "..."}
  }];
  let options = [
    ListOption<"levels", "levels", "std::string", "what the CPU levels of the artefact compute with: sse, avx2, ...">,
    Option<"inputs", "inputs", "bool", "true", "the model's inputs may stay unrounded">,
  ];
  let dependentDialects = ["::optc::OptcDialect"];
}

def RangesOfRows : Pass<"ranges-of-rows", "::mlir::func::FuncOp"> {
  let summary = "What is quantised by the range that it has when it runs takes one a row";
  let description = [{
    before:  %s = formula of (optc.reduce %x {axes = all, kind = "max"});  %q = optc.quantize %x, (optc.broadcast %s)
    after:   %s = formula of (optc.reduce %x {axes = last, kind = "max"});  %q = optc.quantize (%x / %s[rows, 1]), 1
  }];
  let dependentDialects = ["::optc::OptcDialect"];
}

def SkipRounding : Pass<"skip-rounding", "::mlir::func::FuncOp"> {
  let summary = "Codes that a kernel dequantises itself are limited, not rounded";
  let description = [{
    before:  %q = optc.quantize %x, 1, %z;  %d = optc.dequantize %q, %s, %z;  %y = optc.quantize (%d + %r)
    after:   %d = optc.mul (optc.min (optc.max %x, 0 - z), 255 - z), %s;  %y = optc.quantize (%d + %r)
  }];
  let dependentDialects = ["::optc::OptcDialect"];
}

def FuseMultiplyAdd : Pass<"fuse-multiply-add", "::mlir::func::FuncOp"> {
  let summary = "A product and what is added to it, in kernels, as one op that rounds once";
  let description = [{
    before:  %p = optc.mul %x, %scale;  %y = optc.add %p, %bias
    after:   %y = optc.fma %x, %scale, %bias
  }];
  let dependentDialects = ["::optc::OptcDialect"];
}

def RecognizeQuantizedProducts : Pass<"recognize-quantized-products", "::mlir::func::FuncOp"> {
  let summary = "Products of integers that are scaled, as products of dequantised tensors";
  let description = [{
    before:  %p = optc.contract (optc.cast %q - zx), (optc.cast %w);  %y = optc.mul (optc.cast %p : f32), (optc.mul sx, sw)
    after:   %y = optc.contract (optc.dequantize %q, sx, zx), (optc.dequantize %w, sw)
  }];
  let dependentDialects = ["::optc::OptcDialect"];
}

def RecognizeAttention : Pass<"recognize-attention", "::mlir::func::FuncOp"> {
  let summary = "Forms attention out of two matrix products and the softmax between them";
  let description = [{
    before:  %s = optc.contract %q, %k;  %p = optc.softmax (%s * 0.125 + %mask);  %y = optc.contract %p, %v
    after:   %y = optc.attention %q, %k, %v, %mask {scale = 0.125}
    Keys that are repeated for several heads are these heads' group; heads of one query each are queries of their group.
  }];
  let dependentDialects = ["::optc::OptcDialect"];
  let options = [Option<"gpu", "gpu", "bool", "false", "For a GPU: of 16-bit floats, too">];
}

def FormAttention : Pass<"form-attention", "::mlir::func::FuncOp"> {
  let summary = "Kernels of attention, with the movement around it as strides";
  let description = [{
    before:  %h = optc.transpose (reshape %q) [0, 2, 1, 3];  %y = optc.attention %h, ...;  %z = optc.transpose %y [0, 2, 1, 3]
    after:   %z = optc.kernel "attention" (%q, ...) { reshape; transpose; attention; transpose; optc.yield }
    Of f32; for a GPU of 16-bit floats too.
  }];
  let options = [
    Option<"gpu", "gpu", "bool", "false", "For a GPU">,
  ];
  let dependentDialects = ["::optc::OptcDialect"];
}

def SimplifyPowers : Pass<"simplify-powers", "::mlir::func::FuncOp"> {
  let summary = "Powers by small constants, divisions by powers of two, inverses of roots";
  let description = [{
    before:  %1 = optc.pow %x, 2.0;  %2 = optc.div %x, 8.0;  %3 = optc.div 1.0, (optc.sqrt %x)
    after:   %1 = optc.mul %x, %x;   %2 = optc.mul %x, 0.125;  %3 = optc.rsqrt %x
  }];
  let dependentDialects = ["::optc::OptcDialect"];
}

def RecognizeActivations : Pass<"recognize-activations", "::mlir::func::FuncOp"> {
  let summary = "Forms sigmoid, silu, hard_swish and softplus out of their formulas";
  let description = [{
    before:  %1 = optc.sigmoid %x;  %2 = optc.mul %x, %1
    after:   %2 = optc.silu %x
  }];
  let dependentDialects = ["::optc::OptcDialect"];
}

def RecognizeGelu : Pass<"recognize-gelu", "::mlir::func::FuncOp"> {
  let summary = "Forms gelu out of its formulas";
  let description = [{
    before:  %1 = optc.div %x, sqrt2;  %2 = optc.erf %1;  %3 = optc.add %2, 1.0;  %4 = optc.mul %x, %3;  %5 = optc.mul %4, 0.5
    after:   %5 = optc.gelu %x {approximate = "none"}
  }];
  let dependentDialects = ["::optc::OptcDialect"];
}

def RecognizeSoftmax : Pass<"recognize-softmax", "::mlir::func::FuncOp"> {
  let summary = "Forms softmax out of exp, sum and div";
  let description = [{
    before:  %e = optc.exp (%x - max %x);  %y = optc.div %e, (sum %e)
    after:   %y = optc.softmax %x
  }];
  let dependentDialects = ["::optc::OptcDialect"];
}

def RecognizeNormalize : Pass<"recognize-normalize", "::mlir::func::FuncOp"> {
  let summary = "Forms normalize out of means, squares and roots";
  let description = [{
    before:  %c = %x - mean %x;  %y = %c / sqrt(mean(%c * %c) + epsilon) * %scale + %bias
    after:   %y = optc.normalize %x scale %scale bias %bias {kind = "layer"}
  }];
  let dependentDialects = ["::optc::OptcDialect"];
}

def EqualizeLayers : Pass<"equalize-layers", "::mlir::func::FuncOp"> {
  let summary = "Factors from a layer's output channels to the layer that reads them, so that channels have like ranges";
  let description = [{
    before:  %1 = optc.max (optc.conv %x, %w), 0;  %2 = optc.conv %1, %v
    after:   %1 = optc.max (optc.conv %x, (%w / s)), 0;  %2 = optc.conv %1, (%v * s)
    s is a power of two a channel: results are the same to the bit.
  }];
  let dependentDialects = ["::optc::OptcDialect"];
}

def SmoothQuant : Pass<"smooth-quant", "::mlir::func::FuncOp"> {
  let summary = "Factors from normalisations to the matrix products that read them, so that channels have like ranges";
  let description = [{
    before:  %1 = optc.normalize %x scale %g bias %b {optc.channel_max = ...};  %2 = optc.contract %1, %w
    after:   %1 = optc.normalize %x scale (%g / s) bias (%b / s);  %2 = optc.contract %1, (%w * s)
    s is a power of two a channel: results are the same to the bit.
  }];
  let options = [Option<"alpha", "alpha", "double", "0.5", "share of the activations' range that goes to the weights">];
  let dependentDialects = ["::optc::OptcDialect"];
}

def InsertQuantization : Pass<"insert-quantization", "::mlir::func::FuncOp"> {
  let summary = "quantize and dequantize around convolutions and matrix products whose ranges are known";
  let description = [{
    before:  %1 = optc.max %x, %0 {optc.range = array<f64: 0.0, 2.55>};  %2 = optc.conv %1, %w
    after:   %q = optc.quantize %1, 0.01, 0 : ui8;  %v = optc.quantize %w, (max |%w| / 127) : i8
             %2 = optc.conv (optc.dequantize %q, ...), (optc.dequantize %v, ...)
    `optc.keep_float` on a layer says why it is left alone, as does `optc.faster_in_float`, `optc.weights_only` why only its weights become codes.
  }];
  let options = [Option<"dynamic", "dynamic", "bool", "false", "matrix products take unknown ranges from their operands when they run">];
  let dependentDialects = ["::optc::OptcDialect"];
}

def ChoosePrecision : Pass<"choose-precision", "::mlir::func::FuncOp"> {
  let summary = "Layers that 8 bits are estimated not to gain for stay in f32, or have 8 bits in their weights alone";
  let description = [{
    before:  %y = optc.conv %x, %w {groups = 32};  %z = optc.contract %r, %v
    after:   %y = optc.conv %x, %w {groups = 32, optc.faster_in_float = "f32 is estimated to be faster ..."}
             %z = optc.contract %r, %v {optc.weights_only = "..."}
  }];
  let options = [ListOption<"levels", "levels", "std::string", "what the CPU levels of the artefact compute with: sse, avx2, ...">];
  let dependentDialects = ["::optc::OptcDialect"];
}

def SwitchQuantization : Pass<"switch-quantization", "::mlir::func::FuncOp"> {
  let summary = "What insert-quantization would lower, both ways, under bool inputs";
  let description = [{
    before:  @main(%x) { %y = optc.conv %x, %w }
    after:   @main(%x, %s0, %s1) { %a = optc.select %s0, (%x by way of ui8), %x
                                   %y = optc.select %s1, (optc.conv %a, (%w by way of i8)), (optc.conv %a, %w) }
    A switch for each tensor, then one for each layer: one compiled model shows every choice of layers.
  }];
  let options = [Option<"dynamic", "dynamic", "bool", "false", "matrix products take unknown ranges from their operands when they run">];
  let dependentDialects = ["::optc::OptcDialect"];
}

def LowerGatherND : Pass<"lower-gather-nd", "::mlir::func::FuncOp"> {
  let summary = "Index tuples become one index";
  let description = [{
    before:  %y = optc.gather_nd %x, %tuples
    after:   %y = optc.gather (optc.reshape %x), (%tuples[.., 0] * B + %tuples[.., 1]) {axis = 0}
  }];
  let dependentDialects = ["::optc::OptcDialect"];
}

def LowerAttention : Pass<"lower-attention", "::mlir::func::FuncOp"> {
  let summary = "Attention as products and a softmax, where GPUs have no kernel of it";
  let description = [{
    before:  %y = optc.attention %q, %k, %v
    after:   %s = optc.contract %q, %k; %p = optc.softmax (scale * %s); %y = optc.contract %p, %v
  }];
  let options = [Option<"bfloat", "bfloat", "bool", "false", "attention of f32 is to be one of bf16">];
  let dependentDialects = ["::optc::OptcDialect"];
}

def ConvertLayout : Pass<"convert-layout", "::mlir::func::FuncOp"> {
  let summary = "Convolutions and what is around them in channels-last";
  let description = [{
    before:  %y = optc.conv %x, %w {layout = "nchw"}
    after:   %a = optc.transpose %x [0, 2, 3, 1];  %b = optc.conv %a, %v {layout = "nhwc"};  %y = optc.transpose %b [0, 3, 1, 2]
    Transposes remain only where the layouts meet.
  }];
  let dependentDialects = ["::optc::OptcDialect"];
}

def LowerConvTranspose : Pass<"lower-conv-transpose", "::mlir::func::FuncOp"> {
  let summary = "Transposed convolutions as convolutions whose channels are the phases of the stride";
  let description = [{
    before:  %y = optc.conv_transpose %x, %w {strides = [2, 2]} : [N, C, H, W] -> [N, O, 2*H, 2*W]
    after:   %c = optc.conv (transpose %x), (taps of %w by phases) {nhwc} : [N, H, W, C] -> [N, H+1, W+1, 4*O]
             %y = transpose (slice (phases of %c woven into rows and columns))
    What follows with one number a channel goes before the weaving. Groups and dilation stay library steps.
  }];
  let dependentDialects = ["::optc::OptcDialect"];
}

def LowerRecurrent : Pass<"lower-recurrent", "::mlir::func::FuncOp"> {
  let summary = "Recurrent layers as a matrix product over all steps and a kernel with the recurrence";
  let description = [{
    before:  %y, %h, %c = optc.recurrent(%x w %w r %r)
    after:   %a = optc.contract %x, (pack of %w)
             %y, %h, %c = optc.kernel "recurrent" (%a, pack of %r) { optc.recurrent(unpack of %a r (unpack of %r)) }
    The two directions of a layer share both. What is not f32, or has sizes that are not known to fit, stays a library step.
  }];
  let dependentDialects = ["::optc::OptcDialect"];
}

def NormalizeContractions : Pass<"normalize-contractions", "::mlir::func::FuncOp"> {
  let summary = "Matrix products and 1x1 convolutions as [b,m,k] x [b,k,n]";
  let description = [{
    before:  %y = optc.contract %x, %w {lhs_contract = [2], rhs_contract = [0]} : 1x128x768, 768x3072
    after:   %a = optc.reshape %x : 128x768;  %b = optc.contract %a, %w;  %y = optc.reshape %b : 1x128x3072
  }];
  let dependentDialects = ["::optc::OptcDialect"];
}

def CompressWeights : Pass<"compress-weights", "::mlir::func::FuncOp"> {
  let summary = "Weights of matrix products and tables of gathers in fewer bits, as panels";
  let description = [{
    before:  %1 = optc.contract %x, %w;  %2 = optc.gather %table, %i
    after:   %1 = optc.contract %x, (unpack of %codes, %scales);  %2 = optc.kernel "loops" (%i, %codes2, %scales2) { unpack; gather }
    What the model has in few bits (dequantize of 8 bits or fewer, cast of f16, bf16 or floats of 8 bits) stays so; f32 is lowered to `format`.
  }];
  let options = [Option<"format", "format", "std::string", "", "int4, int8, bf16, f16, f8; empty: f32 stays f32">,
                 Option<"block", "block", "int64_t", "0", "k's that share a scale (0: 32 of int4, 128 of int8)">,
                 Option<"spreadsMasks", "spreads-masks", "bool", "false", "every CPU spreads codes by masks in registers">,
                 Option<"spreadsTwoOfFour", "spreads-two-of-four", "bool", "false", "every CPU spreads 2 codes of 4 in registers">,
                 Option<"gpu", "gpu", "bool", "false", "rows, as a GPU's kernels read them">];
  let dependentDialects = ["::optc::OptcDialect"];
}

def FormContractions : Pass<"form-contractions", "::mlir::func::FuncOp"> {
  let summary = "Kernels around matrix products and convolutions, with packed weights and epilogues";
  let description = [{
    before:  %1 = optc.contract %x, %w;  %2 = optc.add %1, %bias
    after:   %p = optc.transpose (pack of %w);  %2 = optc.kernel "matmul" (%x, %p, %bias) { ... }
    For a GPU weights stay as they are, and products of 16-bit floats are kernels too.
  }];
  let options = [
    Option<"gpu", "gpu", "bool", "false", "For a GPU">,
  ];
  let dependentDialects = ["::optc::OptcDialect"];
}

def FormRowKernels : Pass<"form-row-kernels", "::mlir::func::FuncOp"> {
  let summary = "Fuses reductions along a dim and the elementwise ops around them";
  let description = [{
    before:  %1 = optc.add %x, %r;  %2 = optc.softmax %1
    after:   %2 = optc.kernel "rows" (%x, %r) { add; reduce max; sub; exp; reduce sum; div; optc.yield }
    softmax and normalize are taken apart inside the kernel; a value that is needed outside becomes a result.
  }];
  let options = [
    Option<"gpu", "gpu", "bool", "false", "For a GPU, which has more bodies">,
  ];
  let dependentDialects = ["::optc::OptcDialect"];
}

def MergeDuplicates : Pass<"merge-duplicates"> {
  let summary = "Common subexpression elimination that fuses the locations of what it merges";
  let description = [{
    before:  %1 = optc.exp %x loc("a");  %2 = optc.exp %x loc("b")
    after:   %1 = optc.exp %x loc(fused["a", "b"])
  }];
}

def FormLibraryKernels : Pass<"form-library-kernels", "::mlir::func::FuncOp"> {
  let summary = "Kernels of sorts, scans and scatters, for which GPUs have functions";
  let description = [{
    before:  %y = optc.nonzero %x
    after:   %y = optc.kernel "library" (%x) { %y = optc.nonzero; optc.yield %y }
    On types that have no function the op stays a library step.
  }];
  let dependentDialects = ["::optc::OptcDialect"];
}

def FormKernels : Pass<"form-kernels", "::mlir::func::FuncOp"> {
  let summary = "Fuses ops into optc.kernel regions";
  let description = [{
    before:  %1 = optc.add %x, %y;  %2 = optc.exp %1
    after:   %2 = optc.kernel "loops" (%x, %y) { %1 = optc.add; %2 = optc.exp; optc.yield %2 }
    What no generator can emit stays outside and becomes a library step.
  }];
  let options = [
    Option<"gpu", "gpu", "bool", "false", "For a GPU, which has more bodies">,
  ];
  let dependentDialects = ["::optc::OptcDialect"];
}

def CollapseDims : Pass<"collapse-dims", "::mlir::func::FuncOp"> {
  let summary = "Merges neighbouring dims that every op of a kernel treats alike, and drops dims of size 1";
  let description = [{
    before:  optc.kernel "loops" (%x, %b) : (tensor<1x64x56x56xf32>, tensor<64x1x1xf32>)
    after:   optc.kernel "loops" (reshape %x, reshape %b) : (tensor<64x3136xf32>, tensor<64x1xf32>)
    Fewer, longer loops; the reshapes outside are views.
  }];
  let dependentDialects = ["::optc::OptcDialect"];
}

def ReuseInPlace : Pass<"reuse-in-place", "::mlir::func::FuncOp"> {
  let summary = "Results in the memory of operands that are read for the last time";
  let description = [{
    before:  %y = optc.kernel "matmul"(%x, %w, %residual) {...}
    after:   %y = optc.kernel "matmul"(%x, %w, %residual) {optc.in_place = array<i64: 2>} {...}
    One entry a result: the operand whose memory it takes, or -1.
  }];
  let dependentDialects = ["::optc::OptcDialect"];
}
#endif
