"""Several planes in a process decode at the same time, each in its own thread."""

import subprocess
import sys

_READ_EVERYTHING_AT_ONCE = """
import sys, threading
sys.setswitchinterval(1e-6)
from towline_sandbox.embedded.built_in.data_files import definitions
from towline_sandbox.embedded.built_in.reader_tree import reader_of
from towline_sandbox.embedded.built_in.structures import Struct

names = ("io.k8s.api.apps.v1.Deployment", "io.k8s.api.core.v1.Namespace")
definitions()
gate, seen = threading.Barrier(4), []

def read():
    gate.wait()
    for name in names:
        reader = reader_of(name)
        seen.append(isinstance(reader, Struct) and bool(reader.written))

threads = [threading.Thread(target=read) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert len(seen) == 8 and all(seen), seen
"""


def test_nobody_sees_a_reader_that_is_half_made() -> None:
    """In a fresh Python, since readers are made once; the threads take turns very often."""
    subprocess.run([sys.executable, "-c", _READ_EVERYTHING_AT_ONCE], check=True, timeout=50)
