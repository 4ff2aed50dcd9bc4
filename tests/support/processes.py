"""Looking at processes from outside."""

from pathlib import Path


def is_running(pid: int) -> bool:
    """Return whether a process runs; one that has ended but was not yet collected does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return False
    # The state stands behind the program's name, which may hold any character but is in brackets.
    return stat.rpartition(")")[2].split()[0] not in ("Z", "X")


def running_in(folder: Path) -> list[int]:
    """Return the processes whose working directory is the folder, or was before it was removed."""
    found = []
    for process in Path("/proc").iterdir():
        try:
            cwd = (process / "cwd").readlink()
        except OSError:  # not a process, somebody else's, or gone by now
            continue
        if str(cwd).removesuffix(" (deleted)") == str(folder) and is_running(int(process.name)):
            found.append(int(process.name))
    return found
