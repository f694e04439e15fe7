"""onnx_torch_test.py [-v]: torch's modules of ONNX's own node tests give their outputs, and so do those of models whose parts become one function.

Where torch has to know a value, all inputs but the first are the model's; outputs that torch's function lacks are not asked for. Ends with how many
agree; an operator of the table that no test tries is an error. -v lists what is of no kind that the table has."""
import sys

import numpy
import onnx
import onnx.parser
import torch
from onnx import numpy_helper
from onnx.backend.test.loader import load_model_tests
from onnx.reference import ReferenceEvaluator

from onnx_torch import Model
from torch_operators import OPERATORS, Unsupported

# Equal elements come in another order; of integers ONNX has what torch has of floats alone.
OTHERWISE = ("test_top_k_same_values",)
# What the node tests have in other kinds alone: {what the module has to have: a model}.
MODELS = {
    "F.scaled_dot_product_attention(v0, v1.transpose(-1, -2), v2, attn_mask=v3, scale=0.25)": """(float[2,3,4,8] q, float[2,3,8,5] k, float[2,3,5,8] v, float[2,1,1,5] mask) => (float[2,3,4,8] y)
        { s = Constant<value = float {0.25}>() a = MatMul(q, k) b = Mul(s, a) c = Add(mask, b) d = Softmax<axis = -1>(c) y = MatMul(d, v) }""",
    "attn_mask=None, scale=1.0)": """(float[2,3,4,8] q, float[2,3,8,5] k, float[2,3,5,8] v) => (float[2,3,4,8] y) { a = MatMul(q, k) b = Softmax<axis = 3>(a) y = MatMul(b, v) }""",
    "torch.softmax": """(float[3,4,8] q, float[3,8,5] k, float[3,5,8] v) => (float[3,4,8] y, float[3,4,5] b) { a = MatMul(q, k) b = Softmax<axis = -1>(a) y = MatMul(b, v) }""",
    "F.gelu(v0)": """(float[3,4] x) => (float[3,4] y) { r = Constant<value = float {1.41421356}>() o = Constant<value = float {1}>() h = Constant<value = float {0.5}>()
        a = Div(x, r) b = Erf(a) c = Add(b, o) d = Mul(x, c) y = Mul(d, h) }""",
    "F.gelu(v0, approximate='tanh')": """(float[3,4] x) => (float[3,4] y) { t = Constant<value = float {3}>() f = Constant<value = float {0.044715}>() s = Constant<value = float {0.797884561}>()
        o = Constant<value = float {1}>() h = Constant<value = float {0.5}>() a = Pow(x, t) b = Mul(f, a) c = Add(x, b) d = Mul(c, s) e = Tanh(d) g = Add(e, o) i = Mul(h, x) y = Mul(i, g) }""",
    "F.silu(v0)": "(float[3,4] x) => (float[3,4] y) { a = Sigmoid(x) y = Mul(a, x) }",
    "F.linear(": """(float[3,2] x) => (float[3,4] y) <float[2,4] w = {1, 2, 3, 4, 5, 6, 7, 8}, float[4] b = {1, -2, 3, -4}> { a = MatMul(x, w) y = Add(b, a) }""",
    "run_recurrent(m.": """(float[3,1,2] x) => (float[3,1,1,1] y, float[1,1,1] h) <float[1,3,2] w = {1, 0.5, -0.3, 0.2, 0.7, -1}, float[1,3,1] r = {0.3, -0.6, 0.9}, float[1,6] b = {0.1, 0.2, 0.3, 0.4, 0.5, 0.6}>
        { y, h = GRU<hidden_size = 1, linear_before_reset = 1>(x, w, r, b) }""",
    ".to(torch.int64)": "(float[3,4] x) => (int64[3,4] y) { y = Cast<to = 7>(x) }",
    # Sizes are numbers.
    ".reshape([2, 12])": """(float[2,3,4] x) => (float[2,12] y) { s = Shape<end = 1>(x) m = Constant<value = int64[1] {-1}>() t = Size(x) u = Constant<value = int64[1] {2}>() n = Div(t, u) d = Concat<axis = 0>(s, n)
        y = Reshape(x, d) }""",
    " + m.": """(float[4] x) => (float[4] y) { a = Constant<value = int64 {0}>() s = Shape(x) b = Squeeze(s) c = Constant<value = int64 {1}>() r = Range(a, b, c) f = Cast<to = 1>(r)
        o = ConstantOfShape<value = float[1] {3}>(s) p = Add(f, o) y = Add(x, p) }"""}
TRIED_THERE = {"Linear", "Attention of torch", "Gelu of erf", "Gelu of tanh", "Silu", "GRU", "Cast", "Shape", "Size", "Range", "ConstantOfShape"}


def attempt(model, values, known, outputs):
    """The first outputs, with the inputs of `known` as the model's own."""
    model = onnx.ModelProto.FromString(model.SerializeToString())
    del model.graph.output[outputs:]
    model.graph.initializer.extend(numpy_helper.from_array(values[name], name) for name in known)
    inputs = {name: torch.from_numpy(value.copy()) for name, value in values.items() if name not in known}
    return Model(model, inputs)(*inputs.values())


def differs(got, wanted):
    got = got.numpy()
    if got.shape != wanted.shape or got.dtype != wanted.dtype:
        return f"{got.dtype}{list(got.shape)} instead of {wanted.dtype}{list(wanted.shape)}"
    return "" if numpy.allclose(got, wanted, rtol=1e-3, atol=1e-5, equal_nan=True) else f"off by {numpy.abs(got - wanted).max()}"


agree, unsupported, wrong = {}, [], []
for case in load_model_tests(kind="node"):
    op = case.model.graph.node[0].op_type
    if len(case.model.graph.node) != 1 or op not in OPERATORS or case.name.startswith(OTHERWISE):
        continue
    for inputs, expected in case.data_sets:
        values = dict(zip((i.name for i in case.model.graph.input), inputs))
        if not all(isinstance(value, numpy.ndarray) and value.dtype.kind in "fiub" for value in (*inputs, *expected)):
            continue
        for known, count in (([], 9), (list(values)[1:], 9), (list(values)[1:], 1)):
            try:
                outputs = attempt(case.model, values, known, count)
                break
            except Unsupported as why:
                reason = why
        else:
            unsupported.append(f"{case.name}: {reason}")
            continue
        problems = [problem for problem in map(differs, outputs, expected) if problem]
        if problems:
            wrong.append(f"{case.name}: {problems[0]}")
        else:
            agree[op] = agree.get(op, 0) + 1
for text, code in MODELS.items():
    model = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["": 18]> g {code}')
    random = numpy.random.default_rng(0)
    values = {i.name: random.standard_normal([d.dim_value for d in i.type.tensor_type.shape.dim]).astype(numpy.float32) for i in model.graph.input}
    module = Model(model, {name: torch.from_numpy(value) for name, value in values.items()})
    assert text in module.source, module.source
    problems = [p for p in map(differs, module(*map(torch.from_numpy, values.values())), ReferenceEvaluator(model).run(None, values)) if p]
    wrong += [f"{text}: {problem}" for problem in problems]
if "-v" in sys.argv:
    print(*unsupported, sep="\n")
print(*wrong, sep="\n")
untried = set(OPERATORS) - set(agree) - TRIED_THERE
print(f"{sum(agree.values())} node tests of {len(agree)} operators agree, {len(unsupported)} are of other kinds, {len(wrong)} wrong")
assert not untried and not wrong, untried
