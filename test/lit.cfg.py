"""lit configuration: textual tests (FileCheck) of optc's tools."""
import ctypes
import os
import subprocess
import lit.formats

config.name = "optc"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".onnxtxt", ".test"]
config.excludes = ["data"]
config.test_source_root = os.path.join(config.optc_source, "test")
config.test_exec_root = os.path.join(config.optc_build, "test")
config.environment["PATH"] = os.pathsep.join(
    [os.path.join(config.optc_build, "bin"), config.llvm_tools, os.environ["PATH"]])
config.environment["OPTC_CACHE"] = os.path.join(config.optc_build, "test", "code-cache")
config.substitutions += [("%data", os.path.join(config.test_source_root, "data")),
                         ("%python", config.python), ("%cc", config.cc), ("%source", config.optc_source), ("%build", config.optc_build), ("%path", os.environ["PATH"])]

# What the machine's CPU has, so that a test can ask for it: REQUIRES: avx512
flags = open("/proc/cpuinfo").read() if os.path.exists("/proc/cpuinfo") else ""
for feature, flag in (("avx2", "avx2"), ("avx512", "avx512f"), ("vnni", "avx512_vnni"), ("amx", "amx_tile")):
    if f" {flag} " in flags.replace("\n", " "):
        config.available_features.add(feature)
def loads(library):
    try:
        return bool(ctypes.CDLL(library))
    except OSError:
        return False


# NVIDIA's compiler, where codegen/gpu/Nvrtc.cpp looks for it.
if any(map(loads, ("libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so", "/usr/local/cuda/lib64/libnvrtc.so"))):
    config.available_features.add("nvrtc")
else:
    lit_config.note("NVRTC is not installed (CUDA toolkit, or PyPI's nvidia-cuda-nvrtc): no cubins are compiled")
# A Python with torch and onnx, which gpu-bench times beside optc: that of the tests, or $OPTC_TORCH_PYTHON.
torch_python = os.environ.get("OPTC_TORCH_PYTHON", config.python)
config.substitutions.append(("%torch_python", torch_python))
if subprocess.run([torch_python, "-c", "import importlib.util as u; exit(not (u.find_spec('torch') and u.find_spec('onnx')))"]).returncode == 0:
    config.available_features.add("torch")
else:
    lit_config.note(f"torch is not installed in {torch_python} ($OPTC_TORCH_PYTHON names another): how gpu-bench times it is not tested")
if config.optc_build == os.path.join(config.optc_source, "build", "release"):
    config.available_features.add("release-build")
