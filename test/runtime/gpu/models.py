"""Models of what GPUs compute, with odd sizes: models() yields (name, model, sizes of its symbols, tolerance)."""
import numpy
from onnx import TensorProto, helper, numpy_helper

random = numpy.random.default_rng(11)
FLOAT = TensorProto.FLOAT


def model(nodes, inputs, outputs, weights={}, opset=17):
    info = lambda values: [helper.make_tensor_value_info(name, kind, dims) for name, kind, dims in values]
    graph = helper.make_graph(nodes, "model", info(inputs), info(outputs), [numpy_helper.from_array(v, k) for k, v in weights.items()])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)


def normal(*dims):
    return random.normal(size=dims).astype(numpy.float32)


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
    """What the GPU has no code for is between what it has; sizes that come from values; an output that is an input, and one that is a weight."""
    nodes = [
        helper.make_node("Mul", ["x", "w"], ["a"], name="first"),
        helper.make_node("Reshape", ["a", "matrices"], ["squares"]),
        helper.make_node("Det", ["squares"], ["det"], name="det"),
        helper.make_node("Exp", ["det"], ["y"], name="second"),
        helper.make_node("Sign", ["x"], ["signs"], name="signs"),
        helper.make_node("Unique", ["signs"], ["found", "", "places"], name="unique", axis=0),
        helper.make_node("Abs", ["found"], ["b"], name="abs"),
        helper.make_node("Neg", ["b"], ["z"], name="third"),
        helper.make_node("Shape", ["x"], ["dims"], name="shape"),
        helper.make_node("Reshape", ["y", "flat"], ["rows"], name="reshape"),
        helper.make_node("Identity", ["x"], ["same"], name="same"),
        helper.make_node("Add", ["rows", "rows"], ["twice"], name="twice"),
    ]
    weights = {"w": normal(12), "matrices": numpy.array([-1, 2, 2]), "flat": numpy.array([-1])}
    inputs = [("x", FLOAT, ["n", 12])]
    outputs = [("y", FLOAT, None), ("places", TensorProto.INT64, None), ("z", FLOAT, None), ("dims", TensorProto.INT64, None), ("same", FLOAT, None),
               ("twice", FLOAT, None)]
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
        node("Transpose", ["x"], ["turned"], "turn"),
        node("GatherND", ["turned", "batched"], ["few"], "few", batch_dims=1),
        node("Sum", ["put", "replaced", "x"], ["all"], "all"),
        node("Shape", ["i"], ["dims"], "dims"),
        node("Gather", ["dims", "zero"], ["rows"], "rows"),
    ]
    weights = {"w": normal(12), "three": numpy.array([3]), "one": numpy.array(1), "zero": numpy.array([0]), "tuple": numpy.array([[-1], [0], [-1]]), "row": normal(3, 12),
               "mask": numpy.array([1, 0, 1, 1, 0, 0, 0, 1, 0, 1, 0, 0], bool), "depth": numpy.array(12), "batched": numpy.tile([[-1], [0]], (12, 1, 1)), "values": numpy.array([-1, 2], numpy.float32)}
    nodes = nodes[-2:] + nodes[:-2]
    outputs = [(name, FLOAT, None) for name in ("y", "low", "z", "sums", "picked", "all", "some", "hot", "few")] + [(name, INT, None) for name in ("order", "counts", "present", "set", "inverse", "times")]
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
        node("GridSample", ["x", "grid"], ["sampled"], "grid"),
        node("LRN", ["sampled"], ["normal"], "lrn", size=3),
        node("MaxPool", ["x"], ["windows", "positions"], "windows", kernel_shape=[2, 2], strides=[2, 2]),
        node("ReverseSequence", ["x", "lengths"], ["turned"], "turned", batch_axis=1, time_axis=2),
    ]
    weights = {"most": numpy.array([7]), "many": numpy.array([1000]), "iou": numpy.array([0.3], numpy.float32), "least": numpy.array([0.6], numpy.float32), "two": numpy.array([2]),
               "one": numpy.array([1]), "zero": numpy.array([0]), "scale": numpy.float32(640), "rois": numpy.array([[1, 2, 9, 8], [0, 0, 30, 30], [5, 5, 4, 4]], numpy.float32),
               "batch": numpy.array([0, 0, 0]), "grid": normal(1, 5, 4, 2), "lengths": numpy.array([3, 9, 0, 1])}
    inputs = [("b", FLOAT, [1, "n", 4]), ("s", FLOAT, [1, 5, "n"]), ("x", FLOAT, [1, 4, 9, 11])]
    outputs = [(name, FLOAT, None) for name in ("y", "pooled", "largest", "normal", "windows", "turned")] + [(name, TensorProto.INT64, None) for name in ("kept", "centers", "positions")]
    return model(nodes, inputs, outputs, weights), ["n=40,1300"], 1e-5


def branches():
    """Branches and loops run on the CPU; what they read comes from the GPU."""
    def body(name, operator):
        node = helper.make_node(operator, ["a"], [name], name=name)
        return helper.make_graph([node], name, [], [helper.make_tensor_value_info(name, FLOAT, None)])
    nodes = [
        helper.make_node("Mul", ["x", "x"], ["a"], name="square"),
        helper.make_node("ReduceSum", ["x"], ["sum"], name="sum", keepdims=0),
        helper.make_node("Greater", ["sum", "zero"], ["c"], name="greater"),
        helper.make_node("If", ["c"], ["d"], name="if", then_branch=body("exp", "Exp"), else_branch=body("neg", "Neg")),
        helper.make_node("Add", ["d", "a"], ["y"], name="add"),
    ]
    return model(nodes, [("x", FLOAT, ["n", 7])], [("y", FLOAT, None)], {"zero": numpy.float32(0)}), ["n=1,4"], 1e-5


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


def models():
    for make in (transformer, tuples, convolutions, attention, recurrent, selection, detection, placement, branches):
        yield make.__name__, *make()
