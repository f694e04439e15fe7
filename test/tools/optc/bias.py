"""bias.py FOLDER: two layers that read what is far from 0 and varies little, so that rounding their weights moves the mean."""
import os
import sys

import numpy

folder = sys.argv[1]
rng = numpy.random.default_rng(0)


def text(values):
    return "{" + ", ".join(repr(float(x)) for x in values.flatten()) + "}"


w, b, v = (rng.uniform(-0.5, 0.5, dims).astype("f") for dims in ((32, 24), 24, (24, 8)))
with open(os.path.join(folder, "model.onnxtxt"), "w") as file:
    file.write(f"""<ir_version: 8, opset_import: ["" : 17]>
main (float[N, 32] x) => (float[N, 8] y) <float[32, 24] w = {text(w)}, float[24] b = {text(b)}, float[24, 8] v = {text(v)}> {{
  [first] p = MatMul (x, w)
  [bias] q = Add (p, b)
  [relu] r = Relu (q)
  [second] y = MatMul (r, v)
}}
""")
for kind in ("calib", "judge"):
    for i in range(4):
        os.makedirs(os.path.join(folder, kind, str(i)))
        numpy.save(os.path.join(folder, kind, str(i), "input_0.npy"), rng.uniform(0.8, 1, (16, 32)).astype("f"))
