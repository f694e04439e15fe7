"""regions.py FOLDER: a loop with a branch in it, both with a layer, and sets of their inputs."""
import os
import sys

import numpy

folder = sys.argv[1]
rng = numpy.random.default_rng(0)
w = rng.uniform(-0.5, 0.5, (8, 8)).astype("f")
weights = "{" + ", ".join(repr(float(x)) for x in w.flatten()) + "}"
with open(os.path.join(folder, "model.onnxtxt"), "w") as file:
    file.write(f"""<ir_version: 8, opset_import: ["" : 17]>
main (float[N, 8] x, bool c, int64 trips) => (float[N, 8] last, float[K, N, 8] all) <float[8, 8] w = {weights}, bool yes = {{1}}> {{
  [repeat] last, all = Loop (trips, yes, x) <body = l (int64 i, bool go, float[N, 8] state) => (bool on, float[N, 8] next, float[N, 8] out) {{
    on = Identity (go)
    [product] p = MatMul (state, w)
    [squash] next = Tanh (p)
    [choice] out = If (c) <
      then_branch = a () => (float[N, 8] t) {{ [relu] q = Relu (next) [inner] t = MatMul (q, w) }},
      else_branch = b () => (float[N, 8] e) {{ [negate] e = Neg (next) }}>
  }}>
}}
""")
# Without a turn of the loop, with the branch and without it.
for i, (taken, trips) in enumerate([(True, 0), (False, 2), (True, 3), (True, 1)]):
    for kind in ("calib", "untaken"):
        if kind == "untaken" and taken:
            continue
        os.makedirs(os.path.join(folder, kind, str(i)))
        for k, value in enumerate((rng.uniform(-1, 1, (i + 1, 8)).astype("f"), numpy.array(taken), numpy.array(trips))):
            numpy.save(os.path.join(folder, kind, str(i), f"input_{k}.npy"), value)
