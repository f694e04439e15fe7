"""improves.py SHARE FLAG MODEL CALIB GOLDEN [FLAGS...]: the error of the outputs in 8 bits with FLAG is at most SHARE of that
without it."""
import json
import subprocess
import sys

share, flag, model, calib, golden = sys.argv[1:6]


def error(*flags):
    run = subprocess.run(["optc", model, "--int8", "--calib=" + calib, "--golden=" + golden, "--max-error=1000%", "--emit=report",
                          *sys.argv[6:], *flags], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if run.returncode:
        sys.exit(run.stderr)
    return json.loads(run.stdout)["precision"]["accuracy"]["error"]


before, after = error(), error(flag)
print(f"{flag}: {before:.4%} becomes {after:.4%}")
if not after <= float(share) * before:
    sys.exit(1)
