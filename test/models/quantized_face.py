"""The face detector in 8 bits on views of a photo: quantized_face.py DATA SCRATCH.

Crops, mirrored and lit differently. Every other view calibrates, the rest judges: each face that f32 finds is found by
8 bits, its box with an intersection over union of at least 0.9, and 8 bits find no other. It is one person in one photo: no
other picture of a face that may be passed on was at hand, so this says nothing about other people or scenes.
"""
import os
import subprocess
import sys

import numpy
import onnx
from onnx import numpy_helper

data, scratch = sys.argv[1:]
VIEWS = 64
# What scores between the two may count as a face or not.
FACE, PERHAPS = 0.7, 0.5


def resized(image, height, width):
    """Bilinear."""
    for axis, size in ((1, height), (2, width)):
        at = (numpy.arange(size) + 0.5) * image.shape[axis] / size - 0.5
        low = numpy.clip(numpy.floor(at).astype(int), 0, image.shape[axis] - 1)
        high = numpy.minimum(low + 1, image.shape[axis] - 1)
        share = numpy.clip(at - low, 0, 1).reshape([-1 if a == axis else 1 for a in range(3)])
        image = image.take(low, axis) * (1 - share) + image.take(high, axis) * share
    return image


def views():
    photo = numpy.load(os.path.join(data, "photo.npz"))["photo"].astype("f")
    rng = numpy.random.default_rng(0)
    for i in range(VIEWS):
        height = int(rng.integers(150, 241))
        width = height * 4 // 3
        top, left = rng.integers(0, 241 - height), rng.integers(0, 321 - width)
        view = resized(photo[:, top:top + height, left:left + width], 240, 320)
        view = view[:, :, ::-1] if i // 2 % 2 else view
        light = numpy.clip(view * rng.uniform(0.6, 1.4), 0, 255)
        yield ((numpy.rint(light) - 127) / 128)[None].astype("f")


def run(*command):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def overlap(a, b):
    low, high = numpy.maximum(a[:2], b[:2]), numpy.minimum(a[2:], b[2:])
    shared = numpy.prod(numpy.maximum(high - low, 0))
    return shared / (numpy.prod(a[2:] - a[:2]) + numpy.prod(b[2:] - b[:2]) - shared)


def detect(model, view):
    """Boxes with their scores, best first, of each face one."""
    inputs, outputs = (os.path.join(scratch, name) for name in ("in", "out"))
    for folder in (inputs, outputs):
        os.makedirs(folder, exist_ok=True)
    numpy.save(os.path.join(inputs, "input_0.npy"), view)
    run("optc-run", model, "--inputs", inputs, "--outputs", outputs)
    scores, boxes = (numpy_helper.to_array(onnx.load_tensor(os.path.join(outputs, f"output_{i}.pb")))[0] for i in (0, 1))
    kept = []
    for i in numpy.argsort(-scores[:, 1]):
        if scores[i, 1] >= PERHAPS and all(overlap(boxes[i], box) < 0.3 for box, _ in kept):
            kept.append((boxes[i], scores[i, 1]))
    return kept


def main():
    samples = list(views())
    calib = os.path.join(scratch, "calib.npz")
    numpy.savez(calib, input_0=numpy.stack(samples[::2]))
    model = os.path.join(data, "model.onnx")
    f32, int8 = (os.path.join(scratch, name) for name in ("f32.so", "int8.so"))
    run("optc", model, "-o", f32)
    run("optc", model, "--int8", "--calib=" + calib, "-o", int8)
    faces, others, least = 0, 0, 1.0
    for view in samples[1::2]:
        expected, got = detect(f32, view), detect(int8, view)
        for box, score in expected:
            if score >= FACE:
                faces += 1
                least = min(least, max((overlap(box, other) for other, _ in got), default=0))
        others += sum(score >= FACE and all(overlap(box, other) < 0.9 for other, _ in expected) for box, score in got)
    print(f"{faces} faces, the least overlap {least:.3f}, {others} others")
    if faces < VIEWS // 4 or least < 0.9 or others:
        sys.exit(1)


if __name__ == "__main__":
    main()
