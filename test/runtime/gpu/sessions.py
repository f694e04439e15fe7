"""sessions.py OPTC RUN-SESSIONS DRIVER FOLDER: whole models through a driver without a GPU give what they give on the CPU."""
import json
import os
import re
import subprocess
import sys

import onnx

from models import models

optc, run, driver, folder = sys.argv[1:]
os.makedirs(folder, exist_ok=True)


def emulated(target, command, settings=""):
    environment = dict(os.environ, LD_LIBRARY_PATH=driver, OPTC_FAKE_GPU=f"arch={target[3:]}" + settings)
    return subprocess.run(command, capture_output=True, text=True, env=environment)


for name, model, sizes, tolerance in models():
    path = f"{folder}/{name}"
    onnx.save(model, f"{path}.onnx")
    # Codes are equal where both round where the model says so.
    flags = ["--keep-rounding"] if name == "quantized" else []
    subprocess.run([optc, f"{path}.onnx", *flags, "-q", "-o", f"{path}.cpu.so"], check=True, capture_output=True)
    for number, target in enumerate(("sm_80", "sm_90")):
        done = subprocess.run([optc, f"{path}.onnx", *flags, f"--target={target}", "--emit-host-emulation", "-q", "-o", f"{path}.{target}.so"], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        log = f"{path}.{target}.log"
        done = emulated(target, [run, f"{path}.{target}.so", f"{path}.cpu.so", str(tolerance), *sizes], f",schedule={number + 1},log={log}")
        assert done.returncode == 0, (name, target, done.stderr)
        calls = dict(line.split() for line in open(log).read().splitlines())
        print(name, target, done.stdout.strip(), "graphs", calls.get("cuGraphInstantiateWithFlags", 0), "launches", calls.get("cuLaunchKernelEx"))
        assert name != "many" or int(calls["cuModuleLoadData"]) > 1, calls
        # Weights go up once; what is launched twice in a row for the same sizes is recorded.
        if name in ("recurrent", "selection", "detection", "signals"):
            report = json.loads(subprocess.run([optc, f"{path}.onnx", f"--target={target}", "--emit-host-emulation", "--emit=report"], capture_output=True, text=True).stdout)
            assert not report["fallbacks"], report["fallbacks"]
        if name in ("deep", "decoding"):
            source = subprocess.run([optc, f"{path}.onnx", f"--target={target}", "--emit=cuda"], capture_output=True, text=True).stdout
            assert len(re.findall(r"(?:StreamK|SplitKeys<\d+>)\{workspace, counters", source)) == (4 if name == "deep" else 1), source
        if name == "grouped":
            source = subprocess.run([optc, f"{path}.onnx", f"--target={target}", "--emit=cuda"], capture_output=True, text=True).stdout
            # Of two groups; each one's heads are the queries of the kernel for one token. No softmax is a kernel of its own.
            assert len(re.findall(r"AttentionSm80<f16, 16, 16, false>::run<8>.*\{int\(\w+\), int\([42]\), int\(2\), int\((?:s\d|2|n\w*)\),", source)) == 2, source
            assert all("matmul" in line for line in source.splitlines() if line.startswith("// '") and "softmax" in line), source
        if name in ("resnet", "deep", "bert", "gpt2", "convolutions", "attention", "halves", "quantized"):
            assert int(calls["cuGraphLaunch"]) >= 4, calls
            assert "note" not in subprocess.run([optc, f"{path}.onnx", f"--target={target}", "--emit-host-emulation", "--emit=report"], capture_output=True, text=True).stderr

# In bf16 products are those of tensor cores, and attention has a kernel where there is one.
for target in ("sm_80", "sm_90"):
    for name, kernels in (("halves", {"ConvSm80<f16", "GemmSm80<f16"}), ("quantized", {"ConvSm80<u8", "GemmSm80<u8"}),
                          ("float8", {"ConvSm80<f8", "GemmSm80<f8", "GemvAlongK<f8"} | ({"ConvSm90<f8", "GemmSm90<f8"} if target == "sm_90" else set()))):
        text = subprocess.run([optc, f"{folder}/{name}.onnx", f"--target={target}", "--emit=cuda"], check=True, capture_output=True, text=True).stdout
        assert all(kernel in text for kernel in kernels) and "Simt<" not in text, (name, target)
    # Two of four zeros are left out where tensor cores multiply.
    done = subprocess.run([optc, f"{folder}/sparse.onnx", f"--target={target}", "--emit=report"], check=True, capture_output=True, text=True)
    found = {s["node"]: s["found"] for s in json.loads(done.stdout)["sparsity"]}
    assert sum("2 of 4 along the contracted dim: the others are stored" in text for text in found.values()) == 3, found
    assert "few rows" in found["u"] and "leave out 2 of 4 only" in found["v"], found
    text = subprocess.run([optc, f"{folder}/sparse.onnx", f"--target={target}", "--emit=cuda"], check=True, capture_output=True, text=True).stdout
    assert text.count("  GemmSparseSm" + target[3:] + "<f16") == 3 and (target == "sm_90" or "StreamK{workspace" in text), text
for target, kernels in (("sm_80", {"GemmSm80<bf16", "AttentionSm80<bf16"}), ("sm_90", {"GemmSm90<bf16", "AttentionSm90<bf16"})):
    text = subprocess.run([optc, f"{folder}/transformer.onnx", "--bf16", f"--target={target}", "--emit=cuda"], check=True, capture_output=True, text=True).stdout
    for kernel in kernels:
        assert kernel in text, (target, kernel)
    for name, model, sizes, _ in models():
        if name not in ("transformer", "resnet", "bert", "gpt2", "deep"):
            continue
        path = f"{folder}/{name}"
        done = subprocess.run([optc, f"{path}.onnx", "--bf16", f"--target={target}", "--fallback=error", "--emit-host-emulation", "-q", "-o", f"{path}.bf16.so"], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        done = emulated(target, [run, f"{path}.bf16.so", f"{path}.cpu.so", "0.03", *sizes])
        assert done.returncode == 0, (name, done.stderr)
        print("bf16", name, target, done.stdout.strip())

# In tf32 operands stay f32 in memory, products are those of tensor cores.
for target, kernels in (("sm_80", {"GemmSm80<tf32", "ConvSm80<tf32"}), ("sm_90", {"GemmSm90<tf32", "ConvSm90<tf32"})):
    found = set()
    for name, model, sizes, _ in models():
        if name not in ("transformer", "resnet", "bert", "attention"):
            continue
        path = f"{folder}/{name}"
        text = subprocess.run([optc, f"{path}.onnx", "--tf32", f"--target={target}", "--emit=cuda"], check=True, capture_output=True, text=True).stdout
        found |= {kernel for kernel in kernels if kernel in text}
        done = subprocess.run([optc, f"{path}.onnx", "--tf32", f"--target={target}", "--fallback=error", "--emit-host-emulation", "-q", "-o", f"{path}.tf32.so"], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        done = emulated(target, [run, f"{path}.tf32.so", f"{path}.cpu.so", "0.004", *sizes])
        assert done.returncode == 0, (name, done.stderr)
        print("tf32", name, target, done.stdout.strip())
    assert found == kernels, (target, found)

# Weights in few bits are in the GPU's memory as they are in the artefact.
path = f"{folder}/weights"
whole = json.loads(subprocess.run([optc, f"{path}.onnx", "--emit=report"], check=True, capture_output=True, text=True).stdout)["memory"]["weight_bytes"]
for flag, share in (("--int4", 0.2), ("--weights-int8", 0.3), ("--fp8", 0.3), ("--fp16", 0.55)):
    for target in ("sm_80", "sm_90"):
        subprocess.run([optc, f"{path}.onnx", flag, "-q", "-o", f"{path}.few.cpu.so"], check=True, capture_output=True)
        done = subprocess.run([optc, f"{path}.onnx", flag, f"--target={target}", "--fallback=error", "--emit-host-emulation", "-q", "-o", f"{path}.few.so"], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        done = emulated(target, [run, f"{path}.few.so", f"{path}.few.cpu.so", "1e-5", "n=1,20"])
        assert done.returncode == 0, (flag, done.stderr)
        few = json.loads(subprocess.run([optc, f"{path}.onnx", flag, f"--target={target}", "--emit=report"], check=True, capture_output=True, text=True).stdout)["memory"]["weight_bytes"]
        assert few < share * whole, (flag, few, whole)

# The same, multiplied in bf16: tensor cores have what is unpacked, by products of some or an unknown number of rows themselves.
for flag, code in (("--int4", "i4"), ("--weights-int8", "i8"), ("--fp8", "f8")):
    subprocess.run([optc, f"{path}.onnx", flag, "-q", "-o", f"{path}.few.cpu.so"], check=True, capture_output=True)
    for target, kernel in (("sm_80", "GemmSm80<bf16"), ("sm_90", "GemmSm90<bf16")):
        command = [optc, f"{path}.onnx", flag, "--bf16", f"--target={target}", "--fallback=error", "-q"]
        cuda = subprocess.run([*command, "--emit=cuda"], check=True, capture_output=True, text=True).stdout
        assert kernel in cuda and f"GemmCodesSm80<bf16, CodeRows<{code}, f16, " in cuda, (flag, target)
        subprocess.run([*command, "--emit-host-emulation", "-o", f"{path}.few.so"], check=True, capture_output=True)
        done = emulated(target, [run, f"{path}.few.so", f"{path}.few.cpu.so", "0.02", "n=1,20"])
        assert done.returncode == 0, (flag, done.stderr)
        few = json.loads(subprocess.run([*command, "--emit=report"], check=True, capture_output=True, text=True).stdout)["memory"]["weight_bytes"]
        assert few < 0.3 * whole, (flag, few, whole)

# Placement: what runs where, and why, in the report.
report = json.loads(subprocess.run([optc, f"{folder}/placement.onnx", "--target=sm_90", "--emit-host-emulation", "--emit=report"], check=True, capture_output=True, text=True).stdout)
device = {s["name"]: (s["kind"], s["device"]) for s in report["steps"]}
assert device["first"] == ("kernel", "gpu") and device["imputed"] == ("library", "cpu"), device
assert {f["operator"] for f in report["fallbacks"]} == {"imputer", "unique"}, report["fallbacks"]
assert device["squares"] == ("kernel", "cpu") and device["product"] == device["powers"] == ("kernel", "gpu"), device
assert any(kind == "copy" for kind, _ in device.values()), device
report = json.loads(subprocess.run([optc, f"{folder}/branches.onnx", "--target=sm_90", "--emit-host-emulation", "--emit=report"], check=True, capture_output=True, text=True).stdout)
assert not report["fallbacks"], report["fallbacks"]
