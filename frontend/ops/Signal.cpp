//===- Signal.cpp - Fourier transforms, determinants -----------------------===//
//
//   STFT(x[B,L,1], step, window, length)  ⇒  dft ((gather x at frame*step + i) * window)
//
//===----------------------------------------------------------------------===//

#include "frontend/Branches.h"
#include "frontend/Registry.h"

using namespace mlir;
using namespace optc;

namespace {

Value dft(Node &n, Value x, int64_t axis, const DimExpr &length, bool inverse, bool onesided) {
  Dims out = n.dims(x);
  out[axis] = onesided && !inverse ? DimExpr::floordiv(length, 2) + DimExpr(1) : length;
  out.back() = onesided && inverse ? DimExpr(1) : DimExpr(2);
  return n.makeAs<DftOp>(tensorType(out, elementOf(x)), x, axis,
                         DimsAttr::get(n.context(), ArrayRef<DimExpr>(length)), inverse, onesided);
}

Results importDft(Node &n, int64_t axis) {
  Value x = n[0];
  bool inverse = n.flag("inverse"), onesided = n.flag("onesided");
  n.expect(n.rank(x) >= 2, "expected rank 2 or more");
  axis = n.axis(axis, n.rank(x));
  n.expect(axis != n.rank(x) - 1, "the last axis holds the complex numbers");
  DimExpr length = n.dims(x)[axis];
  if (inverse && onesided)
    length = (length - DimExpr(1)) * DimExpr(2);
  if (Value given = n.optional(1)) {
    Dims list = n.elements(given);
    n.expect(list.size() == 1, "dft_length must be one number");
    length = list[0];
  }
  return {dft(n, x, axis, length, inverse, onesided)};
}
Results dftByAttribute(Node &n) { return importDft(n, n.integer("axis", 1)); }
Results dftByInput(Node &n) {
  if (!n.optional(2))
    return importDft(n, -2);
  return withAxes(
      n, n[2], n.rank(n[0]), [](Node &n, ArrayRef<int64_t> axis) { return importDft(n, axis[0]); },
      [&](ArrayRef<int64_t> axis) { return axis[0] != n.rank(n[0]) - 1; });
}

Results stft(Node &n) {
  Value x = n[0], window = n.optional(2);
  Dims d = n.dims(x), step = n.elements(n[1]);
  if (d.size() == 2) {
    x = n.unsqueeze(x, {2});
    d = n.dims(x);
  }
  n.expect(d.size() == 3 && step.size() == 1, "expected a signal of rank 3 and one frame_step");
  DimExpr length = window ? n.dims(window)[0] : d[1];
  if (Value given = n.optional(3)) {
    Dims list = n.elements(given);
    n.expect(list.size() == 1, "frame_length must be one number");
    length = list[0];
  }
  DimExpr frames = DimExpr::floordiv(d[1] - length, step[0]) + DimExpr(1);
  Dims grid{frames, length};
  Type index = tensorType(grid, n.i64());
  Value by = n.broadcast(n.fromDims(step, RankedTensorType::get({}, n.i64())), grid);
  Value at = n.make<AddOp>(n.make<MulOp>(n.makeAs<IotaOp>(index, 0), by), n.makeAs<IotaOp>(index, 1));
  Value framed = n.make<GatherOp>(x, at, 1); // [B, frames, length, 1 or 2]
  if (window)
    framed = n.make<MulOp>(framed, n.alongAxis(window, framed, 2));
  return {dft(n, framed, 2, length, false, n.flag("onesided", true))};
}

Results melWeightMatrix(Node &n) {
  Dims bins = n.elements(n[0]), length = n.elements(n[1]);
  n.expect(bins.size() == 1 && length.size() == 1, "num_mel_bins and dft_length must be scalars");
  Type type = tensorType({DimExpr::floordiv(length[0], 2) + DimExpr(1), bins[0]},
                         n.element(n.integer("output_datatype", 1)));
  return {n.makeAs<MelWeightMatrixOp>(type, n[2], n[3], n[4], DimsAttr::get(n.context(), length))};
}

Results det(Node &n) { return {n.make<DetOp>(n[0])}; }

} // namespace

void optc::registerSignal(Registry &r) {
  r.domain = "";
  r.add("DFT", 17, dftByAttribute);
  r.add("DFT", 20, dftByInput);
  r.add("Det", 11, det);
  r.add("MelWeightMatrix", 17, melWeightMatrix);
  r.add("STFT", 17, stft);
}
