//===- Recurrent.cpp - lstm, gru and rnn layers ---------------------------===//
//
// One direction over time, after https://onnx.ai/onnx/operators/onnx__LSTM.html and its neighbours. The
// products with the input are made for all steps at once; a step adds those with the state.
//
//===----------------------------------------------------------------------===//

#include "runtime/reference/Blocks.h"
#include "runtime/reference/MatrixProduct.h"
#include <cmath>

using namespace optc;

namespace {
struct Activation {
  enum Kind {
    relu,
    tanh,
    sigmoid,
    affine,
    leakyRelu,
    thresholdedRelu,
    scaledTanh,
    hardSigmoid,
    elu,
    softsign,
    softplus
  };
  Kind kind;
  double alpha, beta;

  double operator()(double x) const {
    switch (kind) {
    case relu:
      return x < 0 ? 0 : x;
    case tanh:
      return std::tanh(x);
    case sigmoid:
      return 1 / (1 + std::exp(-x));
    case affine:
      return alpha * x + beta;
    case leakyRelu:
      return x < 0 ? alpha * x : x;
    case thresholdedRelu:
      return x < alpha ? 0 : x;
    case scaledTanh:
      return alpha * std::tanh(beta * x);
    case hardSigmoid:
      return std::fmin(std::fmax(alpha * x + beta, 0), 1);
    case elu:
      return x < 0 ? alpha * std::expm1(x) : x;
    case softsign:
      return x / (1 + std::fabs(x));
    case softplus:
      return (x > 0 ? x : 0) + std::log1p(std::exp(-std::fabs(x)));
    }
    return x;
  }
};

struct Cell {
  int64_t steps, batch, inputs, hidden, gates;
  std::vector<Activation> activations;
  double clip;
  bool inputForget, resetAfter;
  std::vector<double> turnedR;      // [H, G*H]
  std::vector<double> biasW, biasR; // [G*H]
  std::vector<double> peephole;     // [3*H], empty when absent
  std::vector<double> h, c;         // [B, H]

  double clipped(double x) const { return clip > 0 ? std::fmin(std::fmax(x, -clip), clip) : x; }
};
} // namespace

/// Names as ONNX spells them, in any case and with or without underscores.
static bool parseActivation(const std::string &name, Activation &result) {
  static const struct {
    const char *name;
    Activation defaults;
  } known[] = {{"relu", {Activation::relu, 0, 0}},
               {"tanh", {Activation::tanh, 0, 0}},
               {"sigmoid", {Activation::sigmoid, 0, 0}},
               {"affine", {Activation::affine, 1, 0}},
               {"leakyrelu", {Activation::leakyRelu, 0.01, 0}},
               {"thresholdedrelu", {Activation::thresholdedRelu, 1, 0}},
               {"scaledtanh", {Activation::scaledTanh, 1, 1}},
               {"hardsigmoid", {Activation::hardSigmoid, 0.2, 0.5}},
               {"elu", {Activation::elu, 1, 0}},
               {"softsign", {Activation::softsign, 0, 0}},
               {"softplus", {Activation::softplus, 0, 0}}};
  std::string plain;
  for (char c : name)
    if (c != '_')
      plain += c >= 'A' && c <= 'Z' ? char(c - 'A' + 'a') : c;
  for (const auto &candidate : known)
    if (plain == candidate.name) {
      result = candidate.defaults;
      return true;
    }
  return false;
}

/// Transposes [rows, columns].
static std::vector<double> turned(const Value &x) {
  std::vector<double> from = loadAll<double>(x), to(from.size());
  int64_t rows = x.dims[0], columns = x.dims[1];
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < columns; ++c)
      to[size_t(c * rows + r)] = from[size_t(r * columns + c)];
  return to;
}

/// One step of one batch row: `fromX` and `fromH` are the products of the gates (biases added).
static void stepLstm(Cell &cell, int64_t b, const double *fromX, const double *fromH) {
  int64_t n = cell.hidden;
  for (int64_t i = 0; i < n; ++i) {
    double &c = cell.c[size_t(b * n + i)];
    auto gate = [&](int64_t g) { return fromX[g * n + i] + fromH[g * n + i]; };
    auto peep = [&](int64_t g, double state) {
      return cell.peephole.empty() ? 0 : cell.peephole[size_t(g * n + i)] * state;
    };
    double input = cell.activations[0](cell.clipped(gate(0) + peep(0, c)));
    double forget = cell.inputForget ? 1 - input : cell.activations[0](cell.clipped(gate(2) + peep(2, c)));
    double candidate = cell.activations[1](cell.clipped(gate(3)));
    c = forget * c + input * candidate;
    double output = cell.activations[0](cell.clipped(gate(1) + peep(1, c)));
    cell.h[size_t(b * n + i)] = output * cell.activations[2](c);
  }
}

static void stepGru(Cell &cell, int64_t b, const double *fromX, const double *fromH) {
  int64_t n = cell.hidden;
  double *h = cell.h.data() + b * n;
  std::vector<double> update(static_cast<size_t>(n)), reset(static_cast<size_t>(n)),
      candidate(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i) {
    update[size_t(i)] = cell.activations[0](cell.clipped(fromX[i] + fromH[i]));
    reset[size_t(i)] = cell.activations[0](cell.clipped(fromX[n + i] + fromH[n + i]));
  }
  if (cell.resetAfter) {
    for (int64_t i = 0; i < n; ++i)
      candidate[size_t(i)] = fromX[2 * n + i] + reset[size_t(i)] * fromH[2 * n + i];
  } else {
    for (int64_t i = 0; i < n; ++i)
      candidate[size_t(i)] = fromX[2 * n + i] + cell.biasR[size_t(2 * n + i)];
    for (int64_t k = 0; k < n; ++k)
      for (int64_t i = 0; i < n; ++i)
        candidate[size_t(i)] += reset[size_t(k)] * h[k] * cell.turnedR[size_t(k * 3 * n + 2 * n + i)];
  }
  for (int64_t i = 0; i < n; ++i) {
    double value = cell.activations[1](cell.clipped(candidate[size_t(i)]));
    h[i] = (1 - update[size_t(i)]) * value + update[size_t(i)] * h[i];
  }
}

static void stepRnn(Cell &cell, int64_t b, const double *fromX, const double *fromH) {
  for (int64_t i = 0; i < cell.hidden; ++i)
    cell.h[size_t(b * cell.hidden + i)] = cell.activations[0](cell.clipped(fromX[i] + fromH[i]));
}

/// Operands are x, w (absent: x is the product with it), r, bias, lengths, h0, c0, peephole.
static Status readCell(Call &call, Cell &cell, const std::string &kind) {
  const Value &x = call.in(0), &r = call.in(2);
  OPTC_TRY(expectRank(x, 3, "x"));
  if (call.has(1))
    OPTC_TRY(expectRank(call.in(1), 2, "w"));
  OPTC_TRY(expectRank(r, 2, "r"));
  for (size_t i = 0; i < call.inputs.size(); ++i)
    if (call.has(i) && i != 4 && classOf(call.in(i).type) != Class::f64)
      return unsupported("recurrent", call.in(i).type);
  cell.steps = x.dims[0];
  cell.batch = x.dims[1];
  cell.inputs = x.dims[2];
  cell.hidden = r.dims[1];
  cell.gates = kind == "lstm" ? 4 : kind == "gru" ? 3 : 1;
  int64_t rows = cell.gates * cell.hidden;
  if (call.has(1))
    OPTC_TRY(expectShape(call.in(1), {rows, cell.inputs}, "w"));
  else
    OPTC_TRY(expectShape(x, {cell.steps, cell.batch, rows}, "x"));
  OPTC_TRY(expectShape(r, {rows, cell.hidden}, "r"));
  if (call.has(3))
    OPTC_TRY(expectShape(call.in(3), {2 * rows}, "bias"));
  if (call.has(4))
    OPTC_TRY(expectShape(call.in(4), {cell.batch}, "lengths"));
  for (size_t i : {5, 6})
    if (call.has(i))
      OPTC_TRY(expectShape(call.in(i), {cell.batch, cell.hidden}, "the initial state"));
  if (call.has(7))
    OPTC_TRY(expectShape(call.in(7), {3 * cell.hidden}, "peephole"));

  static const std::vector<std::string> usual[] = {
      {"tanh"}, {"sigmoid", "tanh"}, {"sigmoid", "tanh", "tanh"}};
  size_t needed = kind == "lstm" ? 3 : kind == "gru" ? 2 : 1;
  const auto &given = call.attributes.texts("activations");
  const auto &names = given.empty() ? usual[needed - 1] : given;
  if (names.size() < needed)
    return Status::error("expected " + std::to_string(needed) + " activations");
  const auto &alpha = call.attributes.numbers("alpha"), &beta = call.attributes.numbers("beta");
  for (size_t i = 0; i < needed; ++i) {
    Activation activation{};
    if (!parseActivation(names[i], activation))
      return Status::error("unknown activation '" + names[i] + "'");
    if (i < alpha.size())
      activation.alpha = alpha[i];
    if (i < beta.size())
      activation.beta = beta[i];
    cell.activations.push_back(activation);
  }
  cell.clip = call.attributes.number("clip");
  cell.inputForget = call.attributes.integer("input_forget");
  cell.resetAfter = call.attributes.integer("reset_after");
  cell.turnedR = turned(r);
  cell.biasW.assign(size_t(rows), 0);
  cell.biasR.assign(size_t(rows), 0);
  if (call.has(3) && rows) {
    load(call.in(3), 0, rows, cell.biasW.data());
    load(call.in(3), rows, rows, cell.biasR.data());
  }
  if (call.has(7))
    cell.peephole = loadAll<double>(call.in(7));
  size_t states = size_t(cell.batch * cell.hidden);
  cell.h = call.has(5) ? loadAll<double>(call.in(5)) : std::vector<double>(states, 0);
  cell.c = call.has(6) ? loadAll<double>(call.in(6)) : std::vector<double>(states, 0);
  return Status::success();
}

static Status recurrent(Call &call) {
  OPTC_TRY(expectTensors(call, 1));
  if (!call.has(2))
    return Status::error("operand 2 is absent");
  if (call.outputs.size() < 3)
    return Status::error("expected 3 results");
  const std::string &kind = call.attributes.text("cell");
  Cell cell;
  OPTC_TRY(readCell(call, cell, kind));
  int64_t n = cell.hidden, rows = cell.gates * n, batch = cell.batch;
  std::vector<int64_t> lengths(size_t(batch), cell.steps);
  if (call.has(4))
    lengths = loadAll<int64_t>(call.in(4));
  for (int64_t length : lengths)
    if (length < 0 || length > cell.steps)
      return Status::error("length " + std::to_string(length) + " is out of range for " +
                           std::to_string(cell.steps) + " steps");
  OPTC_TRY(call.allocate(0, {cell.steps, batch, n}));
  OPTC_TRY(call.allocate(1, {batch, n}));
  OPTC_TRY(call.allocate(2, {batch, n}));
  clear(call.outputs[0]);
  auto step = kind == "lstm" ? stepLstm : kind == "gru" ? stepGru : stepRnn;

  std::vector<double> fromX(size_t(cell.steps * batch * rows)), fromH(size_t(batch * rows));
  for (int64_t i = 0; i < cell.steps * batch; ++i)
    std::copy(cell.biasW.begin(), cell.biasW.end(), fromX.begin() + i * rows);
  std::vector<double> x = loadAll<double>(call.in(0));
  if (call.has(1))
    multiplyAdd(x.data(), turned(call.in(1)).data(), fromX.data(), cell.steps * batch, cell.inputs, rows);
  else
    for (size_t i = 0; i < fromX.size(); ++i)
      fromX[i] += x[i];
  bool reverse = call.attributes.integer("reverse");
  for (int64_t s = 0; s < cell.steps; ++s) {
    for (int64_t b = 0; b < batch; ++b)
      std::copy(cell.biasR.begin(), cell.biasR.end(), fromH.begin() + b * rows);
    multiplyAdd(cell.h.data(), cell.turnedR.data(), fromH.data(), batch, n, rows);
    for (int64_t b = 0; b < batch; ++b) {
      if (s >= lengths[size_t(b)])
        continue; // padding: the state stays, y is 0
      int64_t t = reverse ? lengths[size_t(b)] - 1 - s : s;
      step(cell, b, fromX.data() + (t * batch + b) * rows, fromH.data() + b * rows);
      store(call.outputs[0], (t * batch + b) * n, n, cell.h.data() + b * n);
    }
  }
  storeAll(call.outputs[1], cell.h);
  storeAll(call.outputs[2], kind == "lstm" ? cell.c : cell.h);
  return Status::success();
}

void optc::registerRecurrent(ReferenceTable &table) { table["recurrent"] = recurrent; }
