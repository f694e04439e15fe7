"""status.py STATUS PROGRAM ARGUMENTS...: runs the program, prints what it says, checks its exit status."""
import subprocess
import sys

run = subprocess.run(sys.argv[2:], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
print(run.stdout, end="")
if run.returncode != int(sys.argv[1]):
    sys.exit(f"exit status {run.returncode}")
