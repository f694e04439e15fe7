"""sets.py FOLDER: a model of two matrix products with a relu between them, and sets of its inputs."""
import os
import sys

import numpy

folder = sys.argv[1]
rng = numpy.random.default_rng(0)
w, v = (rng.uniform(-0.5, 0.5, (4, 4)).astype("f") for _ in range(2))


def text(matrix):
    return "{" + ", ".join(repr(float(x)) for x in matrix.flatten()) + "}"


HEAD = '<ir_version: 8, opset_import: ["" : 17]>\n'
WEIGHTS = f"<float[4, 4] w = {text(w)}, float[4, 4] v = {text(v)}>"
with open(os.path.join(folder, "model.onnxtxt"), "w") as file:
    file.write(HEAD + f"main (float[N, 4] x) => (float[N, 4] y) {WEIGHTS} {{\n  [first] a = MatMul (x, w)\n"
               "  [relu] b = Relu (a)\n  [second] y = MatMul (b, v)\n}\n")
with open(os.path.join(folder, "one.onnxtxt"), "w") as file:
    file.write(HEAD + f"main (float[N, 4] x) => (float[N, 4] y) {WEIGHTS} {{\n  [first] y = MatMul (x, w)\n}}\n")


def write(name, file, values):
    os.makedirs(os.path.join(folder, name), exist_ok=True)
    numpy.save(os.path.join(folder, name, file), values)


samples = rng.uniform(-1, 1, (2, 8, 4)).astype("f")
samples[:, 0] = [[1, -1, 0.5, 0]]
for name, x in zip("ab", samples):
    write("sets/" + name, "input_0.npy", x)
write("expected", "output_0.npy", numpy.maximum(samples[0] @ w, 0) @ v)
write("wrong/a", "input_0.npy", numpy.zeros((1, 3), "f"))
write("infinite/a", "input_0.npy", numpy.full((1, 4), numpy.inf, "f"))
