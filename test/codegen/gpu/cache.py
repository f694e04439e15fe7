"""cache.py OPTC FAKE_NVRTC FOLDER: what is compiled is kept, and taken from where it is kept if it is the same and whole; the artefact's
bytes do not depend on it."""
import glob
import hashlib
import json
import os
import subprocess
import sys

optc, nvrtc, folder = sys.argv[1:]
os.makedirs(folder, exist_ok=True)
count = 0
KERNELS = 3
MODELS = {
    "first": """<ir_version: 9, opset_import: ["" : 20]>
main (float[4, 10] x, float[n, m] y, float[10, 64] v) => (float[4, 10] a, float[n, m] b, float[4, 64] c) {
  [classes] a = Softmax (x)
  [rows] b = LogSoftmax (y)
  [product] c = MatMul (x, v)
}
""",
    # Two of its kernels, of nodes of other names, in another order, and one of its own.
    "second": """<ir_version: 9, opset_import: ["" : 20]>
other (float[k, l] p, float[4, 10] q) => (float[k, l] r, float[4, 10] s, float[k, l] t) {
  [one] r = LogSoftmax (p)
  [two] t = Exp (r)
  [three] s = Softmax (q)
}
""",
}
for name, text in MODELS.items():
    open(f"{folder}/{name}.onnxtxt", "w").write(text)


def start(model="first", target="sm_90", flags=(), version="13.0", variables={}):
    """A compile, the file that it writes and its log."""
    global count
    count += 1
    out, log = f"{folder}/{count}.so", f"{folder}/{count}.log"
    environment = dict({k: v for k, v in os.environ.items() if k != "OPTC_CACHE"}, HOME=f"{folder}/home", OPTC_FAKE_NVRTC=f"version={version},log={log}", **variables)
    command = [optc, f"{folder}/{model}.onnxtxt", f"--target={target}", f"--nvrtc={nvrtc}", "-q", "-o", out, *flags]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment), out, log


def finish(process, out, log):
    """How many modules were compiled, and the artefact's hash."""
    errors = process.communicate()[1]
    assert process.returncode == 0 and not errors, errors
    lines = open(log).read().splitlines() if os.path.exists(log) else []
    return len(lines), hashlib.sha256(open(out, "rb").read()).hexdigest()


def compile(*arguments, **options):
    return finish(*start(*arguments, **options))


def entries(place):
    return sorted(p for p in glob.glob(f"{place}/*") if not p.endswith("timestamp"))


place = f"{folder}/cache"
here = [f"--cache-dir={place}"]
modules, bytes = compile(flags=here)
print("cold:", modules)
assert modules == 2 * KERNELS and len(entries(place)) == modules  # machine code and PTX
assert compile(flags=here) == (0, bytes)
print("warm: 0, the same bytes")
assert compile(flags=["--no-cache"]) == compile(flags=["--no-cache", "--jobs=1"]) == compile(flags=["--no-cache", "--jobs=7"]) == (modules, bytes)
print("without: the same bytes with 1 and 7 jobs")

# What is damaged is compiled again, and whole then.
first, second, third, fourth = entries(place)[:4]
data = open(first, "rb").read()
open(first, "wb").write(data[:-1])
open(second, "wb").write(b"")
open(third, "wb").write(data)  # another's
open(fourth, "ab").write(b"x")
assert compile(flags=here) == (4, bytes) and compile(flags=here) == (0, bytes)
print("damaged: 4 compiled")

# Other options, another compiler, a model that has some of the kernels.
assert compile(target="sm_80", flags=here)[0] > 0 and compile(target="sm_80", flags=here)[0] == 0
assert compile(version="13.1", flags=here)[0] == modules
assert compile(flags=here) == (0, bytes)
assert compile(model="second", flags=here)[0] == 2, "the kernel that is new"
report = json.loads(subprocess.run([optc + "-run", f"{folder}/1.so", "--report"], check=True, capture_output=True, text=True).stdout)
code = report["device_code"]
assert [(c["target"], c["form"], c["compiler"], c["options"]) for c in code] == [
    ("sm_90", "cubin", "NVRTC 13.0", "--gpu-architecture=sm_90a --std=c++17"),
    ("sm_90", "ptx", "NVRTC 13.0", "--gpu-architecture=compute_90 --std=c++17"),
], code
assert sum(c["modules"] for c in code) == modules
print("other options and versions: compiled anew")

# Where it is.
assert compile(variables={"OPTC_CACHE": f"{folder}/own"}) == (modules, bytes) and len(entries(f"{folder}/own")) == modules
assert compile(variables={"XDG_CACHE_HOME": f"{folder}/xdg"}) == (modules, bytes) and len(entries(f"{folder}/xdg/optc")) == modules
assert compile(variables={"XDG_CACHE_HOME": ""}) == (modules, bytes) and len(entries(f"{folder}/home/.cache/optc")) == modules
print("folders: own, XDG's, home's")

# No place: no error.
open(f"{folder}/file", "w").close()
assert compile(flags=[f"--cache-dir={folder}/file/below"]) == (modules, bytes)
print("no place: compiled")

# Several at once.
running = [start(flags=[f"--cache-dir={folder}/shared"]) for _ in range(4)]
done = [finish(*one) for one in running]
assert {b for _, b in done} == {bytes} and len(entries(f"{folder}/shared")) == modules, done
assert compile(flags=[f"--cache-dir={folder}/shared"]) == (0, bytes)
print("at once: the same bytes")
