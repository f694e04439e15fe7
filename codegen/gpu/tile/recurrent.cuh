//===- recurrent.cuh - LSTM, GRU and RNN, a step a launch -------*- CUDA -*-===//
//
// A launch makes one step of all directions and rows of the batch; the next one reads the state that it has left. (A GRU that resets the state
// before the candidate's product takes two launches a step.) A block computes kUnits units of kRows rows:
//
//   sums[row][gate][unit] = h[row] * weights[gate][unit]       each thread 4 columns of every n-th k, then all of them added in order
//   gates, new c and h, y                                      a thread a row and unit
//
// Layouts are those of codegen/kernel/Recurrent.h: x [steps, batch, directions, panels, gates, 16], weights [directions, panels, hidden, gates, 16],
// states [directions, batch, hidden], y [steps, directions, batch, hidden]. The workspace has two h (a step reads one and writes the other), c, and
// for two products the update gate and the reset state. A row past its length keeps its state, and its y is 0.
//
// The launch: 256 threads, a block for each direction, kUnits units and kRows rows.
//
//===----------------------------------------------------------------------===//

// The functions of gates and states, as ONNX names them.
struct GateRelu {
  float alpha, beta;
  __device__ float operator()(float x) const { return x < 0 ? 0 : x; }
};
struct GateTanh {
  float alpha, beta;
  __device__ float operator()(float x) const { return tanhf(x); }
};
struct GateSigmoid {
  float alpha, beta;
  __device__ float operator()(float x) const { return 1 / (1 + expf(-x)); }
};
struct GateAffine {
  float alpha, beta;
  __device__ float operator()(float x) const { return fmaf(x, alpha, beta); }
};
struct GateLeakyRelu {
  float alpha, beta;
  __device__ float operator()(float x) const { return x < 0 ? alpha * x : x; }
};
struct GateThresholdedRelu {
  float alpha, beta;
  __device__ float operator()(float x) const { return x < alpha ? 0 : x; }
};
struct GateScaledTanh {
  float alpha, beta;
  __device__ float operator()(float x) const { return alpha * tanhf(beta * x); }
};
struct GateHardSigmoid {
  float alpha, beta;
  __device__ float operator()(float x) const { return fminf(fmaxf(fmaf(x, alpha, beta), 0), 1); }
};
struct GateElu {
  float alpha, beta;
  __device__ float operator()(float x) const { return x < 0 ? alpha * expm1f(x) : x; }
};
struct GateSoftsign {
  float alpha, beta;
  __device__ float operator()(float x) const { return x / (1 + fabsf(x)); }
};
struct GateSoftplus {
  float alpha, beta;
  __device__ float operator()(float x) const { return fmaxf(x, 0) + log1pf(expf(-fabsf(x))); }
};

/// What a kernel is given; null: absent. Length: int or i64.
template <typename Length> struct RecurrentOperands {
  const float *x, *weights, *candidateWeights, *resetBias, *peephole;
  const Length *lengths;
  const float *h0, *c0;
  float *y, *lastH, *lastC;
};

enum CellKind { kLstm, kGru, kRnn };

/// kReverse: a bit a direction. Functions: of gates, candidate and state.
template <int kCell, int kDirections, int kReverse, int kHidden, int kRows, int kUnits, bool kResetAfter, bool kInputForget> struct Recurrent {
  static constexpr int kThreads = 256, kPanel = 16, kPanels = (kHidden + kPanel - 1) / kPanel;
  static constexpr int kGates = kCell == kLstm ? 4 : kCell == kGru ? 3 : 1;
  static constexpr bool kTwoProducts = kCell == kGru && !kResetAfter;
  static constexpr int kFirstGates = kTwoProducts ? 2 : kGates; // of the first product
  static constexpr int kPartsOfPanel = kPanel / kUnits;

  struct Shape {
    i64 steps, batch;
  };
  struct Memory {
    float partial[kThreads * 4 * kRows];
    float sums[kRows * kGates * kUnits];
  };
  /// What the block computes.
  struct Place {
    int direction, panel, unit; // unit: of the panel
    i64 row;
  };

  /// memory.sums of a product with `state` ([batch, hidden] of the direction; null: zeros).
  template <int kProductGates> static __device__ void multiply(const float *weights, const float *state, const Place &at, i64 batch, Memory &memory) {
    constexpr int kColumns = kProductGates * kUnits, kVectors = kColumns / 4, kSlices = kThreads / kVectors;
    const int thread = int(threadIdx.x), vector = thread % kVectors, slice = thread / kVectors;
    Vec<float, 4> sum[kRows];
#pragma unroll
    for (int r = 0; r < kRows; ++r)
      sum[r] = splat<4>(0.0f);
    if (state && slice < kSlices) {
      const int column = vector * 4, gate = column / kUnits;
      const float *w = weights + (i64(at.direction * kPanels + at.panel) * kHidden * kProductGates + gate) * kPanel + at.unit + column % kUnits;
      const float *h[kRows];
#pragma unroll
      for (int r = 0; r < kRows; ++r)
        h[r] = state + minimum(at.row + r, batch - 1) * kHidden;
#pragma unroll 4
      for (int k = slice; k < kHidden; k += kSlices) {
        const Vec<float, 4> v = load<4>(w + i64(k) * kProductGates * kPanel);
#pragma unroll
        for (int r = 0; r < kRows; ++r) {
          const float x = h[r][k];
#pragma unroll
          for (int l = 0; l < 4; ++l)
            sum[r][l] = fmaf(x, v[l], sum[r][l]);
        }
      }
    }
    if (slice < kSlices)
#pragma unroll
      for (int r = 0; r < kRows; ++r)
#pragma unroll
        for (int l = 0; l < 4; ++l)
          memory.partial[(slice * kRows + r) * kColumns + vector * 4 + l] = sum[r][l];
    __syncthreads();
    for (int i = thread; i < kRows * kColumns; i += kThreads) {
      float total = 0;
      for (int s = 0; s < kSlices; ++s)
        total += memory.partial[s * kRows * kColumns + i];
      memory.sums[i] = total;
    }
    __syncthreads();
  }

  template <typename Length, typename F, typename G, typename H>
  static __device__ void run(const Shape &s, const RecurrentOperands<Length> &o, float clip, const F &ofGate, const G &ofCandidate, const H &ofState,
                             i8 *workspace, int *error, int launch) {
    __shared__ Memory memory;
    const int partsOfRow = kDirections * kPanels * kPartsOfPanel, part = int(blockIdx.x) % partsOfRow;
    const Place at = {part / (kPanels * kPartsOfPanel), part / kPartsOfPanel % kPanels, part % kPartsOfPanel * kUnits, i64(blockIdx.x) / partsOfRow * kRows};
    const int number = kTwoProducts ? launch / 2 : launch, product = kTwoProducts ? launch % 2 : 0;
    const i64 whole = kDirections * s.batch * kHidden, ofDirection = at.direction * s.batch * kHidden;
    float *states = reinterpret_cast<float *>(workspace);
    float *next = states + number % 2 * whole, *cells = states + 2 * whole;
    float *updates = states + 3 * whole, *resets = states + 4 * whole;
    const float *h = number == 0 ? o.h0 : states + (number + 1) % 2 * whole, *c = number == 0 ? o.c0 : cells;
    const float *stateOfDirection = h ? h + ofDirection : nullptr;
    if (s.steps > 0 && product == 0)
      multiply<kFirstGates>(o.weights, stateOfDirection, at, s.batch, memory);
    if constexpr (kTwoProducts)
      if (s.steps > 0 && product == 1)
        multiply<1>(o.candidateWeights, h ? resets + ofDirection : nullptr, at, s.batch, memory);

    auto clipped = [&](float x) { return clip > 0 ? fminf(fmaxf(x, -clip), clip) : x; };
    for (int i = int(threadIdx.x); i < kRows * kUnits; i += kThreads) {
      const int r = i / kUnits, inside = at.unit + i % kUnits, unit = at.panel * kPanel + inside;
      const i64 row = at.row + r, place = ofDirection + row * kHidden + unit;
      if (unit >= kHidden || row >= s.batch)
        continue;
      const float previous = h ? h[place] : 0.0f;
      float newH = previous, newC = kCell == kLstm && c ? c[place] : 0.0f, y = 0;
      i64 length = s.steps;
      if (o.lengths) {
        length = i64(o.lengths[row]);
        if (length < 0 || length > s.steps)
          *error = 1;
        length = minimum(maximum(length, i64(0)), s.steps);
      }
      const bool isActive = number < length;
      const i64 time = isActive && (kReverse >> at.direction & 1) ? length - 1 - number : number;
      if (isActive) {
        auto fromX = [&](int gate) {
          return o.x[((time * s.batch + row) * kDirections + at.direction) * (kPanels * kGates * kPanel) + (at.panel * kGates + gate) * kPanel + inside];
        };
        auto fromH = [&](int gate) { return memory.sums[(r * (product ? 1 : kFirstGates) + gate) * kUnits + i % kUnits]; };
        if constexpr (kCell == kLstm) {
          auto peep = [&](int gate, float state) {
            return o.peephole ? o.peephole[((at.direction * kPanels + at.panel) * 3 + gate) * kPanel + inside] * state : 0.0f;
          };
          const float old = newC, input = ofGate(clipped(fromX(0) + fromH(0) + peep(0, old)));
          const float forget = kInputForget ? 1 - input : ofGate(clipped(fromX(2) + fromH(2) + peep(2, old)));
          newC = fmaf(forget, old, input * ofCandidate(clipped(fromX(3) + fromH(3))));
          newH = ofGate(clipped(fromX(1) + fromH(1) + peep(1, newC))) * ofState(newC);
        } else if constexpr (kCell == kRnn) {
          newH = ofGate(clipped(fromX(0) + fromH(0)));
        } else if (product == 0) {
          const float update = ofGate(clipped(fromX(0) + fromH(0))), reset = ofGate(clipped(fromX(1) + fromH(1)));
          if constexpr (kTwoProducts) {
            updates[place] = update;
            resets[place] = reset * previous;
          } else {
            const float bias = o.resetBias ? o.resetBias[(at.direction * kPanels + at.panel) * kPanel + inside] : 0.0f;
            const float candidate = ofCandidate(clipped(fmaf(reset, fromH(2) + bias, fromX(2))));
            newH = fmaf(update, previous - candidate, candidate);
          }
        } else {
          const float candidate = ofCandidate(clipped(fromX(2) + fromH(0)));
          newH = fmaf(updates[place], previous - candidate, candidate);
        }
        y = newH;
      } else if (kTwoProducts && product == 0) {
        resets[place] = 0;
      }
      if (kTwoProducts && product == 0 && s.steps > 0)
        continue;
      if (s.steps > 0) {
        next[place] = newH;
        if constexpr (kCell == kLstm)
          cells[place] = newC;
        if (o.y)
          o.y[((time * kDirections + at.direction) * s.batch + row) * kHidden + unit] = y;
      }
      if (number + 1 >= s.steps) {
        if (o.lastH)
          o.lastH[place] = newH;
        if (o.lastC)
          o.lastC[place] = kCell == kLstm ? newC : newH;
      }
    }
  }
};
