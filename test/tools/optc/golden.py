"""golden.py FOLDER: a model with one layer that 8 bits spoil, and sets of its inputs and outputs.

Layer 'coarse' reads an input whose first column is a thousand times the others and hardly counts.
"""
import os
import sys

import numpy

folder = sys.argv[1]
rng = numpy.random.default_rng(0)
w, v, u = (rng.uniform(-0.5, 0.5, (16, 16)).astype("f") for _ in range(3))
u[0] = 1e-5


def text(matrix):
    return "{" + ", ".join(repr(float(x)) for x in matrix.flatten()) + "}"


with open(os.path.join(folder, "model.onnxtxt"), "w") as file:
    file.write('<ir_version: 8, opset_import: ["" : 17]>\n'
               f"main (float[N, 16] x, float[N, 16] c) => (float[N, 16] y) <float[16, 16] w = {text(w)}, "
               f"float[16, 16] v = {text(v)}, float[16, 16] u = {text(u)}> {{\n"
               "  [first] a = MatMul (x, w)\n  [relu] b = Relu (a)\n  [second] d = MatMul (b, v)\n"
               "  [coarse] e = MatMul (c, u)\n  [sum] y = Add (d, e)\n}\n")


def write(name, file, values):
    os.makedirs(os.path.join(folder, name), exist_ok=True)
    numpy.save(os.path.join(folder, name, file), values)


for i in range(8):
    x, c = (rng.uniform(-1, 1, (4, 16)).astype("f") for _ in range(2))
    c[:, 0] = (1000, -1000, 500, 0)
    y = numpy.maximum(x @ w, 0) @ v + c @ u
    kind = "calib" if i < 4 else "judge"
    write(f"{kind}/{i}", "input_0.npy", x)
    write(f"{kind}/{i}", "input_1.npy", c)
    if i >= 4:
        write(f"outputs/{i}", "input_0.npy", x)
        write(f"outputs/{i}", "input_1.npy", c)
        write(f"outputs/{i}", "output_0.npy", y)
        write(f"others/{i}", "input_0.npy", x)
        write(f"others/{i}", "input_1.npy", c)
        write(f"others/{i}", "output_0.npy", y * 1.5)
