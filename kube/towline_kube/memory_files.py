"""File names for content that is to be in no folder: keys, for libraries that take names only.

The usual answer, a temporary file, leaves keys behind when a process is killed at the wrong moment.
Here the "file" is a piece of memory with a descriptor, which ends with the process whatever
happens.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def named_content(content: bytes) -> Iterator[str]:
    """Give `content` a file name for as long as the block runs."""
    if hasattr(os, "memfd_create") and Path("/proc/self/fd").is_dir():
        descriptor = os.memfd_create("towline", os.MFD_CLOEXEC)
        try:
            os.write(descriptor, content)
            yield f"/proc/self/fd/{descriptor}"
        finally:
            os.close(descriptor)
        return
    # Elsewhere (macOS): a file only we can read, in a folder only we can enter, gone at once.
    folder = Path.home() / ".cache" / "towline" / "handover"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    path = folder / f"{os.getpid()}-{os.urandom(8).hex()}"
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
        yield str(path)
    finally:
        path.unlink(missing_ok=True)
