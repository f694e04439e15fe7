//===- Recurrent.cpp - LSTM, GRU, RNN --------------------------------------===//
//
// One `optc.recurrent` a direction, whose results are stacked:
//
//   LSTM(x[T,B,I], w[2,4H,I], ...)  ⇒  concat (unsqueeze forward), (unsqueeze reverse) : [T,2,B,H]
//
//===----------------------------------------------------------------------===//

#include "frontend/Quantize.h"
#include "frontend/Registry.h"

using namespace mlir;
using namespace optc;

namespace {

/// Row `d` of a parameter whose first dim is the direction; null stays null.
Value direction(Node &n, Value parameter, int64_t d, int64_t directions) {
  if (!parameter)
    return parameter;
  n.expect(n.rank(parameter) >= 2 && dimsMayMatch(n.dims(parameter)[0], DimExpr(directions)),
           "a parameter's first dim must be the number of directions");
  return n.squeeze(n.slice(parameter, 0, d, 1), {0});
}

/// Alpha and beta of an activation when the model gives none.
std::pair<double, double> defaults(StringRef activation) {
  return llvm::StringSwitch<std::pair<double, double>>(activation)
      .Case("leakyrelu", {0.01, 0})
      .Case("elu", {1, 0})
      .Case("hardsigmoid", {0.2, 0.5})
      .Case("thresholdedrelu", {1, 0})
      .Case("scaledtanh", {1, 1})
      .Case("affine", {1, 0})
      .Default({0, 0});
}

/// `w` [directions, gates * H, I] and `r` [directions, gates * H, H] are ONNX's W and R.
Results recurrent(Node &n, StringRef cell, int64_t gates, ArrayRef<StringRef> standard, Value w, Value r) {
  std::string way = n.text("direction", "forward");
  n.expect(way == "forward" || way == "reverse" || way == "bidirectional", "unknown direction '" + way + "'");
  int64_t directions = way == "bidirectional" ? 2 : 1;
  bool batchFirst = n.flag("layout");
  Value x = n[0];
  n.expect(n.rank(x) == 3 && n.rank(w) == 3 && n.rank(r) == 3, "X, W and R must have rank 3");
  if (batchFirst)
    x = n.transpose(x, {1, 0, 2});
  int64_t hidden = n.integer("hidden_size", 0);
  n.expect(hidden == 0 || dimsMayMatch(n.dims(r)[2], DimExpr(hidden)),
           "hidden_size differs from R's last dim");
  n.expect(dimsMayMatch(n.dims(w)[1], n.dims(r)[2] * DimExpr(gates)),
           "W's second dim is not " + Twine(gates) + " times the hidden size");

  auto names = n.texts("activations");
  auto alphas = n.numbers("activation_alpha"), betas = n.numbers("activation_beta");
  size_t kinds = standard.size();
  n.expect(names.empty() || names.size() == kinds * directions,
           "expected " + Twine(kinds) + " activations a direction");
  // Given alphas and betas belong, in order, to the activations that take one.
  size_t nextAlpha = 0, nextBeta = 0;
  Results y, h, c;
  for (int64_t d = 0; d < directions; ++d) {
    SmallVector<Attribute> functions;
    SmallVector<double> alpha, beta;
    for (size_t k = 0; k < kinds; ++k) {
      std::string name = names.empty() ? standard[k].str() : StringRef(names[d * kinds + k]).lower();
      auto [a, b] = defaults(name);
      bool takesAlpha = a != 0, takesBeta = llvm::is_contained({"hardsigmoid", "scaledtanh", "affine"}, name);
      if (takesAlpha && nextAlpha < alphas.size())
        a = alphas[nextAlpha++];
      if (takesBeta && nextBeta < betas.size())
        b = betas[nextBeta++];
      functions.push_back(n.b.getStringAttr(name));
      alpha.push_back(a);
      beta.push_back(b);
    }
    auto initial = [&](size_t i) {
      Value v = n.optional(i);
      if (v && batchFirst)
        v = n.transpose(v, {1, 0, 2});
      return direction(n, v, d, directions);
    };
    bool isLstm = cell == "lstm", reverse = way == "reverse" || d == 1;
    Value lengths = n.optional(4);
    auto op = n.op<RecurrentOp>(
        x, direction(n, w, d, directions), direction(n, r, d, directions),
        direction(n, n.optional(3), d, directions), lengths, initial(5), isLstm ? initial(6) : Value(),
        isLstm ? direction(n, n.optional(7), d, directions) : Value(), cell, reverse,
        n.b.getArrayAttr(functions), alpha, beta, llvm::APFloat(n.number("clip", 0)),
        isLstm && n.flag("input_forget"), cell == "gru" && n.flag("linear_before_reset"));
    y.push_back(op.getY());
    h.push_back(op.getH());
    c.push_back(op.getC());
  }
  // y: [T, directions, B, H], with layout [B, T, directions, H]; h, c: [directions, B, H], with layout [B,
  // directions, H]
  auto stack = [&](ArrayRef<Value> values, int64_t axis) {
    SmallVector<Value> parts;
    for (Value v : values)
      parts.push_back(n.unsqueeze(v, {axis}));
    return n.concat(parts, axis);
  };
  Value all = stack(y, 1), last = stack(h, 0), cells = stack(c, 0);
  if (batchFirst) {
    all = n.transpose(all, {2, 0, 1, 3});
    last = n.transpose(last, {1, 0, 2});
    cells = n.transpose(cells, {1, 0, 2});
  }
  return {all, last, cells};
}

Results lstm(Node &n) { return recurrent(n, "lstm", 4, {"sigmoid", "tanh", "tanh"}, n[1], n[2]); }
Results gru(Node &n) { return recurrent(n, "gru", 3, {"sigmoid", "tanh"}, n[1], n[2]); }
Results rnn(Node &n) { return recurrent(n, "rnn", 1, {"tanh"}, n[1], n[2]); }

/// Weights of operand i, codes [directions, I, 4 * H] with a scale and a zero point for each direction or each column of it, as LSTM has them.
Value dequantizedWeights(Node &n, size_t i, size_t scale) {
  Value codes = n[i];
  n.expect(n.rank(codes) == 3, "W and R must have rank 3");
  Dims dims = n.dims(codes), own{dims[0], 1, dims[2]};
  auto perColumn = [&](Value v) {
    bool isColumns = n.rank(v) == 2;
    n.expect((isColumns || n.rank(v) == 1) && dimsMayMatch(n.dims(v)[0], dims[0]) && (!isColumns || dimsMayMatch(n.dims(v)[1], dims[2])),
             "a scale or zero point must be [directions] or [directions, 4 * hidden_size]");
    return n.broadcast(n.reshape(v, {dims[0], 1, isColumns ? dims[2] : DimExpr(1)}), own);
  };
  Value w = dequantize(n, codes, perColumn(n[scale]), perColumn(n[scale + 1]), n.f32(), 1);
  return n.transpose(w, {0, 2, 1});
}

/// The products compute in f32, where ONNX Runtime rounds what they read to bytes in each step.
Results dynamicQuantizeLstm(Node &n) {
  return recurrent(n, "lstm", 4, {"sigmoid", "tanh", "tanh"}, dequantizedWeights(n, 1, 8), dequantizedWeights(n, 2, 10));
}

} // namespace

void optc::registerRecurrent(Registry &r) {
  r.domain = "";
  r.add("GRU", 7, gru);
  r.add("LSTM", 7, lstm);
  r.add("RNN", 7, rnn);
  r.domain = "com.microsoft";
  r.add("DynamicQuantizeLSTM", 1, dynamicQuantizeLstm);
}
