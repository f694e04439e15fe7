"""The voice activity detector in 8 bits on a recording: quantized_silero.py DATA SCRATCH.

The model has a branch for 8 and one for 16 kHz; the recording is at 8 kHz, for the other branch its samples are
interpolated. Every other frame calibrates and guards, with the state that f32 has there. The guarded model then hears the
whole recording with a state of its own: in the other frames its probability of speech is within 0.05 of that of f32.
All 16 layers can compute in 8 bits, but what is heard spans so many orders of magnitude that the guard takes back the
Fourier transform, the first convolutions and the state's product; the others have to stay lowered.
"""
import json
import os
import re
import shutil
import subprocess
import sys

import numpy
import onnx
from onnx import numpy_helper

data, scratch = sys.argv[1:]
ALLOWED = 0.05


def recording():
    """Samples in [-1, 1] at 8 kHz, of a .au file in mu-law (ITU-T G.711)."""
    raw = open(os.path.join(data, "speech.au"), "rb").read()
    codes = ~numpy.frombuffer(raw[int.from_bytes(raw[4:8], "big"):], "u1")
    size = (((codes & 15).astype("i4") << 3) + 132 << (codes >> 4 & 7)) - 132
    return (numpy.where(codes & 128, -size, size) / 32768).astype("f")


def frames(rate):
    """What the model reads at a time: 32 ms, and the end of what came before."""
    samples = recording()
    if rate == 16000:
        samples = numpy.interp(numpy.arange(2 * len(samples)) / 2, numpy.arange(len(samples)), samples).astype("f")
    step, before = rate * 32 // 1000, rate * 4 // 1000
    padded = numpy.concatenate([numpy.zeros(before, "f"), samples])
    return [padded[None, i:i + before + step] for i in range(0, len(samples) - step + 1, step)]


def run(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def write(folder, *inputs):
    os.makedirs(folder, exist_ok=True)
    for i, value in enumerate(inputs):
        numpy.save(os.path.join(folder, f"input_{i}.npy"), value)


def listen(model, rate, calib=None):
    """The probabilities, one a frame; every other frame goes to `calib`."""
    state, heard = numpy.zeros((2, 1, 128), "f"), []
    inputs, outputs = (os.path.join(scratch, name) for name in ("in", "out"))
    for i, frame in enumerate(frames(rate)):
        for folder in [inputs] + ([os.path.join(calib, f"{rate}_{i}")] if calib and i % 2 == 0 else []):
            write(folder, frame, numpy.array(rate), state)
        run("optc-run", "--threads=1", model, "--inputs", inputs, "--outputs", outputs)
        probability, state = (numpy_helper.to_array(onnx.load_tensor(os.path.join(outputs, f"output_{i}.pb"))) for i in (0, 1))
        heard.append(float(probability.item()))
    return numpy.array(heard)


def precision(model):
    report = json.loads(run("optc-run", model, "--report"))["precision"]
    return {entry["node"] for entry in report["lowered"]}, {entry["node"] for entry in report["kept"]}


def main():
    model = os.path.join(data, "model.onnx")
    f32, int8, half = (os.path.join(scratch, name) for name in ("f32.so", "int8.so", "half.so"))
    run("optc", model, "-o", f32)
    calib = os.path.join(scratch, "calib")
    expected = {rate: listen(f32, rate, calib) for rate in (8000, 16000)}
    layers = {n.name for g in onnx.load(model).graph.node[-1].attribute for n in g.g.node if n.op_type in ("Conv", "Gemm")}
    ranges = os.path.join(scratch, "ranges.json")
    run("optc", model, "--int8", "--calib=" + calib, "--save-calib=" + ranges, "-o", int8)
    lowered, kept = precision(int8)
    failed = len(layers) != 16 or bool(layers - lowered) or bool(kept)
    print(len(layers & lowered), "of", len(layers), "layers in 8 bits, unguarded")
    run("optc", model, "--int8", "--load-calib=" + ranges, "--golden=" + calib, "--max-error=1%", "-o", int8)
    lowered, kept = precision(int8)
    kernels = run("optc", model, "--int8", "--load-calib=" + ranges, "--keep-float=" + ",".join(sorted(kept)), "--emit=kernels")
    bytewise = [line for line in kernels.split("\n") if re.search(r'optc.kernel "conv"\(.*: \(tensor<\S*xui8,.*xi8>', line)]
    print(len(bytewise), "convolutions of bytes")
    failed |= len(bytewise) < 3  # equal ones are one
    print("guarded:", sorted(layers & lowered))
    failed |= bool({"node_conv1d_" + end for end in ("3", "4", "5", "3_2", "4_2", "5_2")} - lowered)
    for rate in expected:
        got = listen(int8, rate)
        off = numpy.abs(got - expected[rate])[1::2].max()
        print(f"{rate} Hz: {len(got)} frames, f32 from {expected[rate].min():.2f} to {expected[rate].max():.2f}, off by {off:.3f}")
        failed |= bool(off > ALLOWED or expected[rate].min() > 0.2 or expected[rate].max() < 0.95)
    # Only one branch is calibrated: the other's layers have no range; its products take theirs when they run.
    for name in os.listdir(calib):
        if name.startswith("8000") or not name.endswith("2"):
            shutil.rmtree(os.path.join(calib, name))
    run("optc", model, "--int8", "--calib=" + calib, "-o", half)
    lowered, kept = precision(half)
    failed |= "node_conv1d_4" not in lowered or "node_conv1d_4_2" not in kept or "node_linear_2" not in lowered
    sys.exit(failed)


if __name__ == "__main__":
    main()
