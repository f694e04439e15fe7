"""exits.py STATUS PROGRAM ARGUMENTS...: runs the program, prints what it says, checks that it is one `error:` line
(and hints) and that the exit status is STATUS."""
import subprocess
import sys

status = int(sys.argv[1])
run = subprocess.run(sys.argv[2:], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
print(run.stdout, end="")
lines = [line for line in run.stdout.splitlines() if ": hint: " not in line and ": note: " not in line]
if run.returncode != status:
    sys.exit(f"exit status {run.returncode}, expected {status}")
if status and (len(lines) != 1 or ": error: " not in lines[0]):
    sys.exit(f"expected one line with an error, got {len(lines)}")
