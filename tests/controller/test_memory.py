"""What long answers took is given back."""

import subprocess
import sys

import pytest

ANSWERS = """
import threading
from pathlib import Path
from stepdown.controller.memory import give_back_long_blocks

def taken():
    fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(fields["VmRSS"].split()[0])

def read():
    for _ in range(5):
        with turn:
            answer = bytearray()
            for _ in range(64):
                answer += b"x" * 65_536
            del answer

turn = threading.Lock()
give_back_long_blocks()
before = taken()
threads = [threading.Thread(target=read) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(taken() - before)
"""


@pytest.mark.row(37)
def test_answers_of_four_megabytes_in_four_threads_leave_little_behind() -> None:
    done = subprocess.run([sys.executable, "-c", ANSWERS], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 6_000
