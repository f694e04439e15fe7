"""Operators of com.microsoft, and precisions of QuantizeLinear, with inputs, and what they give by their description, computed in numpy.

cases() yields (name, model, inputs, expected, tolerance): arrays by name, the tolerance of elements.
"""
import numpy
from onnx import TensorProto, helper, numpy_helper

random = numpy.random.default_rng(3)
f4, u1, i1, i4, i8 = numpy.float32, numpy.uint8, numpy.int8, numpy.int32, numpy.int64
kinds = {numpy.dtype(a): b for a, b in ((f4, TensorProto.FLOAT), (u1, TensorProto.UINT8), (i1, TensorProto.INT8), (i4, TensorProto.INT32),
                                        (i8, TensorProto.INT64), (bool, TensorProto.BOOL), (numpy.float16, TensorProto.FLOAT16))}


def normal(*shape):
    return random.normal(size=shape).astype(f4)


def codes(kind, *shape):
    low, high = (0, 256) if kind == u1 else (-128, 128)
    return random.integers(low, high, shape).astype(kind)


def dequantized(x, scale, zero):
    return (x.astype(f4) - numpy.asarray(zero).astype(f4)) * scale


def quantized(x, scale, zero):
    kind = zero.dtype
    limits = numpy.iinfo(kind)
    return numpy.clip(numpy.rint(x / scale) + f4(zero), limits.min, limits.max).astype(kind)


def packed(values, bits):
    """Codes along the last axis in bytes, low bits first."""
    each = 8 // bits
    padded = numpy.concatenate([values, numpy.zeros((*values.shape[:-1], -values.shape[-1] % each), values.dtype)], -1)
    parts = padded.reshape(*values.shape[:-1], -1, each).astype(u1)
    return sum(parts[..., i] << (i * bits) for i in range(each)).astype(u1)


def case(name, operator, operands, constants, outputs, tolerance=0.0, domain="com.microsoft", opset=17, **attributes):
    """`operands` by name, "" where absent; those in `constants` are initialisers."""
    node = helper.make_node(operator, [k if v is not None else "" for k, v in operands.items()], list(outputs), name="node", domain=domain, **attributes)
    info = lambda v: [helper.make_tensor_value_info(k, kinds[a.dtype], a.shape) for k, a in v.items()]
    inputs = {k: v for k, v in operands.items() if v is not None and k not in constants}
    graph = helper.make_graph([node], name, info(inputs), info(outputs), [numpy_helper.from_array(operands[k], k) for k in constants])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)], ir_version=10)
    return name, model, inputs, outputs, tolerance


def where():
    c, x, y = random.integers(0, 2, (5, 1, 7)).astype(bool), codes(u1, 3, 7), codes(u1, 5, 3, 1)
    scales, zeros = [f4(0.1), f4(0.03), f4(0.07)], [u1(3), u1(200), u1(128)]
    z = quantized(numpy.where(c, dequantized(x, scales[0], zeros[0]), dequantized(y, scales[1], zeros[1])), scales[2], zeros[2])
    operands = {"c": c, "x": x, "xs": scales[0], "xz": zeros[0], "y": y, "ys": scales[1], "yz": zeros[1], "zs": scales[2], "zz": zeros[2]}
    yield case("where", "QLinearWhere", operands, ["xs", "xz", "ys", "yz", "zs", "zz"], {"z": z})


def conv():
    for last in (0, 1):
        x, w, bias = codes(u1, 2, 6, 9, 7), codes(i1, 8, 3, 3, 3), random.integers(-900, 900, 8).astype(i4)
        xs, xz, ws, ys, yz = f4(0.02), u1(120), random.uniform(0.001, 0.01, 8).astype(f4), f4(0.05), u1(130)
        a, b = dequantized(x, xs, xz).astype(float), dequantized(w, ws.reshape(-1, 1, 1, 1), 0).astype(float)
        padded = numpy.pad(a, ((0, 0), (0, 0), (1, 1), (1, 1)))
        y = numpy.zeros((2, 8, 5, 4))
        for o in range(8):
            g = o // 4
            for i in range(5):
                for j in range(4):
                    y[:, o, i, j] = (padded[:, 3 * g:3 * g + 3, 2 * i:2 * i + 3, 2 * j:2 * j + 3] * b[o]).sum((1, 2, 3)) + float(bias[o]) * xs * ws[o]
        y = quantized(y.astype(f4), ys, yz)
        if last:
            x, y = x.transpose(0, 2, 3, 1).copy(), y.transpose(0, 2, 3, 1).copy()
        operands = {"x": x, "xs": xs, "xz": xz, "w": w, "ws": ws, "wz": numpy.zeros(8, i1), "ys": ys, "yz": yz, "b": bias}
        yield case(f"conv_{last}", "QLinearConv", operands, list(operands)[1:], {"y": y}, 1, channels_last=last, group=2, strides=[2, 2], pads=[1, 1, 1, 1])


def n_bits():
    for bits, k, zero in ((2, 72, True), (2, 64, False), (4, 50, True), (8, 33, False)):
        n, block = 24, 16
        blocks = -(-k // block)
        q, scales = random.integers(0, 2 ** bits, (n, blocks, block)).astype(u1), random.uniform(0.1, 1, (n, blocks)).astype(f4)
        zeros = random.integers(0, 2 ** bits, (n, blocks)).astype(u1) if zero else numpy.full((n, blocks), 2 ** (bits - 1), u1)
        w = dequantized(q, scales[..., None], zeros[..., None]).reshape(n, -1)[:, :k]
        a = normal(3, k)
        operands = {"a": a, "b": packed(q, bits), "s": scales, "z": packed(zeros, bits) if zero else None}
        yield case(f"n_bits_{bits}_{k}", "MatMulNBits", operands, ["b", "s"] + ["z"] * zero, {"y": a @ w.T}, 1e-4 * k, K=k, N=n, bits=bits, block_size=block)
    a, bias = normal(2, 32), normal(5)
    operands = {"a": a, "b": numpy.zeros((0, 2, 8), u1), "s": numpy.zeros((0,), f4), "z": None, "g": None, "bias": bias}
    yield case("n_bits_none", "MatMulNBits", operands, ["b", "s", "bias"], {"y": numpy.broadcast_to(bias, (2, 5))}, K=32, N=5, bits=4, block_size=16)


def bnb4():
    normal4 = [-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0.0,
               0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941,
               0.7229568362236023, 1.0]
    float4 = [0, 0.0625 / 12, 8 / 12, 1, 4 / 12, 6 / 12, 2 / 12, 3 / 12]
    for kind, table in ((0, float4 + [-x for x in float4]), (1, normal4)):
        for transposed in (1, 0):
            n, k, block = 7, 25, 16
            q, largest = random.integers(0, 16, n * k).astype(u1), random.uniform(0.5, 2, -(-n * k // block)).astype(f4)
            w = (numpy.array(table, f4)[q] * numpy.repeat(largest, block)[:n * k]).reshape(n, k)
            even = numpy.append(q, u1(0))
            a = normal(2, 3, k if transposed else n)
            operands = {"a": a, "b": (even[0::2] << 4 | even[1::2]).astype(u1), "s": largest}
            yield case(f"bnb4_{kind}_{transposed}", "MatMulBnb4", operands, ["b", "s"], {"y": a @ (w.T if transposed else w)}, 1e-4, K=k, N=n, quant_type=kind,
                       block_size=block, transB=transposed)


def gather():
    for bits, dims, axis, zero in ((4, (300, 40), 1, True), (8, (300, 40), 1, False), (2, (9, 40), 1, True), (4, (6, 35, 8), 1, False), (8, (9, 4, 33), 2, True)):
        block = 16
        blocks = [*dims]
        blocks[axis] = -(-dims[axis] // block)
        q, scales = random.integers(0, 2 ** bits, dims).astype(u1), random.uniform(0.1, 1, blocks).astype(f4)
        zeros = random.integers(0, 2 ** bits, blocks).astype(u1) if zero else numpy.full(blocks, 2 ** (bits - 1), u1)
        wide = lambda v: numpy.repeat(v, block, axis).take(range(dims[axis]), axis)
        indices = random.integers(-dims[0], dims[0], (2, 5)).astype(i8)
        y = dequantized(q, wide(scales), wide(zeros))[indices]
        operands = {"d": packed(q, bits), "i": indices, "s": scales, "z": packed(zeros, bits) if zero else None}
        yield case(f"gather_{bits}_{len(dims)}", "GatherBlockQuantized", operands, ["d", "s"] + ["z"] * zero, {"y": y}, 1e-6, bits=bits, block_size=block,
                   gather_axis=0, quantize_axis=axis)


def softmax(x):
    e = numpy.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def attention():
    batch, queries, width, heads, size = 2, 5, 12, 2, 4
    for name in ("plain", "lengths", "limits", "keys", "scores", "causal", "past"):
        x, w = codes(u1, batch, queries, width), codes(i1, width, 3 * heads * size)
        bias, xs, xz = normal(3 * heads * size), f4(0.01), u1(110)
        ws, wz = (random.uniform(0.001, 0.01, 3 * heads * size).astype(f4), numpy.zeros(3 * heads * size, i1)) if name != "plain" else (f4(0.01), i1(3))
        p = dequantized(x, xs, xz) @ dequantized(w, ws, wz) + bias
        q, k, v = (t.reshape(batch, queries, heads, size).transpose(0, 2, 1, 3) for t in numpy.split(p, 3, -1))
        before = normal(2, batch, heads, 3, size) if name == "past" else None
        if before is not None:
            k, v = (numpy.concatenate([before[i], t], 2) for i, t in enumerate((k, v)))
        keys = k.shape[2]
        position, mask, keep = numpy.arange(keys), None, numpy.ones((batch, 1, 1, keys), bool)
        if name == "lengths":
            mask = numpy.array([3, 5], i4)
            keep = position < mask.reshape(-1, 1, 1, 1)
        elif name == "limits":
            mask = numpy.array([4, 5, 1, 2], i4)
            keep = (position < mask[:2].reshape(-1, 1, 1, 1)) & (position >= mask[2:].reshape(-1, 1, 1, 1))
        elif name == "keys":
            mask = numpy.array([[1, 1, 0, 1, 0], [1, 1, 1, 1, 1]], i4)
            keep = mask[:, None, None, :] > 0
        elif name == "scores":
            mask = random.integers(0, 2, (batch, queries, keys)).astype(i4)
            mask[:, :, 0] = 1
            keep = mask[:, None] > 0
        scores = q @ k.transpose(0, 1, 3, 2) * (0.7 if name == "scores" else size ** -0.5) + numpy.where(keep, 0, -10000)
        causal = name in ("causal", "past")
        if causal:
            scores = numpy.where(position <= numpy.arange(queries)[:, None] + keys - queries, scores, -numpy.inf)
        y = (softmax(scores) @ v).transpose(0, 2, 1, 3).reshape(batch, queries, -1).astype(f4)
        operands = {"x": x, "w": w, "b": bias, "xs": xs, "ws": ws, "m": mask, "xz": xz, "wz": wz, "past": before}
        outputs = {"y": y}
        if before is not None:
            outputs["present"] = numpy.stack([k, v]).astype(f4)
        yield case(f"attention_{name}", "QAttention", operands, ["w", "b", "xs", "ws", "xz", "wz"], outputs, 1e-4, num_heads=heads, unidirectional=int(causal),
                   **({"scale": 0.7} if name == "scores" else {}))


def lstm():
    steps, batch, width, hidden = 6, 3, 5, 4
    sigmoid = lambda x: 1 / (1 + numpy.exp(-x))
    for directions, columns in ((1, True), (2, False)):
        x, w, r, b = normal(steps, batch, width), codes(u1, directions, width, 4 * hidden), codes(u1, directions, hidden, 4 * hidden), normal(directions, 8 * hidden)
        shape = (directions, 4 * hidden) if columns else (directions,)
        ws, rs = (random.uniform(0.002, 0.01, shape).astype(f4) for _ in range(2))
        wz, rz = codes(u1, *shape), codes(u1, *shape)
        y = numpy.zeros((steps, directions, batch, hidden), f4)
        last = numpy.zeros((2, directions, batch, hidden), f4)
        for d in range(directions):
            wide = lambda v: v[d].reshape(1, -1)
            wd, rd = dequantized(w[d], wide(ws), wide(wz)), dequantized(r[d], wide(rs), wide(rz))
            h = c = numpy.zeros((batch, hidden), f4)
            for t in range(steps)[::-1 if d else 1]:
                i, o, f, g = numpy.split(x[t] @ wd + h @ rd + b[d, :4 * hidden] + b[d, 4 * hidden:], 4, -1)
                c = sigmoid(f) * c + sigmoid(i) * numpy.tanh(g)
                h = sigmoid(o) * numpy.tanh(c)
                y[t, d] = h
            last[0, d], last[1, d] = h, c
        operands = {"x": x, "w": w, "r": r, "b": b, "n": None, "h": None, "c": None, "p": None, "ws": ws, "wz": wz, "rs": rs, "rz": rz}
        yield case(f"lstm_{directions}", "DynamicQuantizeLSTM", operands, ["w", "r", "b", "ws", "wz", "rs", "rz"], {"y": y, "hn": last[0], "cn": last[1]}, 1e-4,
                   hidden_size=hidden, direction="bidirectional" if directions == 2 else "forward")


def precision():
    """ONNX's QuantizeLinear: the quotient is of the type that `precision` names, of the scale's since opset 23, of f32 before."""
    f2 = numpy.float16
    for opset, kind, scale_kind, named, divided in ((21, f2, f2, None, f4), (23, f2, f2, None, f2), (23, f4, f2, None, f2), (23, f2, f4, None, f4), (23, f4, f4, f2, f2),
                                                    (23, f2, f2, f4, f4)):
        x, scale = (normal(63, 101) * 20).astype(kind), scale_kind(0.37)
        quotient = (x.astype(divided) / divided(scale)).astype(divided)
        y = numpy.clip(numpy.rint(quotient.astype(f4)), -128, 127).astype(i1)
        yield case(f"precision_{opset}_{kind.__name__}_{scale_kind.__name__}_{named.__name__ if named else 0}", "QuantizeLinear", {"x": x, "s": scale, "z": i1(0)}, ["s", "z"],
                   {"y": y}, domain="", opset=opset, **({"precision": kinds[numpy.dtype(named)]} if named else {}))


def cases():
    for family in (precision, where, conv, n_bits, bnb4, gather, attention, lstm):
        yield from family()
