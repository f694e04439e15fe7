"""rounding.py FOLDER: a dynamically quantised matrix product whose rows differ in size, a set of its inputs, and what it gives as
it is written (written) and in floats (real)."""
import os
import sys

import numpy

folder = sys.argv[1]
rng = numpy.random.default_rng(3)
w = rng.integers(-127, 128, (32, 8)).astype(numpy.int8)
scale = numpy.float32(0.0078125)
x = rng.uniform(-1, 1, (5, 32)).astype("f") * numpy.array([[1], [0.1], [0.01], [0], [0.05]], "f")
# The first row has the tensor's range, and codes without an error.
x[0] = (numpy.concatenate([[0, 255], rng.integers(0, 256, 30)]) - 127) * numpy.float32(2 / 255)

with open(os.path.join(folder, "model.onnxtxt"), "w") as file:
    file.write('<ir_version: 8, opset_import: ["" : 17]>\n'
               "main (float[N, 32] x) => (float[N, 8] y)\n"
               f"<int8[32, 8] w = {{{', '.join(str(v) for v in w.flatten())}}}, float ws = {{{float(scale)}}}> {{\n"
               "  [range] q, s, z = DynamicQuantizeLinear (x)\n  [product] p = MatMulInteger (q, w, z)\n"
               "  [real] r = Cast <to = 1> (p)\n  [scales] t = Mul (s, ws)\n  [scaled] y = Mul (r, t)\n}\n")

low, high = min(x.min(), 0), max(x.max(), 0)
step = numpy.float32((high - low) / numpy.float32(255))
zero = numpy.clip(numpy.rint(-low / step), 0, 255)
codes = numpy.clip(numpy.rint(x / step) + zero, 0, 255)
written = ((codes - zero) @ w.astype(numpy.float64)).astype("f") * (step * scale)
real = (x.astype(numpy.float64) @ (w * scale.astype(numpy.float64))).astype("f")
for name, file, values in (("set", "input_0", x), ("written", "output_0", written), ("real", "output_0", real)):
    os.makedirs(os.path.join(folder, name), exist_ok=True)
    numpy.save(os.path.join(folder, name, file + ".npy"), values)
