"""How torch computes ONNX's operators: an expression for each (onnx_torch.py puts them together). What an operator cannot be is Unsupported.

Sizes are known, as are the values of inputs that are computed from sizes and weights alone."""
import math

import numpy
import onnx
import torch
from onnx import numpy_helper


class Unsupported(Exception):
    pass


def tensor_of(proto):
    if proto.data_type == onnx.TensorProto.BFLOAT16:
        return torch.from_numpy(numpy_helper.to_array(proto).view(numpy.int16).copy()).view(torch.bfloat16)
    return torch.from_numpy(numpy.array(numpy_helper.to_array(proto)))


TYPES = {"FLOAT": "FLOAT", "FLOAT16": "FLOAT16", "BFLOAT16": "BFLOAT16", "DOUBLE": "torch.float64", "BOOL": "torch.bool", "UINT8": "torch.uint8", "INT8": "torch.int8",
         "INT16": "torch.int16", "INT32": "torch.int32", "INT64": "torch.int64"}
# Expressions whose operands may be numbers ({0}, {1}); the function is the operator's name unless another one ({f}) is named.
TEMPLATES = {
    "torch.{f}({0})": "Relu Sigmoid Tanh Erf Exp Log Sqrt Neg Abs Reciprocal Floor Ceil Round Sin Cos Sign Not:logical_not",
    "F.{f}({0})": "Softplus Softsign HardSwish Mish Silu",
    "{0} {f} {1}": "Add:+ Sub:- Mul:* Equal:== Greater:> Less:< GreaterOrEqual:>= LessOrEqual:<=",
    "torch.{f}({0}, {1})": "And:logical_and Or:logical_or Xor:logical_xor",
    "{0}": "Identity Dropout"}


def of_template(text, function):
    return lambda n: text.format(*(n.s(i) for i in range(len(n.inputs))), f=function or n.op.lower())


def only(condition, what):
    if not condition:
        raise Unsupported(what)


def cast(n):
    name = onnx.TensorProto.DataType.Name(n.a("to"))
    only(name in TYPES, f"Cast to {name}")
    return f"{n.x(0)}.to({TYPES[name]})"


def softmax(n):
    axis = n.a("axis", -1 if n.opset >= 13 else 1)
    only(n.opset >= 13 or axis % n.rank(0) == n.rank(0) - 1, f"{n.op} over several axes")
    return f"torch.{'softmax' if n.op == 'Softmax' else 'log_softmax'}({n.x(0)}, {axis})"


def reduce(n):
    axes, keep = n.known(1, n.a("axes", None)), bool(n.a("keepdims", 1))
    if not axes and n.a("noop_with_empty_axes", 0):
        return n.x(0)
    function = {"Mean": "mean", "Sum": "sum", "Max": "amax", "Min": "amin", "L2": "linalg.vector_norm"}[n.op[6:]]
    return f"torch.{function}({n.x(0)}, dim={axes or list(range(n.rank(0)))}, keepdim={keep})"


def hard_sigmoid(n):
    alpha, beta = n.a("alpha", 0.2), n.a("beta", 0.5)
    return f"F.hardsigmoid({n.x(0)})" if abs(alpha - 1 / 6) < 1e-6 and beta == 0.5 else f"torch.clamp({n.x(0)} * {alpha} + {beta}, 0, 1)"


def clip(n):
    low, high = (n.known(i, n.a(name, None)) for i, name in ((1, "min"), (2, "max")))
    return n.x(0) if low is None and high is None else f"torch.clamp({n.x(0)}, {low}, {high})"


def product(n):
    """MatMul, and Linear: one with weights, and their bias."""
    if n.rank(0) < 2 or n.rank(1) != 2 or not n.is_known(1):
        return f"torch.matmul({n.x(0)}, {n.x(1)})"
    return f"F.linear({n.x(0)}, {n.new(n.value(1).t().contiguous())}{', ' + n.x(2) if n.op == 'Linear' else ''})"


def gemm(n):
    turns_a, turns_b, alpha, beta, has_bias = n.a("transA", 0), n.a("transB", 0), n.a("alpha", 1.0), n.a("beta", 1.0), n.has(2)
    a = f"{n.x(0)}.t()" if turns_a else n.x(0)
    if n.is_known(1) and (not has_bias or n.is_known(2)):
        columns, bias = n.shape(1)[0 if turns_b else 1], n.value(2) if has_bias else None
        if bias is None or bias.numel() in (1, columns) and (bias.dim() < 2 or bias.shape[0] == 1):
            weight = (n.value(1) if turns_b else n.value(1).t()) * alpha
            bias = "None" if bias is None else n.new((bias * beta).reshape(-1).expand(columns).contiguous())
            return f"F.linear({a}, {n.new(weight.contiguous())}, {bias})"
    text = f"torch.matmul({a}, {n.x(1)}{'.t()' if turns_b else ''}) * {alpha}"
    return f"{text} + {n.x(2)} * {beta}" if has_bias else text


def attention(n):
    """Of queries, keys as they are multiplied, values, a mask or none."""
    only(len({n.rank(i) for i in range(3)}) == 1 and not (n.has(3) and n.rank(3) > n.rank(0)), "attention of several ranks")
    return f"F.scaled_dot_product_attention({n.x(0)}, {n.x(1)}.transpose(-1, -2), {n.x(2)}, attn_mask={n.x(3)}, scale={n.a('scale', 1.0)})"


def window(n, kernel, fill=0):
    """What is read, strides, paddings and dilations; paddings that torch does not have are a step of their own."""
    rank = len(kernel)
    strides, dilations, pads = n.a("strides", [1] * rank), n.a("dilations", [1] * rank), n.a("pads", [0] * 2 * rank)
    how = n.a("auto_pad", "NOTSET")
    if how.startswith("SAME"):
        totals = [max((-(-size // s) - 1) * s + (k - 1) * d + 1 - size, 0) for size, k, s, d in zip(n.shape(0)[2:], kernel, strides, dilations)]
        begin = [t // 2 if how == "SAME_UPPER" else t - t // 2 for t in totals]
        pads = begin + [t - b for t, b in zip(totals, begin)]
    elif how == "VALID":
        pads = [0] * 2 * rank
    begin, end = pads[:rank], pads[rank:]
    if begin == end and (fill == 0 or all(2 * b <= k for b, k in zip(begin, kernel))):
        return n.x(0), strides, begin, dilations
    return f"F.pad({n.x(0)}, {[p for pair in zip(begin[::-1], end[::-1]) for p in pair]}, value={fill})", strides, [0] * rank, dilations


def convolution(n):
    x, strides, pads, dilations = window(n, n.shape(1)[2:])
    return f"F.conv{n.rank(1) - 2}d({x}, {n.x(1)}, {n.x(2)}, {strides}, {pads}, {dilations}, {n.a('group', 1)})"


def transposed_convolution(n):
    rank = n.rank(1) - 2
    pads, more = n.a("pads", [0] * 2 * rank), n.a("output_padding", [0] * rank)
    only(pads[:rank] == pads[rank:] and n.a("auto_pad", "NOTSET") == "NOTSET" and not n.a("output_shape", None), "ConvTranspose with such paddings")
    rest = f"{n.a('strides', [1] * rank)}, {pads[:rank]}, {more}, {n.a('group', 1)}, {n.a('dilations', [1] * rank)}"
    return f"F.conv_transpose{rank}d({n.x(0)}, {n.x(1)}, {n.x(2)}, {rest})"


def pool(n):
    kernel, is_max = n.a("kernel_shape"), n.op == "MaxPool"
    x, strides, pads, dilations = window(n, kernel, "-inf" if is_max else 0)
    counts, ceil = bool(n.a("count_include_pad", 0)), bool(n.a("ceil_mode", 0))
    only(is_max or max(dilations) == 1 and not ceil and (x == n.x(0) or counts), f"{n.op} of such windows")
    return f"F.{'max' if is_max else 'avg'}_pool{len(kernel)}d({x}, {kernel}, {strides}, {pads}, " + (f"{dilations}, {ceil})" if is_max else f"count_include_pad={counts})")


def layer_normalization(n):
    dims = n.shape(0)[n.a("axis", -1):]
    only(n.shape(1) == dims, "LayerNormalization with a broadcast scale")
    return f"F.layer_norm({n.x(0)}, {dims}, {n.x(1)}, {n.x(2)}, {n.a('epsilon', 1e-5)})"


def resize(n):
    """Nearest: where both take the same of two that are as near."""
    mode, places, rank = n.a("mode", "nearest"), n.a("coordinate_transformation_mode", "half_pixel"), n.rank(0)
    scales, sizes = n.known(2, None), n.known(3, None)
    sizes = sizes or [math.floor(size * scale) for size, scale in zip(n.shape(0), scales)]
    kind = ", ".join([mode, places] + [n.a("nearest_mode", "round_prefer_floor")] * (mode == "nearest"))
    only(3 <= rank <= 5 and len(sizes) == rank and sizes[:2] == n.shape(0)[:2] and n.a("antialias", 0) == 0 and n.a("axes", None) is None and
         n.a("keep_aspect_ratio_policy", "stretch") == "stretch", "Resize of such a kind")
    if kind == "nearest, asymmetric, floor" or kind == "nearest, half_pixel, round_prefer_floor" and not any(y % x for x, y in zip(n.shape(0), sizes)):
        how = "mode='nearest'"
    else:
        only(kind == "linear, half_pixel" or kind == "linear, pytorch_half_pixel" and min(sizes[2:]) > 1, f"Resize of such a kind: {kind}")
        how = f"mode='{ {3: 'linear', 4: 'bilinear', 5: 'trilinear'}[rank] }', align_corners=False"
    return f"F.interpolate({n.x(0)}, {f'scale_factor={scales[2:]}' if scales else f'size={sizes[2:]}'}, {how})"


def reshape(n):
    sizes = n.known(1)
    return f"{n.x(0)}.reshape({[size if size or n.a('allowzero', 0) else n.shape(0)[i] for i, size in enumerate(sizes)]})"


def flatten(n):
    axis = n.a("axis", 1)
    return f"{n.x(0)}.reshape({math.prod(n.shape(0)[:axis])}, {math.prod(n.shape(0)[axis:])})"


def unsqueeze(n):
    axes = n.known(1, n.a("axes", None))
    return n.x(0) + "".join(f".unsqueeze({axis})" for axis in sorted(a % (n.rank(0) + len(axes)) for a in axes))


def squeeze(n):
    axes = n.known(1, n.a("axes", None))
    return f"{n.x(0)}.squeeze({tuple(axes) if axes else ''})"


def split(n):
    axis, parts = n.a("axis", 0), len(n.outputs)
    size = n.shape(0)[axis]
    each = -(-size // parts)
    return f"{n.x(0)}.split({n.known(1, n.a('split', None)) or [min(each, size - i * each) for i in range(parts)]}, {axis})"


def slices(n):
    starts, ends = n.known(1, n.a("starts", None)), n.known(2, n.a("ends", None))
    axes, steps = n.known(3, n.a("axes", None)) or list(range(len(starts))), n.known(4, None) or [1] * len(starts)
    parts, turned = [":"] * n.rank(0), []
    for start, end, axis, step in zip(starts, ends, axes, steps):
        taken = range(*slice(start, end, step).indices(n.shape(0)[axis]))
        if step < 0:
            turned.append(axis)
            taken = taken[::-1]
        parts[axis] = f"{taken.start}:{max(taken.stop, taken.start)}:{taken.step}"
    text = f"{n.x(0)}[{', '.join(parts)}]"
    return f"{text}.flip({turned})" if turned else text


def pad(n):
    pads, rank, mode = n.known(1, n.a("pads", None)), n.rank(0), n.a("mode", "constant")
    axes = n.known(3, None) or list(range(rank))
    both = [[0, 0] for _ in range(rank)]
    for i, axis in enumerate(axes):
        both[axis] = [pads[i], pads[i + len(axes)]]
    while len(both) > 1 and both[0] == [0, 0]:
        both.pop(0)
    only(mode == "constant" or mode in ("reflect", "edge") and len(both) <= rank - 2, f"Pad of mode {mode}")
    value = f", value={n.number(2) if n.has(2) else n.a('value', 0)}" if mode == "constant" else ""
    return f"F.pad({n.x(0)}, {[p for pair in both[::-1] for p in pair]}, mode='{'replicate' if mode == 'edge' else mode}'{value})"


def gather(n):
    """Indices that are not known are taken as they are: a negative one is an error of torch's."""
    axis, dims, at = n.a("axis", 0) % n.rank(0), n.shape(0), n.x(1)
    if n.is_known(1):
        if n.rank(1) == 0:
            return f"{n.x(0)}.select({axis}, {n.number(1)})"
        at = n.new(torch.where(n.value(1) < 0, n.value(1) + dims[axis], n.value(1)))
    if axis == 0 and len(dims) == 2:
        return f"F.embedding({at}, {n.x(0)})"
    return f"torch.index_select({n.x(0)}, {axis}, {at}.reshape(-1)).reshape({dims[:axis] + n.shape(1) + dims[axis + 1:]})"


def constant_of_shape(n):
    value = n.a("value", None)
    value = torch.zeros(1) if value is None else tensor_of(value)
    return f"torch.full({n.known(0)}, {value.item()}, dtype={value.dtype}, device=DEVICE)"


def recurrent(n):
    """Both have torch's layers, which cuDNN computes; gates are in another order there."""
    order = {"LSTM": (0, 2, 3, 1), "GRU": (1, 0, 2)}[n.op]
    direction, hidden, states = n.a("direction", "forward"), n.a("hidden_size"), [i for i in (5, 6) if n.has(i)]
    only(direction != "reverse" and not n.has(4) and not n.has(7) and not set(n.attributes) - {"direction", "hidden_size", "linear_before_reset"} and
         (n.a("linear_before_reset", 0) if n.op == "GRU" else len(states) != 1) and all(n.is_known(i) for i in (1, 2, 3) if n.has(i)), f"{n.op} of such a kind")
    layer = getattr(torch.nn, n.op)(n.shape(1)[2], hidden, bidirectional=direction == "bidirectional", device=n.value(1).device).requires_grad_(False)
    for d, end in enumerate(("_l0", "_l0_reverse")[:n.shape(1)[0]]):
        biases = (n.value(3)[d] if n.has(3) else torch.zeros(2 * len(order) * hidden)).chunk(2)
        for name, value in (("weight_ih", n.value(1)[d]), ("weight_hh", n.value(2)[d]), ("bias_ih", biases[0]), ("bias_hh", biases[1])):
            getattr(layer, name + end).copy_(torch.cat([value.chunk(len(order))[gate] for gate in order]))
    return f"run_recurrent({', '.join([n.new(layer), n.x(0)] + [n.x(i) for i in states])})"


@torch.compiler.disable
def run_recurrent(layer, x, *states):
    """y and the last states: with a dim for directions, as ONNX has them."""
    y, last = layer(x, states if len(states) == 2 else states[0]) if states else layer(x)
    y = y.reshape(y.shape[0], y.shape[1], -1, layer.hidden_size).transpose(1, 2)
    return (y, *last) if isinstance(last, tuple) else (y, last)


def non_max_suppression(n):
    try:
        import torchvision  # noqa: F401
    except ImportError:
        raise Unsupported("NonMaxSuppression without torchvision") from None
    count, overlap, least = (n.number(i) if n.has(i) else default for i, default in ((2, 0), (3, 0.0), (4, -math.inf)))
    return f"run_non_max_suppression({n.x(0)}, {n.x(1)}, {count}, {overlap}, {least}, {bool(n.a('center_point_box', 0))})"


def run_non_max_suppression(boxes, scores, count, overlap, least, is_center):
    """Of each class of each image, in its order; by torchvision's kernel, for all at once."""
    from torchvision.ops import batched_nms
    if is_center:
        boxes = torch.cat([boxes[..., :2] - boxes[..., 2:] / 2, boxes[..., :2] + boxes[..., 2:] / 2], -1)
    boxes = torch.cat([torch.minimum(boxes[..., :2], boxes[..., 2:]), torch.maximum(boxes[..., :2], boxes[..., 2:])], -1)
    found = (scores > least).nonzero()
    groups = found[:, 0] * scores.shape[1] + found[:, 1]
    kept = batched_nms(boxes[found[:, 0], found[:, 2]].float(), scores[found.unbind(1)].float(), groups, overlap)
    kept = kept[torch.argsort(groups[kept], stable=True)]
    of = groups[kept]
    return found[kept[torch.arange(len(of), device=of.device) - torch.searchsorted(of, of) < count]]


def all_of(n):
    return ", ".join(n.x(i) for i in range(len(n.inputs)))


# How node `n` is computed, as an expression: n.x(i) is input i, n.s(i) the same or a number, n.known(i) its value, n.a(...) an attribute.
OPERATORS = {op: of_template(text, function) for text, ops in TEMPLATES.items() for op, _, function in (name.partition(":") for name in ops.split())}
OPERATORS |= {
    "Div": lambda n: f"{n.s(0)} / {n.s(1)}" if n.dtype(0).is_floating_point else f"torch.div({n.x(0)}, {n.x(1)}, rounding_mode='trunc')",
    "Max": lambda n: f"torch.stack(torch.broadcast_tensors({all_of(n)})).amax(0)" if len(n.inputs) > 2 else f"torch.maximum({all_of(n)})",
    "Min": lambda n: f"torch.stack(torch.broadcast_tensors({all_of(n)})).amin(0)" if len(n.inputs) > 2 else f"torch.minimum({all_of(n)})",
    "Pow": lambda n: f"torch.pow({n.s(0)}, {n.s(1)})" + (f".to({n.dtype(0)})" if n.dtype(0) != n.dtype(1) else ""),
    "Where": lambda n: f"torch.where({all_of(n)})",
    "Gelu": lambda n: f"F.gelu({n.x(0)}, approximate='{n.a('approximate', 'none')}')",
    "LeakyRelu": lambda n: f"F.leaky_relu({n.x(0)}, {n.a('alpha', 0.01)})",
    "Elu": lambda n: f"F.elu({n.x(0)}, {n.a('alpha', 1.0)})",
    "ArgMax": lambda n: f"torch.argmax({n.x(0)}, {n.a('axis', 0)}, {bool(n.a('keepdims', 1))})",
    "TopK": lambda n: f"torch.topk({n.x(0)}, {n.number(1)}, {n.a('axis', -1)}, {bool(n.a('largest', 1))}, {bool(n.a('sorted', 1))})",
    "Einsum": lambda n: f"torch.einsum({n.a('equation')!r}, {all_of(n)})",
    "GlobalAveragePool": lambda n: f"torch.mean({n.x(0)}, dim={list(range(2, n.rank(0)))}, keepdim=True)",
    "GlobalMaxPool": lambda n: f"torch.amax({n.x(0)}, dim={list(range(2, n.rank(0)))}, keepdim=True)",
    "BatchNormalization": lambda n: f"F.batch_norm({n.x(0)}, {n.x(3)}, {n.x(4)}, {n.x(1)}, {n.x(2)}, False, 0.0, {n.a('epsilon', 1e-5)})",
    "InstanceNormalization": lambda n: f"F.instance_norm({n.x(0)}, weight={n.x(1)}, bias={n.x(2)}, eps={n.a('epsilon', 1e-5)})",
    "Transpose": lambda n: f"{n.x(0)}.permute({n.a('perm', list(range(n.rank(0)))[::-1])})",
    "Expand": lambda n: f"{n.x(0)}.expand({list(torch.broadcast_shapes(n.shape(0), n.known(1)))})",
    "Tile": lambda n: f"{n.x(0)}.repeat({n.known(1)})",
    "Concat": lambda n: f"torch.cat([{all_of(n)}], {n.a('axis')})",
    "GatherElements": lambda n: f"torch.gather({n.x(0)}, {n.a('axis', 0)}, {n.x(1)})",
    "GatherND": lambda n: f"{n.x(0)}[{n.x(1)}.unbind(-1)]",
    "Trilu": lambda n: f"torch.{'triu' if n.a('upper', 1) else 'tril'}({n.x(0)}, {n.number(1) if n.has(1) else 0})",
    "Shape": lambda n: f"torch.tensor({n.shape(0)[n.a('start', 0):n.a('end', None)]}, dtype=torch.int64, device=DEVICE)",
    "Size": lambda n: f"torch.tensor({math.prod(n.shape(0))}, device=DEVICE)",
    "Range": lambda n: f"torch.arange({n.number(0)}, {n.number(1)}, {n.number(2)}, dtype={n.dtype(0)}, device=DEVICE)",
    "Cast": cast, "Softmax": softmax, "LogSoftmax": softmax, "HardSigmoid": hard_sigmoid, "Clip": clip, "MatMul": product, "Gemm": gemm, "Conv": convolution,
    "ConvTranspose": transposed_convolution, "MaxPool": pool, "AveragePool": pool, "LayerNormalization": layer_normalization, "Resize": resize, "Reshape": reshape,
    "Flatten": flatten, "Unsqueeze": unsqueeze, "Squeeze": squeeze, "Split": split, "Slice": slices, "Pad": pad, "Gather": gather, "LSTM": recurrent, "GRU": recurrent,
    "ConstantOfShape": constant_of_shape, "NonMaxSuppression": non_max_suppression, **dict.fromkeys(("ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceL2"), reduce),
    # Of PATTERNS.
    "Linear": product, "Attention of torch": attention, "Gelu of erf": lambda n: f"F.gelu({n.x(0)})", "Gelu of tanh": lambda n: f"F.gelu({n.x(0)}, approximate='tanh')"}
# Attributes that may only have the value that they have by default.
FIXED = {"ArgMax": {"select_last_index": 0}, "BatchNormalization": {"training_mode": 0}, "GatherND": {"batch_dims": 0}}
