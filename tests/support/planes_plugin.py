"""Says, in one line at the end of a test run, which control planes it ran on."""

import pytest

from towline_sandbox.plane import ControlPlane

_Seen = tuple[str, float]
"""What a plane is, and how many seconds it took to come up."""

_PLANES = pytest.StashKey[list[_Seen]]()
_MISSING = pytest.StashKey[set[str]]()
_WORKER_KEY = "towline_planes"


def pytest_configure(config: pytest.Config) -> None:
    """Start with nothing seen."""
    config.stash[_PLANES] = []
    config.stash[_MISSING] = set()


def record_plane(config: pytest.Config, plane: ControlPlane) -> None:
    """Note that tests ran on this plane, which has to be running."""
    kube = "" if "embedded" in plane.version else "kube "
    what = f"{kube}{plane.version} ({plane.flavor})"
    config.stash[_PLANES].append((what, plane.readiness.took.total_seconds()))


def record_missing(config: pytest.Config, *, reason: str) -> None:
    """Note that tests were skipped for want of a plane."""
    config.stash[_MISSING].add(reason)


def planes_line(planes: list[_Seen], *, missing: set[str]) -> str:
    """Return the line that ends the test run."""
    if not planes:
        return f"planes: none ({'; '.join(sorted(missing)) or 'no test asked for one'})"
    parts = []
    for kind in sorted({what for what, _ in planes}):
        seconds = [took for what, took in planes if what == kind]
        parts.append(f"{kind}, {len(seconds)} started, each up within {max(seconds):.1f} s")
    parts.extend(f"not on {reason}" for reason in sorted(missing))
    return f"planes: {'; '.join(parts)}"


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand what a worker of xdist saw to the process that prints the summary."""
    output: dict[str, object] | None = getattr(session.config, "workeroutput", None)
    if output is not None:
        stash = session.config.stash
        missing = stash[_MISSING]
        output[_WORKER_KEY] = [stash[_PLANES], list(missing)]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: object) -> None:
    """Take in what a worker saw. A worker that crashed has nothing to tell."""
    config: pytest.Config = node.config  # type: ignore[attr-defined]
    planes, missing = getattr(node, "workeroutput", {}).get(_WORKER_KEY, ([], []))
    config.stash[_PLANES].extend((what, took) for what, took in planes)
    config.stash[_MISSING].update(missing)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Print the line."""
    line = planes_line(config.stash[_PLANES], missing=config.stash[_MISSING])
    terminalreporter.write_line(line)
