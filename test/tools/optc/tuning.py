"""tuning.py OPTC OPTC_RUN FAKE_DRIVER FOLDER: tuning files are written once, give the same artefacts again, and whatever they say, results are the same."""
import json
import os
import pathlib
import subprocess
import sys

import numpy as np

optc, optc_run, driver, folder = sys.argv[1:]
folder = pathlib.Path(folder)
gpu = dict(os.environ, LD_LIBRARY_PATH=driver, OPTC_FAKE_GPU="arch=90")

def products(type, m, n, k, weights=None):
    """Two equal products; with weights in the model, or as an input."""
    w = f"{type}[{k}, {n}] w"
    text = ", ".join(f"{v:.6g}" for v in weights.ravel()) if weights is not None else ""
    return f"""<ir_version: 9, opset_import: ["" : 20]>
main ({type}[{m}, {k}] x, {type}[{m}, {k}] r, {"" if text else w + ", "}{type}[{n}] b) => ({type}[{m}, {n}] y, {type}[{m}, {n}] z) {f"<{w} = {{{text}}}>" if text else ""} {{
  [first] p = MatMul (x, w)
  [bias] y = Add (p, b)
  [second] q = MatMul (r, w)
  [bias2] z = Add (q, b)
}}
"""


def windows(weights):
    text = ", ".join(f"{v:.6g}" for v in weights.ravel())
    o, c, h, w = weights.shape
    return f"""<ir_version: 9, opset_import: ["" : 20]>
main (float[1, {c}, 27, 29] x, float[1, {c}, 27, 29] r) => (float[1, {o}, 14, 15] y, float[1, {o}, 14, 15] z) <float[{o}, {c}, {h}, {w}] w = {{{text}}}> {{
  [first] y = Conv <pads = [1, 1, 1, 1], strides = [2, 2]> (x, w)
  [second] z = Conv <pads = [1, 1, 1, 1], strides = [2, 2]> (r, w)
}}
"""


def call(*command, environment=None):
    done = subprocess.run([str(c) for c in command], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


def run(name, text, shapes, flags, environment, tilings, tolerance):
    """Of a model with two equal kernels: the file, what it does, and results with each of `tilings`."""
    model = folder / f"{name}.onnxtxt"
    model.write_text(text)
    inputs = folder / f"{name}.in"
    inputs.mkdir()
    for i, dims in enumerate(shapes):
        np.save(inputs / f"input_{i}.npy", random.standard_normal(dims).astype(np.float16 if name == "gpu" else np.float32))

    def compile_with(tuning, to):
        return call(optc, model, *flags, tuning, "-o", folder / to, environment=environment)[1]

    tuning = folder / f"{name}.json"
    said = compile_with(f"--tune={tuning}", f"{name}.tuned.so")
    assert f"1 of 1 kernels that may be cut in several ways are as {name}.json has them" in said, said
    written = json.loads(tuning.read_text())
    (entry,) = written["kernels"]
    assert entry["nanoseconds"] > 0 and entry["estimated_nanoseconds"] >= entry["nanoseconds"], entry
    # What is there is not measured again.
    before = tuning.read_bytes()
    compile_with(f"--tune={tuning}", f"{name}.again.so")
    assert tuning.read_bytes() == before
    # The artefact is the same bytes, but for the flag that its report names alike.
    compile_with(f"--tuning={tuning}", f"{name}.given.so")
    assert (folder / f"{name}.given.so").read_bytes() == (folder / f"{name}.tuned.so").read_bytes() == (folder / f"{name}.again.so").read_bytes()
    # Entries of others stay.
    other = dict(entry, kernel="0123456789abcdef")
    tuning.write_text(json.dumps(dict(written, kernels=[other])))
    compile_with(f"--tune={tuning}", f"{name}.again.so")
    assert sorted(e["kernel"] for e in json.loads(tuning.read_text())["kernels"]) == sorted([other["kernel"], entry["kernel"]])

    call(optc, model, *flags, "-o", folder / f"{name}.so", environment=environment)
    usual = folder / f"{name}.usual"
    call(optc_run, folder / f"{name}.so", "--inputs", inputs, "--outputs", usual, environment=environment)
    for tiling in tilings:
        chosen = folder / f"{name}.chosen.json"
        chosen.write_text(json.dumps(dict(written, kernels=[dict(entry, tiling=tiling)])))
        said = compile_with(f"--tuning={chosen}", f"{name}.chosen.so")
        assert "1 of 1 kernels" in said, (tiling, said)
        call(optc_run, folder / f"{name}.chosen.so", "--inputs", inputs, "--expected", usual, *tolerance, environment=environment)
        if tiling != entry["estimated"]:
            lowered, _ = call(optc, model, *[f for f in flags if f != "--emit-host-emulation"], f"--tuning={chosen}", "--emit=mlir", environment=environment)
            numbers = ", ".join(str(n) for n in tiling)
            assert f"array<i64: {numbers}>" in lowered, lowered
    # Numbers that no generator offers have no effect.
    chosen.write_text(json.dumps(dict(written, kernels=[dict(entry, tiling=[7, 7, 7])])))
    assert "0 of 1 kernels" in compile_with(f"--tuning={chosen}", f"{name}.chosen.so")
    assert "1 of 1 kernels" in compile_with(f"--tune={chosen}", f"{name}.chosen.so") # they are measured anew
    print(f"{entry['target'] if name == 'gpu' else name}: {len(tilings)} tilings agree")


def refused(name, tuning, why):
    path = folder / "refused.json"
    path.write_text(tuning if isinstance(tuning, str) else json.dumps(tuning))
    done = subprocess.run([optc, folder / f"{name}.onnxtxt", f"--tuning={path}", "-o", folder / "x.so"], capture_output=True, text=True)
    assert done.returncode == 1 and why in done.stderr and not (folder / "x.so").exists(), (tuning, done.stderr)


random = np.random.default_rng(1)
# More rows than two blocks have, columns that no panel divides. Sums are the same bits.
run("cpu", products("float", 171, 75, 90, random.standard_normal((90, 75))), [(171, 90), (171, 90), (75,)], [], None,
    [[2, 84], [4, 84], [1, 84], [2, 42], [4, 42], [2, 168]], ["--rtol=0", "--atol=0"])
run("window", windows(random.standard_normal((40, 24, 3, 3))), [(1, 24, 27, 29)] * 2, [], None, [[2, 84], [1, 84], [2, 42], [1, 42], [2, 168]], ["--rtol=0", "--atol=0"])
# One tile or two, whole and in slices of their 16 steps: sums are cut elsewhere.
run("gpu", products("float16", 100, 96, 1024), [(100, 1024), (100, 1024), (1024, 96), (96,)], ["--target=sm_90", "--emit-host-emulation"], gpu,
    [[128, 64, 0], [128, 128, 4], [128, 64, 16]], ["--rtol=2e-3", "--atol=1e-2"])

entry = json.loads((folder / "cpu.json").read_text())["kernels"][0]
file = {"format": "optc-tuning", "version": 1, "kernels": [entry]}
refused("cpu", {"format": "optc-calibration"}, "is not a tuning file (--tune writes one)")
refused("cpu", dict(file, version=2), "has another version than 1")
refused("cpu", dict(file, kernels={}), "lacks 'kernels'")
refused("cpu", dict(file, kernels=[entry, entry]), "has two entries")
for key, value in (("tiling", []), ("tiling", [-1, 84]), ("tiling", [1] * 9), ("tiling", "x"), ("target", 3), ("nanoseconds", "x")):
    refused("cpu", dict(file, kernels=[dict(entry, **{key: value})]), "entry 0 of 'kernels' is none that --tune writes")
refused("cpu", "[" * 100000, "refused.json: error: ")
