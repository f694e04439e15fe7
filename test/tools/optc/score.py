"""score.py KIND EXPECTED OUTPUTS: a metric of the outputs that --metric saves, the last line printed.

share: of the elements of all sets within 0.05 of EXPECTED's. worse: less each time that it is asked. fail, text, nothing: no
metric at all.
"""
import os
import sys

import numpy

kind, expected, outputs = sys.argv[1:]
if kind == "fail":
    sys.exit(5)
if kind == "worse":
    with open(expected, "a+") as file:
        file.write(".")
        print(-file.tell())
if kind == "text":
    print("1\nwell done")
if kind == "share":
    close = []
    sets = sorted(os.listdir(outputs))
    assert sets == sorted(os.listdir(expected)), sets
    for name in sets:
        a, b = (numpy.load(os.path.join(folder, name, "output_0.npy")) for folder in (outputs, expected))
        close.append(numpy.abs(a - b) < 0.05)
    print("of", numpy.size(close), "elements are close")
    print(numpy.mean(close))
