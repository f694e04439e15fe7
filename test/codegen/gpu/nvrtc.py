"""nvrtc.py OPTC FOLDER MODELS...: compiles each model's kernels to cubins for sm_80 and sm_90, and checks that every
printed kernel is in them."""
import os
import subprocess
import sys

optc, folder, *models = sys.argv[1:]
cubins = kernels = 0
for model in models:
    name = os.path.basename(model).split(".")[0]
    for target in ("sm_80", "sm_90"):
        text = subprocess.run([optc, model, f"--target={target}", "--emit=cuda"], check=True, capture_output=True, text=True).stdout
        path = os.path.join(folder, f"{name}.{target}.cubin")
        subprocess.run([optc, model, f"--target={target}", "--emit=cubin", "-o", path], check=True)
        cubin = open(path, "rb").read()
        printed = text.count("__global__")
        missing = [i for i in range(printed) if f".text.optc_kernel_{i}\0".encode() not in cubin]
        if missing or not cubin.startswith(b"\x7fELF"):
            sys.exit(f"{path}: not in it: {missing}")
        cubins += 1
        kernels += printed
print(f"{cubins} cubins of {kernels} kernels")
