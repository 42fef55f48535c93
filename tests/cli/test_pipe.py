"""A reader that goes away does not end a command."""

import os
import subprocess
import sys


COMMAND = """
import sys
from pathlib import Path
from nonlazy.cli._pipe import PatientOutput
sys.stdout = PatientOutput(sys.stdout)
for line in range(20000):
    print("a line that is longer than nothing", flush=line % 100 == 0)
Path(sys.argv[1]).write_text("done")
"""


def test_work_goes_on_when_nobody_reads(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND, str(tmp_path / "result")], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None and process.stderr is not None
    assert process.stdout.readline()
    process.stdout.close()
    with process.stderr as complaints:
        assert process.wait(60) == 0, complaints.read()
        assert complaints.read() == b""
    assert (tmp_path / "result").read_text() == "done"


def test_a_listing_that_is_cut_ends_well(tmp_path):
    command = "import sys; from nonlazy.cli import main; sys.exit(main())"
    read, write = os.pipe()
    os.close(read)
    process = subprocess.run([sys.executable, "-c", command, "experiments"], stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    assert process.returncode == 0 and process.stderr == b""
