"""pictures.py FOLDER JPEG: a model of pictures, pictures for it, and the same as arrays."""
import os
import struct
import sys
import zlib

import numpy

folder, jpeg = sys.argv[1:]
rng = numpy.random.default_rng(0)


def png(pixels):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", pixels.shape[1], pixels.shape[0], 8, 2, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def save(name, data):
    path = os.path.join(folder, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(data)


weights = ", ".join(repr(float(x)) for x in rng.uniform(-0.5, 0.5, 4 * 3 * 3 * 3).astype("f"))
save("model.onnxtxt", f"""<ir_version: 8, opset_import: ["" : 17]>
main (float[N, 3, 8, 8] x) => (float[N, 4, 6, 6] y) <float[4, 3, 3, 3] w = {{{weights}}}> {{
  [conv] y = Conv (x, w)
}}
""".encode())
save("two.onnxtxt", b"""<ir_version: 8, opset_import: ["" : 17]>
main (float[1, 3, 8, 8] x, float[3, 4] z) => (float[1, 3, 8, 4] y) {
  [pick] a = Slice (x, starts, ends, axes)
  [product] y = MatMul (a, z)
}
""".replace(b") {", b") <int64[1] starts = {0}, int64[1] ends = {3}, int64[1] axes = {3}> {", 1))
for i in range(3):
    pixels = rng.integers(0, 256, (10, 12, 3)).astype("u1")
    # In a folder a class, as data sets come.
    save(f"pictures/class{i % 2}/{i}.PNG", png(pixels))
    middle = pixels[1:9, 2:10].astype("f8")
    array = ((middle / 255 - (0.5, 0.4, 0.3)) / 0.25).transpose(2, 0, 1)[None].astype("f")
    os.makedirs(os.path.join(folder, "arrays", str(i)))
    numpy.save(os.path.join(folder, "arrays", str(i), "input_0.npy"), array)
save("small/a.png", png(numpy.zeros((4, 4, 3), "u1")))
save("none/a.png", b"no picture at all")
save("huge/a.png", png(numpy.zeros((1, 1, 3), "u1")).replace(struct.pack(">II", 1, 1), struct.pack(">II", 10**8, 10**8)))
whole = open(jpeg, "rb").read()
save("jpeg/a.jpg", whole)
save("short/a.jpg", whole[:len(whole) * 3 // 4])
