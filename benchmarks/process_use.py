"""What a process uses, as the Linux kernel counts it."""

import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_CPUCLOCK_SCHED = 2


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory of a process.

    Args:
        resident_mib: All pages it has in memory (`VmRSS`).
        proportional_mib: The same with each shared page divided by who shares it (`Pss`); None
            where the kernel does not tell.
        threads: How many threads it has.
    """

    resident_mib: float
    proportional_mib: float | None
    threads: int


def memory_of(pid: int) -> Memory:
    """Return what the process holds now."""
    status = _fields(Path(f"/proc/{pid}/status").read_text())
    proportional: float | None = None
    with suppress(OSError):
        shared = _fields(Path(f"/proc/{pid}/smaps_rollup").read_text())
        proportional = _mib(shared["Pss"])
    return Memory(_mib(status["VmRSS"]), proportional, int(status["Threads"]))


def peak_mebibytes_of(pid: int) -> float:
    """Return the most that a process ever had resident at a time (`VmHWM`)."""
    return _mib(_fields(Path(f"/proc/{pid}/status").read_text())["VmHWM"])


def programs_below(pid: int) -> dict[str, int]:
    """Return the process id of each program that a process started, by its name.

    The kernel keeps the first fifteen characters of a name; the command line has all of it.
    """
    found = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            command = Path(f"/proc/{child}/cmdline").read_bytes().partition(b"\0")[0]
            found[Path(command.decode()).name] = int(child)
    return found


def cpu_seconds_of(pid: int) -> float:
    """Return the processor time used so far by all threads of a process, in its code and ours."""
    # The number of a process's clock, as clock_getcpuclockid(3) makes it. It counts nanoseconds,
    # /proc/PID/stat hundredths of a second, which are too coarse for a process at rest.
    return time.clock_gettime((~pid << 3) | _CPUCLOCK_SCHED)


def _fields(text: str) -> dict[str, str]:
    pairs = (line.partition(":") for line in text.splitlines())
    return {name: value.strip() for name, _, value in pairs}


def _mib(value: str) -> float:
    return int(value.split()[0]) / 1024
