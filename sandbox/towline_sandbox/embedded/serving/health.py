"""Health and version: what probes and clients ask before anything else."""

from collections.abc import Mapping

from towline_sandbox.embedded.serving.answers import JSON, NO_SNIFF, TEXT, Answer, not_found_page
from towline_sandbox.embedded.serving.forms import as_json

KUBERNETES_VERSION = "v1.37.2"
"""Whose behaviour this is."""
GIT_VERSION = f"{KUBERNETES_VERSION}+towline.embedded"
"""What the server calls itself: clients read the numbers, people the rest."""

_CHECKS: Mapping[str, tuple[str, ...]] = {
    "livez": ("ping", "storage"),
    "readyz": (
        "ping",
        "storage",
        "informer-sync",
        "poststarthook/rbac/bootstrap-roles",
        "shutdown",
    ),
    "healthz": ("ping", "storage", "poststarthook/rbac/bootstrap-roles"),
}


def health(path: str, query: Mapping[str, str]) -> Answer | None:
    """Return the answer of `/livez`, `/readyz` or `/healthz`; None if it is another path."""
    probe, _, check = path.strip("/").partition("/")
    checks = _CHECKS.get(probe)
    if checks is None:
        return None
    if check:
        return Answer(200, b"ok", TEXT, NO_SNIFF) if check in checks else not_found_page()
    if "verbose" not in query:
        return Answer(200, b"ok", TEXT, NO_SNIFF)
    lines = [f"[+]{name} ok\n" for name in checks]
    return Answer(200, "".join([*lines, f"{probe} check passed\n"]).encode(), TEXT, NO_SNIFF)


def version() -> Answer:
    """Return the answer of `/version`."""
    major, minor, _ = KUBERNETES_VERSION.removeprefix("v").split(".")
    told = {
        "major": major,
        "minor": minor,
        "emulationMajor": major,
        "emulationMinor": minor,
        "minCompatibilityMajor": major,
        "minCompatibilityMinor": str(int(minor) - 1),
        "gitVersion": GIT_VERSION,
        "gitCommit": "",
        "gitTreeState": "",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "",
        "compiler": "",
        "platform": "python",
    }
    return Answer(200, as_json(told, pretty=True), JSON)
