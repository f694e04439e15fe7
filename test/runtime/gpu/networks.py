"""What models are made with, and networks layer by layer: each gives a model, sizes of its symbols, a tolerance."""
import numpy
from onnx import TensorProto, helper, numpy_helper

random = numpy.random.default_rng(11)
FLOAT = TensorProto.FLOAT


def model(nodes, inputs, outputs, weights={}, opset=17):
    info = lambda values: [helper.make_tensor_value_info(name, kind, dims) for name, kind, dims in values]
    graph = helper.make_graph(nodes, "model", info(inputs), info(outputs), [numpy_helper.from_array(v, k) for k, v in weights.items()])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset), helper.make_opsetid("ai.onnx.ml", 3)], ir_version=10)


def normal(*dims):
    return random.normal(size=dims).astype(numpy.float32)


class Builder:
    """Nodes and weights of a network that is built layer by layer; each call gives the name of its result."""

    def __init__(self):
        self.nodes, self.weights = [], {}

    def __call__(self, operator, *inputs, name=None, outputs=1, **attributes):
        name = name or f"{operator.lower()}_{len(self.nodes)}"
        results = [name] if outputs == 1 else [f"{name}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(operator, list(inputs), results, name=name, **attributes))
        return results[0] if outputs == 1 else results

    def weight(self, *dims, scale=None):
        """Normal, so that a layer keeps the size of what it is given."""
        value = normal(*dims) * (scale if scale is not None else numpy.sqrt(2 / max(1, numpy.prod(dims[1:]) if len(dims) > 2 else dims[0])))
        return self.constant(value.astype(numpy.float32))

    def constant(self, value):
        name = f"w{len(self.weights)}"
        self.weights[name] = numpy.asarray(value)
        return name

    def linear(self, x, rows, columns):
        return self("Add", self("MatMul", x, self.weight(rows, columns, scale=rows**-0.5)), self.weight(columns, scale=0.1))

    def normalized(self, x, width):
        return self("LayerNormalization", x, self.constant(1 + 0.1 * normal(width)), self.weight(width, scale=0.1), axis=-1, epsilon=1e-5)

    def heads(self, x, heads, width, perm=(0, 2, 1, 3)):
        return self("Transpose", self("Reshape", x, self.constant(numpy.array([0, 0, heads, width]))), perm=perm)


def resnet():
    """ResNet-50 in small: a stem, bottlenecks with and without a projection, pooling, a classifier."""
    b = Builder()

    def conv(x, inner, outer, size=1, stride=1, relu=True):
        pad = size // 2
        x = b("Conv", x, b.weight(outer, inner, size, size), b.weight(outer, scale=0.1), strides=[stride, stride], pads=[pad] * 4)
        x = b("BatchNormalization", x, b.constant(1 + 0.1 * normal(outer)), b.weight(outer, scale=0.1), b.weight(outer, scale=0.1), b.constant(1 + 0.1 * numpy.abs(normal(outer))))
        return b("Relu", x) if relu else x

    x = b("MaxPool", conv("x", 3, 16, 7, 2), kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    for inner, middle, outer, stride in ((16, 16, 64, 1), (64, 16, 64, 1), (64, 32, 128, 2)):
        y = conv(conv(conv(x, inner, middle), middle, middle, 3, stride), middle, outer, relu=False)
        shortcut = x if inner == outer and stride == 1 else conv(x, inner, outer, 1, stride, relu=False)
        x = b("Relu", b("Add", y, shortcut))
    x = b("Flatten", b("GlobalAveragePool", x))
    b("Gemm", x, b.weight(10, 128, scale=0.1), b.weight(10, scale=0.1), transB=1, name="y")
    return model(b.nodes, [("x", FLOAT, ["n", 3, 64, 64])], [("y", FLOAT, None)], b.weights), ["n=1,2"], 1e-5


def deep():
    """Few pixels of many channels, and long rows: sizes that are known, sums whose terms are cut into slices. Later steps have more tiles than earlier ones."""
    b = Builder()
    y = b("Relu", b("Conv", "x", b.weight(40, 96, 3, 3), b.weight(40, scale=0.1), pads=[1, 1, 1, 1]))
    y = b("Add", b("Conv", y, b.weight(150, 40, 3, 3), b.weight(150, scale=0.1), pads=[1, 1, 1, 1], strides=[2, 1]), "r")
    rows = b("Reshape", y, b.constant(numpy.array([20, -1])))
    b("Gemm", rows, b.weight(420, 33), b.weight(33, scale=0.1), name="z")
    b("MatMul", "q", "k", name="s")
    inputs = [("x", FLOAT, [2, 96, 7, 7]), ("r", FLOAT, [2, 150, 4, 7]), ("q", FLOAT, [3, 70, 301]), ("k", FLOAT, [3, 301, 90])]
    return model(b.nodes, inputs, [("z", FLOAT, None), ("s", FLOAT, None)], b.weights), [], 1e-5


def decoding():
    """One query a head, of so many keys as there are by then: in slices once they are worth it."""
    half = TensorProto.FLOAT16
    inputs = [("q", half, [1, 4, 1, 64]), ("k", half, [1, 2, "keys", 64]), ("v", half, [1, 2, "keys", 64]), ("w", half, [1, 4, 1, 64])]
    nodes = [helper.make_node("Attention", ["q", "k", "v"], ["a"], name="attention"), helper.make_node("Add", ["a", "w"], ["y"], name="residual")]
    return model(nodes, inputs, [("y", half, None)], opset=23), ["keys=3,500,1200"], 4e-3


def grouped():
    """Attention as exporters of language models write it: keys repeated for the heads of their group, a softmax in f32 between products of f16; of one token and of several."""
    b = Builder()
    half, heads, groups, width = TensorProto.FLOAT16, 4, 2, 16
    constant = lambda *values: b.constant(numpy.array(values))
    small = lambda *dims: b.constant((normal(*dims) / 8).astype(numpy.float16))

    def repeated(x):
        shape = b("Shape", x)
        batch, length = b("Slice", shape, constant(0), constant(1)), b("Slice", shape, constant(2), constant(3))
        wide = b("Concat", batch, constant(groups), constant(heads // groups), length, constant(width), axis=0)
        merged = b("Concat", batch, constant(heads), length, constant(width), axis=0)
        return b("Reshape", b("Expand", b("Unsqueeze", x, constant(2)), wide), merged)

    def attention(x, past_k, past_v, mask, suffix):
        q = b.heads(b("MatMul", x, small(64, heads * width)), heads, width)
        k, v = (b("Concat", past, b.heads(b("MatMul", x, small(64, groups * width)), groups, width), axis=2, name=name + suffix)
                for past, name in ((past_k, "k"), (past_v, "v")))
        scores = b("Mul", b("MatMul", q, b("Transpose", repeated(k), perm=[0, 1, 3, 2])), b.constant(numpy.float16(0.25)))
        weights = b("Cast", b("Softmax", b("Cast", b("Add", scores, mask), to=FLOAT), axis=-1), to=half)
        y = b("Transpose", b("MatMul", weights, repeated(v)), perm=[0, 2, 1, 3])
        b("MatMul", b("Reshape", y, constant(0, 0, heads * width)), small(heads * width, 64), name="y" + suffix)

    attention("x", "past_k", "past_v", "mask", "")
    attention("token", "past_k", "past_v", "seen", "_1")
    inputs = [("x", half, ["b", "s", 64]), ("token", half, ["b", 1, 64]), ("mask", half, ["b", 1, "s", "past + s"]), ("seen", half, ["b", heads, 1, "past + 1"]),
              ("past_k", half, ["b", groups, "past", width]), ("past_v", half, ["b", groups, "past", width])]
    return model(b.nodes, inputs, [(name + suffix, half, None) for suffix in ("", "_1") for name in "ykv"], b.weights), ["b=1,2", "s=9,3", "past=30,700"], 4e-3


def bert():
    """BERT in small: embeddings, two layers of attention with a mask and GELU, a pooler."""
    b = Builder()
    width, heads = 64, 4
    x = b("Add", b("Gather", b.weight(50, width, scale=1), b("Cast", b("Mul", "words", b.constant(numpy.float32(10))), to=TensorProto.INT64)), b.weight(1, width, scale=0.5))
    x = b.normalized(x, width)
    mask = b("Mul", b("Sub", b.constant(numpy.float32(1)), b("Unsqueeze", b("Cast", b("Greater", "seen", b.constant(numpy.float32(-1))), to=FLOAT), b.constant(numpy.array([1, 2])))),
             b.constant(numpy.float32(-1e9)))
    for _ in range(2):
        q, k, v = (b.linear(x, width, width) for _ in range(3))
        scores = b("Div", b("MatMul", b.heads(q, heads, 16), b.heads(k, heads, 16, (0, 2, 3, 1))), b.constant(numpy.float32(4)))
        weights = b("Softmax", b("Add", scores, mask), axis=-1)
        a = b("Reshape", b("Transpose", b("MatMul", weights, b.heads(v, heads, 16)), perm=[0, 2, 1, 3]), b.constant(numpy.array([0, 0, width])))
        x = b.normalized(b("Add", b.linear(a, width, width), x), width)
        h = b.linear(x, width, 4 * width)
        h = b("Mul", b("Mul", h, b("Add", b("Erf", b("Div", h, b.constant(numpy.float32(2**0.5)))), b.constant(numpy.float32(1)))), b.constant(numpy.float32(0.5)))
        x = b.normalized(b("Add", b.linear(h, 4 * width, width), x), width)
    b("Identity", x, name="y")
    b("Tanh", b.linear(b("Gather", x, b.constant(numpy.array(0)), axis=1), width, width), name="pooled")
    inputs = [("words", FLOAT, ["n", "s"]), ("seen", FLOAT, ["n", "s"])]
    return model(b.nodes, inputs, [("y", FLOAT, None), ("pooled", FLOAT, None)], b.weights), ["n=1,2", "s=7,19"], 1e-5


def gpt2():
    """GPT-2 in small, decoding: one token, keys and values of those before it come in and go out longer."""
    b = Builder()
    width, heads = 64, 4
    x = b.normalized("x", width)
    outputs = [("y", FLOAT, None)]
    for layer in range(2):
        q, k, v = b("Split", b.linear(x, width, 3 * width), axis=-1, num_outputs=3, outputs=3)
        keys = b("Concat", f"keys_{layer}", b.heads(k, heads, 16), axis=2, name=f"all_keys_{layer}")
        values = b("Concat", f"values_{layer}", b.heads(v, heads, 16), axis=2, name=f"all_values_{layer}")
        scores = b("Mul", b("MatMul", b.heads(q, heads, 16), b("Transpose", keys, perm=[0, 1, 3, 2])), b.constant(numpy.float32(0.25)))
        a = b("MatMul", b("Softmax", scores, axis=-1), values)
        a = b("Reshape", b("Transpose", a, perm=[0, 2, 1, 3]), b.constant(numpy.array([0, 0, width])))
        x = b("Add", x, b.linear(a, width, width))
        h = b("Gelu", b.linear(b.normalized(x, width), width, 4 * width), approximate="tanh")
        x = b("Add", x, b.linear(h, 4 * width, width))
        outputs += [(f"all_keys_{layer}", FLOAT, None), (f"all_values_{layer}", FLOAT, None)]
    b("MatMul", b.normalized(x, width), b.weight(width, 101, scale=0.1), name="y")
    inputs = [("x", FLOAT, [1, 1, width])] + [(f"{what}_{layer}", FLOAT, [1, heads, "past", 16]) for layer in range(2) for what in ("keys", "values")]
    return model(b.nodes, inputs, outputs, b.weights, opset=20), ["past=0,1,33"], 1e-5


def weights():
    """Products of few rows, of some, of many and of an unknown number of rows, and a table that is gathered from and multiplied with: for weights in few bits."""
    b = Builder()
    x = b("Relu", b("Add", b("MatMul", "x", b.weight(96, 160, scale=0.1)), b.weight(160, scale=0.1)))
    b("MatMul", x, b.weight(160, 72, scale=0.1), name="y")
    b("MatMul", b("MatMul", "z", b.weight(96, 160, scale=0.1)), b.weight(160, 72, scale=0.1), name="w")
    b("MatMul", b("MatMul", "m", b.weight(96, 160, scale=0.1)), b.weight(160, 72, scale=0.1), name="u")
    b("MatMul", "l", b.weight(96, 72, scale=0.1), name="t")
    table = b.weight(80, 96, scale=1)
    b("Gather", table, b("Cast", b("Mul", "i", b.constant(numpy.float32(10))), to=TensorProto.INT64), name="g")
    b("MatMul", "z", b("Transpose", table, perm=[1, 0]), name="v")
    inputs = [("x", FLOAT, [3, 96]), ("z", FLOAT, ["n", 96]), ("m", FLOAT, [20, 96]), ("l", FLOAT, [300, 96]), ("i", FLOAT, [4])]
    return model(b.nodes, inputs, [(name, FLOAT, None) for name in ("y", "w", "u", "t", "g", "v")], b.weights), ["n=1,20"], 1e-5


def sparse():
    """Products whose weights have two of four zeros along k: of f16, of a length that is no multiple of 128, of few rows, of many terms; one with other zeros."""
    b = Builder()
    half = TensorProto.FLOAT16

    def pruned(rows, columns):
        value = (normal(rows, columns) / 8).astype(numpy.float16)
        ranks = numpy.abs(value).reshape(-1, 4, columns).argsort(axis=1).argsort(axis=1)
        return b.constant(numpy.where(ranks.reshape(rows, columns) >= 2, value, numpy.float16(0)))

    x = b("Relu", b("Add", b("MatMul", "x", pruned(192, 328)), b.constant((normal(328) / 8).astype(numpy.float16))))
    b("MatMul", x, pruned(328, 100), name="y")
    b("Gemm", "z", b.constant(numpy.ascontiguousarray(b.weights[pruned(1600, 96)].T)), transB=1, name="w")
    b("MatMul", "few", pruned(192, 64), name="u")
    b("MatMul", x, b.constant(numpy.where(numpy.arange(328 * 64).reshape(328, 64) % 2, (normal(328, 64) / 8).astype(numpy.float16), numpy.float16(0))), name="v")
    inputs = [("x", half, ["n", "l", 192]), ("z", half, [72, 1600]), ("few", half, [3, 192])]
    return model(b.nodes, inputs, [(name, half, None) for name in ("y", "w", "u", "v")], b.weights), ["n=1,3", "l=9,50"], 4e-3
