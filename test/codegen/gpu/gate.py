"""gate.py CUBIN KERNEL:OPCODES...: registers and stack of each kernel, read from the cubin's ELF file; fails on a stack (which
spilled registers take). Where nvdisasm is found, each kernel has to have the opcodes that are named. Of the kernel 'all' none may
have a stack, and some have the opcodes."""
import os
import shutil
import struct
import subprocess
import sys

FRAME_SIZE, REGISTER_COUNT = 0x11, 0x2F  # attributes of .nv.info


def kernels(data):
    """{name: {"registers": n, "stack": bytes}}"""
    offset = struct.unpack_from("<Q", data, 40)[0]
    size, count, names_at = struct.unpack_from("<HHH", data, 58)
    sections = [struct.unpack_from("<IIQQQQIIQQ", data, offset + i * size) for i in range(count)]

    def text(at):
        return data[at : data.index(b"\0", at)].decode()

    names = [text(sections[names_at][4] + s[0]) for s in sections]
    symbols = sections[names.index(".symtab")]
    strings = sections[symbols[6]][4]
    found = {}
    for name, section in zip(names, sections):
        if name != ".nv.info":
            continue
        at, end = section[4], section[4] + section[5]
        while at + 4 <= end:
            form, attribute, length = data[at], data[at + 1], struct.unpack_from("<H", data, at + 2)[0]
            at += 4
            if form != 4:
                continue
            if attribute in (FRAME_SIZE, REGISTER_COUNT) and length == 8:
                symbol, value = struct.unpack_from("<II", data, at)
                kernel = found.setdefault(text(strings + struct.unpack_from("<I", data, symbols[4] + 24 * symbol)[0]), {})
                kernel["stack" if attribute == FRAME_SIZE else "registers"] = value
            at += length
    return found


def find_nvdisasm():
    for place in (None, "/usr/local/cuda/bin"):
        if found := shutil.which("nvdisasm", path=place):
            return found
    return None


path, *expected = sys.argv[1:]
found = kernels(open(path, "rb").read())
for entry in expected:
    name, opcodes = entry.split(":")
    if name == "all":
        present = {n: k for n, k in found.items() if "registers" in k}
        kernel = {measure: max(k.get(measure, 0) for k in present.values()) for measure in ("registers", "stack")}
    else:
        kernel = found[name]
    print(f"{name}: {kernel['registers']} registers, {kernel['stack']} bytes of stack")
    if kernel["stack"]:
        sys.exit(f"{name} has a stack")
    if tool := find_nvdisasm():
        code = subprocess.run([tool, "-c", path], check=True, capture_output=True, text=True).stdout
        code = code if name == "all" else code.split(f".text.{name}:")[1].split(".text.")[0]
        missing = [opcode for opcode in opcodes.split(",") if opcode not in code]
        if missing:
            sys.exit(f"{name} has no {missing}")
