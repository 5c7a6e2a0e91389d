"""One heap for all threads: what glibc holds back for each of them is tens of MiB."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import re, sys, threading
from api.heap import spare
if sys.argv[1] == "spare":
    spare()
kept, here, go = [], threading.Barrier(5), threading.Event()
def work():
    kept.extend(bytearray(2000) for _ in range(1000))
    here.wait()
    go.wait()
threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
here.wait()
maps = [line.split() for line in open("/proc/self/maps")]
go.set()
starts = [int(each[0].partition("-")[0], 16) for each in maps if each[1] == "rw-p" and len(each) == 5]
print(sum(start % (64 << 20) == 0 for start in starts))
"""


def heaps(how: str) -> int:
    """Heaps of threads: glibc lets each begin at a multiple of 64 MiB."""
    words = [sys.executable, "-c", PROGRAM, how]
    return int(subprocess.run(words, capture_output=True, text=True, check=True, timeout=60).stdout)


def test_threads_share_one_heap() -> None:
    assert heaps("as it comes") >= 1
    assert heaps("spare") == 0
