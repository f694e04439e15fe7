"""check_fails.py CHECK PACK DRIVER: without a GPU check.py is skipped, for another one and for wrong results it fails."""
import os
import subprocess
import sys

import numpy
from onnx import TensorProto, numpy_helper

check, pack, driver = sys.argv[1:]


def run(settings):
    environment = dict(os.environ, **({"LD_LIBRARY_PATH": driver, "OPTC_FAKE_GPU": settings} if settings else {}))
    return subprocess.run([sys.executable, check, "run", pack], capture_output=True, text=True, env=environment)


done = run("devices=0")
assert done.returncode == 77 and "skipped: there is no NVIDIA GPU" in done.stdout, done
done = run("arch=80")
assert done.returncode == 1 and "the model has code for sm_90" in done.stdout and done.stdout.strip().endswith("0 passed, 3 failed"), done
path = f"{pack}/models/mnist.0/output_0.pb"
expected = TensorProto.FromString(open(path, "rb").read())
values = numpy.array(numpy_helper.to_array(expected))
values[0, 3] *= 1.5
open(path, "wb").write(numpy_helper.from_array(values, expected.name).SerializeToString())
done = run("arch=90")
assert done.returncode == 1 and "FAILED mnist 0" in done.stdout and done.stdout.strip().endswith("failed: mnist 0\n2 passed, 1 failed"), done
