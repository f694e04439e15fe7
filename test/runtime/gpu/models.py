"""Models of what GPUs compute, with odd sizes: models() yields (name, model, sizes of its symbols, tolerance)."""
import ml_dtypes
import numpy
from onnx import TensorProto, helper, numpy_helper

from networks import FLOAT, bert, decoding, deep, gpt2, grouped, model, normal, random, resnet, sparse, weights


def convolutions():
    """Plain, strided, dilated, padded unevenly, of one dim, of few channels, depthwise; with what follows them."""
    n = lambda *a, **k: helper.make_node(*a, **k)
    nodes = [
        n("Conv", ["x", "w", "b"], ["a"], name="plain", pads=[1, 1, 1, 1]),
        n("Relu", ["a"], ["r"], name="relu"),
        n("Conv", ["r", "v"], ["c"], name="strided", strides=[2, 1], dilations=[1, 2], pads=[0, 2, 1, 0]),
        n("Clip", ["c", "low", "high"], ["y"], name="clip"),
        n("Conv", ["r", "d", "b"], ["e"], name="depthwise", group=8, pads=[1, 1, 1, 1], strides=[2, 2]),
        n("Sigmoid", ["e"], ["z"], name="sigmoid"),
        n("Conv", ["s", "u"], ["one"], name="sound", strides=[2], pads=[2, 3]),
        n("Conv", ["s", "t"], ["two"], name="depthwise_sound", group=6, dilations=[2], pads=[3, 0]),
        n("MaxPool", ["r"], ["pooled"], name="pool", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
    ]
    weights = {"w": normal(8, 3, 3, 3), "b": normal(8), "v": normal(33, 8, 3, 2), "d": normal(8, 1, 3, 3), "u": normal(9, 6, 5), "t": normal(6, 1, 4),
               "low": numpy.float32(-2), "high": numpy.float32(3)}
    inputs = [("x", FLOAT, ["n", 3, "h", 13]), ("s", FLOAT, ["n", 6, "l"])]
    outputs = [(name, FLOAT, None) for name in ("y", "z", "one", "two", "pooled")]
    return model(nodes, inputs, outputs, weights), ["n=1,3", "h=9,17", "l=12,40"], 1e-5


def attention():
    """Masked, causal, of grouped queries; rows that see nothing."""
    nodes = [
        helper.make_node("Attention", ["q", "k", "v", "m"], ["y"], name="masked"),
        helper.make_node("Attention", ["q", "k", "v"], ["z"], name="causal", is_causal=1, softcap=2.0),
        helper.make_node("Constant", [], ["never"], value=numpy_helper.from_array(numpy.full((1, 1, 1, 1), -numpy.inf, numpy.float32))),
        helper.make_node("Attention", ["q", "k", "v", "never"], ["nothing"], name="nothing"),
    ]
    inputs = [("q", FLOAT, ["n", 4, "s", 24]), ("k", FLOAT, ["n", 2, "s", 24]), ("v", FLOAT, ["n", 2, "s", 16]), ("m", FLOAT, ["s", "s"])]
    return model(nodes, inputs, [("y", FLOAT, None), ("z", FLOAT, None), ("nothing", FLOAT, None)], opset=23), ["n=1,2", "s=5,33"], 1e-5


def placement():
    """What the GPU has no code for is between what it has; sizes that come from values; an output that is an input, and one that is a weight; a few
    integers that the host has, and what GPUs alone have code for."""
    nodes = [
        helper.make_node("Mul", ["x", "w"], ["a"], name="first"),
        helper.make_node("Reshape", ["a", "planes"], ["images"]),
        helper.make_node("Imputer", ["images"], ["imputed"], name="imputed", domain="ai.onnx.ml", imputed_value_floats=[1.0]),
        helper.make_node("Exp", ["imputed"], ["y"], name="second"),
        helper.make_node("Greater", ["x", "zero"], ["signs"], name="signs"),
        helper.make_node("Unique", ["signs"], ["found", "", "places"], name="unique", axis=0),
        helper.make_node("Cast", ["found"], ["b"], name="cast", to=FLOAT),
        helper.make_node("Neg", ["b"], ["z"], name="third"),
        helper.make_node("Shape", ["x"], ["dims"], name="shape"),
        helper.make_node("Reshape", ["y", "flat"], ["rows"], name="reshape"),
        helper.make_node("Identity", ["x"], ["same"], name="same"),
        helper.make_node("Add", ["rows", "rows"], ["twice"], name="twice"),
        helper.make_node("MatMul", ["few", "few"], ["product"], name="product"),
        helper.make_node("Pow", ["few", "few"], ["powers"], name="powers"),
        helper.make_node("Mul", ["few", "few"], ["squares"], name="squares"),
    ]
    weights = {"w": normal(12), "planes": numpy.array([-1, 1, 3, 4]), "zero": numpy.float32(0), "flat": numpy.array([-1])}
    inputs = [("x", FLOAT, ["n", 12]), ("few", TensorProto.INT64, [3, 3])]
    outputs = [("y", FLOAT, None), ("places", TensorProto.INT64, None), ("z", FLOAT, None), ("dims", TensorProto.INT64, None), ("same", FLOAT, None),
               ("twice", FLOAT, None), *((name, TensorProto.INT64, None) for name in ("product", "powers", "squares"))]
    return model(nodes, inputs, outputs, weights), ["n=2,5"], 1e-5


def recurrent():
    """Every cell and direction: lengths of rows, states, peepholes, another layout, a reset before and after the product; layers one after the other."""
    node = lambda operator, inputs, outputs, name, **more: helper.make_node(operator, inputs, outputs, name=name, **more)
    def layer(name, gates, directions, inputs, hidden):
        return {f"{name}w": normal(directions, gates * hidden, inputs) / 4, f"{name}r": normal(directions, gates * hidden, hidden) / 4, f"{name}b": normal(directions, 2 * gates * hidden) / 4}
    weights = {**layer("l", 4, 1, 10, 33), **layer("m", 4, 2, 33, 24), **layer("g", 3, 2, 10, 17), **layer("p", 3, 1, 10, 17), **layer("e", 1, 1, 10, 16),
               "lengths": numpy.array([3, 1, 5, 0], numpy.int32), "c0": normal(2, 4, 24), "h0": normal(2, 4, 24), "peep": normal(2, 72), "shape": numpy.array([0, -1, 33]),
               "last": numpy.array([1])}
    nodes = [
        node("LSTM", ["x", "lw", "lr", "lb"], ["a", "ah", "ac"], "lstm", hidden_size=33),
        node("Squeeze", ["a", "last"], ["flat"], "squeeze"),
        node("LSTM", ["flat", "mw", "mr", "mb", "lengths", "h0", "c0", "peep"], ["b", "bh", "bc"], "both", hidden_size=24, direction="bidirectional", clip=2.0),
        node("GRU", ["x", "gw", "gr", "gb", "lengths"], ["c", "ch"], "gru", hidden_size=17, direction="bidirectional", linear_before_reset=1),
        node("GRU", ["x", "pw", "pr", "pb", "lengths"], ["d", ""], "gru_before", hidden_size=17, direction="reverse"),
        node("RNN", ["x", "ew", "er", "eb"], ["", "e"], "rnn", hidden_size=16, activations=["Softsign"]),
        node("Tanh", ["b"], ["y"], "tanh"),
    ]
    outputs = [(name, FLOAT, None) for name in ("y", "ah", "ac", "bh", "bc", "c", "ch", "d", "e")]
    return model(nodes, [("x", FLOAT, ["t", 4, 10])], outputs, weights), ["t=5,9"], 1e-5


def selection():
    """Sizes that values decide, sorts, scans, gathers and scatters, with kernels around them."""
    node = lambda operator, inputs, outputs, name, **more: helper.make_node(operator, inputs, outputs, name=name, **more)
    INT = TensorProto.INT64
    nodes = [
        node("Mul", ["x", "w"], ["a"], "first"),
        node("TopK", ["a", "three"], ["top", "places"], "top"),
        node("Exp", ["top"], ["y"], "second"),
        node("TopK", ["x", "rows"], ["low", "order"], "sort", axis=0, largest=0),
        node("NonZero", ["i"], ["where"], "where"),
        node("Cast", ["where"], ["b"], "cast", to=FLOAT),
        node("Neg", ["b"], ["z"], "third"),
        node("Transpose", ["where"], ["tuples"], "tuples", perm=[1, 0]),
        node("GatherND", ["i", "tuples"], ["present"], "present"),
        node("CumSum", ["x", "one"], ["sums"], "sums", exclusive=1),
        node("CumSum", ["i", "zero"], ["counts"], "counts", reverse=1),
        node("GatherElements", ["x", "places"], ["picked"], "pick", axis=1),
        node("ScatterElements", ["x", "places", "top"], ["put"], "put", axis=1, reduction="add"),
        node("ScatterND", ["x", "tuple", "row"], ["replaced"], "replace"),
        node("Compress", ["x", "mask"], ["some"], "some", axis=1),
        node("OneHot", ["places", "depth", "values"], ["hot"], "hot"),
        node("Unique", ["i"], ["set", "", "inverse", "times"], "unique", sorted=0),
        node("Sign", ["x"], ["signs"], "signs"),
        node("Unique", ["signs"], ["columns", "since", "column", "often"], "columns", axis=1, sorted=0),
        node("Gather", ["specials", "i"], ["special"], "special"),
        node("Unique", ["special"], ["rows_found", "row_since", "row_of", "row_often"], "rows_found", axis=0),
        node("Abs", ["rows_found"], ["magnitudes"], "magnitudes"),
        node("Transpose", ["x"], ["turned"], "turn"),
        node("GatherND", ["turned", "batched"], ["few"], "few", batch_dims=1),
        node("Sum", ["put", "replaced", "x"], ["all"], "all"),
        node("Shape", ["i"], ["dims"], "dims"),
        node("Gather", ["dims", "zero"], ["rows"], "rows"),
    ]
    weights = {"w": normal(12), "three": numpy.array([3]), "one": numpy.array(1), "zero": numpy.array([0]), "tuple": numpy.array([[-1], [0], [-1]]), "row": normal(3, 12),
               "mask": numpy.array([1, 0, 1, 1, 0, 0, 0, 1, 0, 1, 0, 0], bool), "depth": numpy.array(12), "specials": numpy.array([numpy.nan, -0.0, numpy.inf, 0.0], numpy.float32), "batched": numpy.tile([[-1], [0]], (12, 1, 1)), "values": numpy.array([-1, 2], numpy.float32)}
    nodes = nodes[-2:] + nodes[:-2]
    outputs = [(name, FLOAT, None) for name in ("y", "low", "z", "sums", "picked", "all", "some", "hot", "few", "columns", "magnitudes")]
    outputs += [(name, INT, None) for name in ("order", "counts", "present", "set", "inverse", "times", "since", "column", "often", "row_since", "row_of", "row_often")]
    return model(nodes, [("x", FLOAT, ["n", 12]), ("i", INT, ["n", 5])], outputs, weights), ["n=2,700"], 1e-5


def detection():
    """A detector's head: boxes, scores a class, what is kept of them; regions that are pooled."""
    node = lambda operator, inputs, outputs, name, **more: helper.make_node(operator, inputs, outputs, name=name, **more)
    nodes = [
        node("Sigmoid", ["s"], ["scores"], "scores"),
        node("NonMaxSuppression", ["b", "scores", "most", "iou", "least"], ["kept"], "nms"),
        node("Gather", ["kept", "two"], ["index"], "index", axis=1),
        node("Squeeze", ["index", "one"], ["list"], "list"),
        node("Squeeze", ["b", "zero"], ["boxes"], "boxes"),
        node("Gather", ["boxes", "list"], ["chosen"], "chosen"),
        node("Mul", ["chosen", "scale"], ["y"], "scale"),
        node("NonMaxSuppression", ["b", "scores", "many"], ["centers"], "centers", center_point_box=1),
        node("RoiAlign", ["x", "rois", "batch"], ["pooled"], "roi_align", output_height=3, output_width=2, sampling_ratio=2, spatial_scale=0.5),
        node("RoiAlign", ["x", "rois", "batch"], ["largest"], "roi_largest", output_height=2, output_width=2, mode="max", coordinate_transformation_mode="output_half_pixel"),
        node("MaxRoiPool", ["x", "corners"], ["maxima"], "max_roi_pool", pooled_shape=[2, 3], spatial_scale=0.5),
        node("GridSample", ["x", "grid"], ["sampled"], "grid"),
        node("LRN", ["sampled"], ["normal"], "lrn", size=3),
        node("MaxPool", ["x"], ["windows", "positions"], "windows", kernel_shape=[2, 2], strides=[2, 2]),
        node("ReverseSequence", ["x", "lengths"], ["turned"], "turned", batch_axis=1, time_axis=2),
    ]
    weights = {"most": numpy.array([7]), "many": numpy.array([1000]), "iou": numpy.array([0.3], numpy.float32), "least": numpy.array([0.6], numpy.float32), "two": numpy.array([2]),
               "one": numpy.array([1]), "zero": numpy.array([0]), "scale": numpy.float32(640), "rois": numpy.array([[1, 2, 9, 8], [0, 0, 30, 30], [5, 5, 4, 4]], numpy.float32),
               "corners": numpy.array([[0, 1, 2, 9, 8], [0, 0, 0, 30, 30], [0, 5, 5, 4, 4], [0, -9, -9, 3, 25]], numpy.float32), "batch": numpy.array([0, 0, 0]), "grid": normal(1, 5, 4, 2), "lengths": numpy.array([3, 9, 0, 1])}
    inputs = [("b", FLOAT, [1, "n", 4]), ("s", FLOAT, [1, 5, "n"]), ("x", FLOAT, [1, 4, 9, 11])]
    outputs = [(name, FLOAT, None) for name in ("y", "pooled", "largest", "maxima", "normal", "windows", "turned")] + [(name, TensorProto.INT64, None) for name in ("kept", "centers", "positions")]
    return model(nodes, inputs, outputs, weights), ["n=40,1300"], 1e-5


def signals():
    """A spectrogram on the mel scale, up to a frequency that is computed."""
    node = lambda operator, inputs, outputs, name, **more: helper.make_node(operator, inputs, outputs, name=name, **more)
    nodes = [
        node("STFT", ["x", "step", "window"], ["spectrum"], "stft"),
        node("ReduceSumSquare", ["spectrum"], ["power"], "power", axes=[3], keepdims=0),
        node("Sign", ["x"], ["signs"], "signs"),
        node("ReduceMax", ["signs"], ["one"], "one", keepdims=0),
        node("Mul", ["one", "most"], ["upper"], "upper"),
        node("MelWeightMatrix", ["bins", "length", "rate", "lower", "upper"], ["mel"], "mel"),
        node("MatMul", ["power", "mel"], ["y"], "bands"),
    ]
    weights = {"step": numpy.array(90), "window": numpy.hanning(200).astype(numpy.float32), "bins": numpy.array(13), "length": numpy.array(200), "rate": numpy.array(16000),
               "lower": numpy.float32(20), "most": numpy.float32(7000)}
    return model(nodes, [("x", FLOAT, ["n", 400, 1])], [("y", FLOAT, None), ("mel", FLOAT, None)], weights), ["n=1,3"], 1e-5


def branches():
    """Branches in branches and loops: what they read and give is on the GPU, what decides is not."""
    info = lambda name, kind=FLOAT, dims=None: helper.make_tensor_value_info(name, kind, dims)
    n = lambda *a, **k: helper.make_node(*a, **k)

    def body(name, *nodes):
        return helper.make_graph(list(nodes), name, [], [info(nodes[-1].output[0])])
    inner = n("If", ["c"], ["inner"], name="inner_if", then_branch=body("then", n("Exp", ["a"], ["t"], name="exp")), else_branch=body("else", n("Neg", ["a"], ["e"], name="neg")))
    step = helper.make_graph(
        [n("Cast", ["i"], ["number"], to=FLOAT), n("Mul", ["h", "decay"], ["scaled"], name="decay"), n("Add", ["scaled", "a"], ["sum"], name="advance"),
         n("Add", ["sum", "number"], ["next"], name="count"), n("ReduceMean", ["next"], ["mean"], name="mean", keepdims=0), n("Identity", ["keep"], ["again"])],
        "step", [info("i", TensorProto.INT64, []), info("keep", TensorProto.BOOL, []), info("h", FLOAT, ["n", 7])],
        [info("again", TensorProto.BOOL, []), info("next", FLOAT, ["n", 7]), info("mean", FLOAT, [])])
    grow = helper.make_graph(
        [n("Concat", ["g", "x"], ["longer"], name="grow", axis=0), n("Identity", ["keep2"], ["again2"])], "growing",
        [info("j", TensorProto.INT64, []), info("keep2", TensorProto.BOOL, []), info("g", FLOAT, ["m", 7])], [info("again2", TensorProto.BOOL, []), info("longer", FLOAT, ["k", 7])])
    nodes = [
        n("Mul", ["x", "x"], ["a"], name="square"),
        n("ReduceSum", ["x"], ["sum_of_x"], name="sum", keepdims=0),
        n("Greater", ["sum_of_x", "zero"], ["c"], name="greater"),
        n("If", ["c"], ["d"], name="if", then_branch=body("exp_of", n("Exp", ["a"], ["y1"], name="exp_of")), else_branch=body("nested", inner, n("Add", ["inner", "a"], ["y2"], name="add_inner"))),
        n("If", ["c"], ["same"], name="same_if", then_branch=body("of_a", n("Identity", ["a"], ["s1"])), else_branch=body("of_x", n("Identity", ["x"], ["s2"]))),
        n("Loop", ["trips", "", "x"], ["last", "means"], name="loop", body=step),
        n("Loop", ["trips", "", "x"], ["grown"], name="grow_loop", body=grow),
        n("Loop", ["none", "", "x"], ["untouched", "no_means"], name="no_loop", body=step),
        n("Add", ["d", "last"], ["y"], name="add"),
        n("Add", ["same", "untouched"], ["z"], name="add_same"),
        n("Neg", ["grown"], ["w"], name="negate_grown"),
        n("Exp", ["means"], ["m"], name="exp_means"),
    ]
    weights = {"zero": numpy.float32(0), "decay": numpy.float32(0.5), "trips": numpy.array(3), "none": numpy.array(0)}
    return model(nodes, [("x", FLOAT, ["n", 7])], [(name, FLOAT, None) for name in ("y", "z", "w", "m")], weights), ["n=1,4"], 1e-5


def transformer():
    """Products and attention that --bf16 puts on tensor cores; a product of one row."""
    weights = {"wq": normal(64, 128) / 8, "wk": normal(64, 128) / 8, "wv": normal(64, 128) / 8, "wo": normal(128, 72) / 12, "b": normal(72), "shape": numpy.array([0, 0, 2, 64]),
               "flat": numpy.array([0, 0, 128]), "row": numpy.array([0])}
    nodes = []
    for name in "qkv":
        nodes += [helper.make_node("MatMul", ["x", f"w{name}"], [f"p{name}"], name=f"project_{name}"), helper.make_node("Reshape", [f"p{name}", "shape"], [f"s{name}"]),
                  helper.make_node("Transpose", [f"s{name}"], [f"h{name}"], perm=[0, 2, 1, 3])]
    nodes += [helper.make_node("Attention", ["hq", "hk", "hv"], ["a"], name="attend"), helper.make_node("Transpose", ["a"], ["t"], perm=[0, 2, 1, 3]),
              helper.make_node("Reshape", ["t", "flat"], ["r"]), helper.make_node("MatMul", ["r", "wo"], ["m"], name="out"), helper.make_node("Add", ["m", "b"], ["y"], name="bias"),
              helper.make_node("Gather", ["y", "row"], ["first"], axis=1), helper.make_node("Tanh", ["first"], ["pooled"])]
    return model(nodes, [("x", FLOAT, ["n", "s", 64])], [("y", FLOAT, None), ("pooled", FLOAT, None)], weights, opset=23), ["n=1,2", "s=9,40"], 1e-5


def tuples():
    """Index tuples, from the end, too."""
    nodes = [helper.make_node("GatherND", ["x", "i"], ["y"], name="tuples"), helper.make_node("GatherND", ["x", "j"], ["z"], name="rows")]
    weights = {"i": numpy.array([[[0, 0], [-1, -5]], [[1, 4], [-2, 2]]]), "j": numpy.array([[1], [-2], [0]])}
    return model(nodes, [("x", FLOAT, [2, 5, "n"])], [("y", FLOAT, None), ("z", FLOAT, None)], weights), ["n=1,7"], 0


def halves():
    """Products and convolutions of f16 on tensor cores: pixels of 2 to 16 bytes, one dim, what no instruction takes."""
    n = lambda *a, **k: helper.make_node(*a, **k)
    half = lambda *dims: (normal(*dims) / 8).astype(numpy.float16)
    nodes = [
        n("Conv", ["x", "w", "b"], ["a"], name="plain", pads=[1, 1, 1, 1]),
        n("Relu", ["a"], ["r"], name="relu"),
        n("Conv", ["r", "v"], ["c"], name="strided", strides=[2, 1], dilations=[1, 2], pads=[0, 2, 1, 0]),
        n("Conv", ["r", "p"], ["d"], name="pointwise"),
        n("Add", ["d", "r"], ["e"], name="residual"),
        n("Conv", ["e", "o"], ["odd"], name="odd", pads=[0, 0, 1, 1]),
        n("Conv", ["e", "q"], ["f"], name="depthwise", group=32, pads=[1, 1, 1, 1]),
        n("Conv", ["s", "u"], ["one"], name="sound", strides=[2], pads=[2, 3]),
        n("MatMul", ["m", "k"], ["product"], name="product"),
    ]
    weights = {"w": half(32, 3, 3, 3), "b": half(32), "v": half(40, 32, 3, 2), "p": half(32, 32, 1, 1), "o": half(5, 32, 2, 2), "q": half(32, 1, 3, 3), "u": half(9, 6, 5),
               "k": half(38, 24)}
    kind = TensorProto.FLOAT16
    inputs = [("x", kind, ["n", 3, "h", 13]), ("s", kind, ["n", 6, "l"]), ("m", kind, ["n", "l", 38])]
    outputs = [(name, kind, None) for name in ("c", "e", "odd", "f", "one", "product")]
    return model(nodes, inputs, outputs, weights), ["n=1,3", "h=9,17", "l=12,40"], 4e-3


def quantized():
    """Products and convolutions of 8 bits: padding other than 0, scales a channel, depthwise, one dim, rows of odd lengths, two activations."""
    nodes, weights = [], {}
    n = lambda *a, **k: nodes.append(helper.make_node(*a, **k)) or a[2][0]

    def activation(x, scale, zero, kind=numpy.uint8):
        weights[f"{x}_s"], weights[f"{x}_z"] = numpy.float32(scale), kind(zero)
        return n("DequantizeLinear", [n("QuantizeLinear", [x, f"{x}_s", f"{x}_z"], [f"{x}_q"]), f"{x}_s", f"{x}_z"], [f"{x}_d"])

    def weight(name, *dims, axis=0):
        weights[f"{name}_q"] = random.integers(-127, 128, size=dims, dtype=numpy.int8)
        weights[f"{name}_s"] = random.uniform(0.002, 0.02, size=dims[axis]).astype(numpy.float32)
        weights[f"{name}_z"] = numpy.zeros(dims[axis], numpy.int8)
        return n("DequantizeLinear", [f"{name}_q", f"{name}_s", f"{name}_z"], [name], axis=axis)

    weights["b"] = normal(32)
    n("Conv", [activation("x", 0.03, 117), weight("w", 32, 3, 3, 3), "b"], ["a"], name="plain", pads=[1, 1, 1, 1])
    n("Relu", ["a"], ["r"], name="relu")
    r = activation("r", 0.02, 0)
    n("Conv", [r, weight("v", 40, 32, 3, 2)], ["c"], name="strided", strides=[2, 1], dilations=[1, 2], pads=[0, 2, 1, 0])
    n("Conv", [r, weight("p", 32, 32, 1, 1)], ["d"], name="pointwise")
    n("Add", ["d", r], ["e"], name="residual")
    e = activation("e", 0.05, 3, numpy.int8)
    n("Conv", [e, weight("o", 5, 32, 2, 2)], ["odd"], name="odd", pads=[0, 0, 1, 1])
    n("Conv", [e, weight("q", 32, 1, 3, 3)], ["f"], name="depthwise", group=32, pads=[1, 1, 1, 1])
    n("Conv", [activation("s", 0.03, 10), weight("u", 9, 6, 5)], ["one"], name="sound", strides=[2], pads=[2, 3])
    m = activation("m", 0.02, 128)
    n("MatMul", [m, weight("k", 37, 24, axis=1)], ["product"], name="product")
    n("Transpose", [m], ["t"], perm=[0, 2, 1])
    n("MatMul", [m, "t"], ["scores"], name="scores")
    n("Softmax", ["scores"], ["probabilities"], axis=-1)
    n("MatMul", [activation("probabilities", 1 / 255, 0), m], ["attended"], name="attended")
    n("DynamicQuantizeLinear", ["m"], ["codes", "scale", "zero"])
    weights["g"] = random.integers(0, 255, size=(37, 19), dtype=numpy.uint8)
    weights["g_z"] = numpy.uint8(120)
    n("MatMulInteger", ["codes", "g", "zero", "g_z"], ["integers"], name="integers")
    inputs = [("x", FLOAT, ["n", 3, "h", 13]), ("s", FLOAT, ["n", 6, "l"]), ("m", FLOAT, ["n", "l", 37])]
    outputs = [(name, FLOAT, None) for name in ("c", "e", "odd", "f", "one", "product", "attended")] + [("integers", TensorProto.INT32, None)]
    return model(nodes, inputs, outputs, weights), ["n=1,3", "h=9,17", "l=12,40"], 1e-5


def float8():
    """Products and convolutions of e4m3: rows of 1 to 16 bytes, few rows, one dim, scales a column, two activations, scales of f16. What reads what another
    has computed, whose difference of rounding would be one of codes, reads sums of few terms, which are exact."""
    nodes, weights = [], {"zero": numpy.zeros((), ml_dtypes.float8_e4m3fn)}
    n = lambda *a, **k: nodes.append(helper.make_node(*a, **k)) or a[2][0]

    def through(x, scale, zero="zero", **axis):
        weights[f"{x}_s"] = scale
        return n("DequantizeLinear", [n("QuantizeLinear", [x, f"{x}_s", zero], [f"{x}_q"], **axis), f"{x}_s", zero], [f"{x}_d"], **axis)

    def weight(name, *dims, axis=0):
        weights[name], weights[f"{name}_z"] = normal(*dims), numpy.zeros(dims[axis], ml_dtypes.float8_e4m3fn)
        return through(name, random.uniform(0.01, 0.05, size=dims[axis]).astype(numpy.float32), f"{name}_z", axis=axis)

    weights["b"] = normal(32)
    scale = numpy.float32
    n("Conv", [through("x", scale(0.01)), weight("w", 32, 3, 3, 3), "b"], ["a"], name="plain", pads=[1, 1, 1, 1])
    n("Relu", ["a"], ["e"], name="relu")
    r = through("r", scale(0.02))
    n("Conv", [r, weight("v", 40, 32, 3, 2)], ["c"], name="strided", strides=[2, 1], dilations=[1, 2], pads=[0, 2, 1, 0])
    n("Conv", [r, weight("o", 32, 32, 1, 1)], ["d"], name="pointwise")
    n("Conv", [through("s", scale(0.01)), weight("u", 9, 6, 5)], ["one"], name="sound", strides=[2], pads=[2, 3])
    m = through("m", scale(0.02))
    n("MatMul", [m, weight("k", 80, 24, axis=1)], ["h"], name="wide")
    n("Gelu", ["h"], ["g"])
    n("MatMul", [through("q", scale(0.05)), weight("l", 23, 37, axis=1)], ["product"], name="odd")
    weights["i"] = normal(7, 300)  # more than is folded into floats at compile time
    n("MatMul", [through("few", scale(0.03)), weight("j", 45, 19, axis=1)], ["some"], name="few_rows")
    n("MatMul", [through("short", scale(1)), through("i", scale(1))], ["exact"], name="exact")
    n("Relu", ["exact"], ["above"], name="above")
    n("Identity", [through("above", scale(0.3))], ["again"])
    n("Transpose", [m], ["t"], perm=[0, 2, 1])
    n("MatMul", [m, "t"], ["scores"], name="scores")
    n("MatMul", [through("p", scale(0.03)), m], ["attended"], name="attended")
    weights["f"] = (normal(80, 32) / 8).astype(numpy.float16)
    n("Cast", ["m"], ["half"], to=TensorProto.FLOAT16)
    n("MatMul", [through("half", numpy.float16(0.02)), through("f", numpy.float16(0.01))], ["halves"], name="halves")
    inputs = [("x", FLOAT, ["n", 3, "h", 13]), ("s", FLOAT, ["n", 6, "l"]), ("m", FLOAT, ["n", "l", 80]), ("few", FLOAT, [3, 45]), ("r", FLOAT, ["n", 32, "h", 13]),
              ("q", FLOAT, ["n", "l", 23]), ("p", FLOAT, ["n", "l", "l"]), ("short", FLOAT, ["n", "l", 7])]
    outputs = [(name, FLOAT, None) for name in ("c", "d", "e", "one", "g", "product", "some", "again", "scores", "attended")] + [("halves", TensorProto.FLOAT16, None)]
    return model(nodes, inputs, outputs, weights, opset=20), ["n=1,3", "h=9,17", "l=12,40"], 2e-3


def many():
    """More kernels than a module of the emulation has."""
    nodes, outputs = [], []
    for count in range(2, 20):
        nodes += [helper.make_node("Concat", ["x"] * count, [f"c{count}"], axis=1), helper.make_node("Neg", [f"c{count}"], [f"y{count}"], name=f"neg{count}")]
        outputs.append((f"y{count}", FLOAT, None))
    return model(nodes, [("x", FLOAT, ["n", 3])], outputs), ["n=1,3"], 0


def bound():
    """Several sizes that come from values, one far larger than the other."""
    nodes, sizes, weights = [], [], {"one": numpy.array([1])}
    for name, low, high in (("rows", 2, 5), ("columns", 700, 900)):
        weights.update({f"{name}_factor": numpy.array([high / 2], numpy.float32), f"{name}_low": numpy.float32(low), f"{name}_high": numpy.float32(high)})
        nodes += [
            helper.make_node("ReduceMax", [name], [f"{name}_most"], name=f"{name}_most", keepdims=1),
            helper.make_node("Mul", [f"{name}_most", f"{name}_factor"], [f"{name}_more"], name=f"{name}_more"),
            helper.make_node("Clip", [f"{name}_more", f"{name}_low", f"{name}_high"], [f"{name}_clipped"], name=f"{name}_clip"),
            helper.make_node("Cast", [f"{name}_clipped"], [f"{name}_size"], name=f"{name}_cast", to=TensorProto.INT64),
        ]
        sizes.append(f"{name}_size")
    nodes += [
        helper.make_node("Concat", sizes, ["shape"], name="shape", axis=0),
        helper.make_node("Unsqueeze", ["rows_most", "one"], ["most"], name="most"),
        helper.make_node("Expand", ["most", "shape"], ["wide"], name="expand"),
        helper.make_node("Neg", ["wide"], ["y"], name="negative"),
    ]
    return model(nodes, [("rows", FLOAT, ["n"]), ("columns", FLOAT, ["m"])], [("y", FLOAT, None)], weights, opset=18), ["n=2,5", "m=3,4"], 0


def models():
    for make in (many, bound, resnet, bert, gpt2, transformer, tuples, convolutions, halves, quantized, float8, sparse, weights, attention, recurrent, selection, detection, signals, placement, branches, deep, decoding, grouped):
        yield make.__name__, *make()
