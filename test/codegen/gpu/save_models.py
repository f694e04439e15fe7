"""save_models.py MODELS FOLDER NAME...: writes models of the folder MODELS (its models.py) as FOLDER/NAME.onnx."""
import os
import sys

import onnx

sys.path.insert(0, sys.argv[1])
import models

folder, *names = sys.argv[2:]
os.makedirs(folder, exist_ok=True)
for name in names:
    onnx.save(getattr(models, name)()[0], f"{folder}/{name}.onnx")
