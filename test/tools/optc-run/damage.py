"""damage.py FOLDER: writes damaged copies of FOLDER/good.so."""
import os
import struct
import sys

folder = sys.argv[1]
good = open(os.path.join(folder, "good.so"), "rb").read()
middle = len(good) // 4
version = bytearray(good)
version[-16:-8] = struct.pack("<Q", 999)
DAMAGED = {
    "truncated": good[: len(good) * 3 // 4],
    "code": good[:middle] + bytes([good[middle] ^ 0x10]) + good[middle + 1 :],
    "empty": b"",
    "text": b"this is no model\n" * 100,
    "version": bytes(version),
}
for name, data in DAMAGED.items():
    with open(os.path.join(folder, name + ".so"), "wb") as file:
        file.write(data)
