"""outliers.py FOLDER: models with channels that are many times as large as the others, which no later layer needs to be so.

equalize: a convolution, one with a filter a channel and another one, with a clamp and a relu between them. smooth: a layer
normalisation and two matrix products that read it.
"""
import os
import sys

import numpy

folder = sys.argv[1]
rng = numpy.random.default_rng(0)
C = 16


def text(values):
    return "{" + ", ".join(repr(float(x)) for x in values.flatten()) + "}"


def random(*dims):
    return rng.uniform(-0.5, 0.5, dims).astype("f")


def write(name, source, dims):
    with open(os.path.join(folder, name + ".onnxtxt"), "w") as file:
        file.write('<ir_version: 8, opset_import: ["" : 17]>\n' + source)
    for kind in ("calib", "judge"):
        for i in range(4):
            os.makedirs(os.path.join(folder, name, kind, str(i)))
            numpy.save(os.path.join(folder, name, kind, str(i), "input_0.npy"), rng.normal(0, 1, dims).astype("f"))


size = numpy.ones(C, "f")
size[::5] = (40, 25, 60, 30)
w, d, v, b = random(C, 3, 3, 3), random(C, 1, 3, 3), random(8, C, 1, 1), random(C)
write("equalize", f"""main (float[1, 3, 12, 12] x) => (float[1, 8, 12, 12] y)
<float[{C}, 3, 3, 3] w = {text(w * size[:, None, None, None])}, float[{C}] b = {text(b * size)}, float lo = {{0.0}}, float hi = {{500.0}},
 float[{C}, 1, 3, 3] d = {text(d)}, float[8, {C}, 1, 1] v = {text(v / size[:, None, None])}> {{
  [first] p = Conv <pads = [1, 1, 1, 1]> (x, w, b)
  [clamp] q = Clip (p, lo, hi)
  [depthwise] r = Conv <group = {C}, pads = [1, 1, 1, 1]> (q, d)
  [relu] s = Relu (r)
  [last] y = Conv (s, v)
}}
""", (1, 3, 12, 12))
size = numpy.ones(C, "f")
size[3], size[11] = 60, 90
g, b, w, v = 1 + random(C), random(C), random(C, 12), random(C, 12)
write("smooth", f"""main (float[1, 8, {C}] x) => (float[1, 8, 12] y, float[1, 8, 12] z)
<float[{C}] g = {text(g * size)}, float[{C}] b = {text(b * size)}, float[{C}, 12] w = {text(w / size[:, None])}, float[{C}, 12] v = {text(v / size[:, None])}> {{
  [norm] n = LayerNormalization (x, g, b)
  [left] y = MatMul (n, w)
  [right] z = MatMul (n, v)
}}
""", (1, 8, C))
