"""Where the programs of a real control plane are: etcd, kube-apiserver, kube-controller-manager."""

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from towline_api.errors import ConfigError

MODULE = Path(__file__).resolve().parents[1] / "binaries"
"""The Go module they are built from. Its go.mod is the one place that pins their versions."""

PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager")
ASSETS_VARIABLE = "KUBEBUILDER_ASSETS"


class BinariesMissing(ConfigError):  # noqa: N818 - a state of the machine, not a mistake
    """There is no real control plane on this machine.

    Args:
        reason: What was looked for, where, and what to do.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Binaries:
    """The programs of a control plane.

    Args:
        folder: Holds all three.
    """

    folder: Path

    @property
    def etcd(self) -> Path:
        """The store."""
        return self.folder / "etcd"

    @property
    def kube_apiserver(self) -> Path:
        """The API server."""
        return self.folder / "kube-apiserver"

    @property
    def kube_controller_manager(self) -> Path:
        """The controllers, among them the one that signs certificates."""
        return self.folder / "kube-controller-manager"

    @property
    def missing(self) -> tuple[str, ...]:
        """Which of the programs are not there, or not executable."""
        return tuple(p for p in PROGRAMS if not os.access(self.folder / p, os.X_OK))


def find_binaries(
    *, environment: Mapping[str, str] | None = None, module: Path = MODULE
) -> Binaries:
    """Return the programs from `KUBEBUILDER_ASSETS` when that is set, else from the user's cache.

    Raises:
        BinariesMissing: One of the programs is not there.
    """
    environment = os.environ if environment is None else environment
    assets = environment.get(ASSETS_VARIABLE)
    if assets:
        binaries = Binaries(Path(assets))
        if binaries.missing:
            raise BinariesMissing(
                f"{ASSETS_VARIABLE}={assets} does not hold {' and '.join(binaries.missing)}"
                f"{_ENVTEST_NOTE if binaries.missing == (PROGRAMS[2],) else ''}"
                "; unset it and run `make kube`"
            )
        return binaries
    binaries = Binaries(cache_folder(environment=environment, module=module))
    if binaries.missing:
        raise BinariesMissing(
            f"no control plane in {binaries.folder}; run `make kube`, which builds one in about "
            f"7 minutes, or set {ASSETS_VARIABLE}"
        )
    return binaries


_ENVTEST_NOTE = " (envtest's archives come without it, and nothing signs certificates then)"


def cache_folder(*, environment: Mapping[str, str], module: Path = MODULE) -> Path:
    """Return where the programs built from this state of the module are, or would be.

    Raises:
        BinariesMissing: The module is not there: towline was installed without its sources.
    """
    named = Path(environment.get("XDG_CACHE_HOME", ""))
    # The XDG rules say that a relative path is to be ignored.
    cache = named if named.is_absolute() else Path.home() / ".cache"
    return cache / "towline" / "kube" / f"{kubernetes_version(module)}-{module_digest(module)}"


def kubernetes_version(module: Path = MODULE) -> str:
    """Return the Kubernetes release that the module pins, for example `v1.37.2`."""
    return pinned_version("k8s.io/kubernetes", module)


def pinned_version(dependency: str, module: Path = MODULE) -> str:
    """Return the version of a Go module that ours requires."""
    pattern = rf"^\s*{re.escape(dependency)} (v\S+)"
    found = re.search(pattern, _read(module / "go.mod"), re.MULTILINE)
    if found is None:
        raise BinariesMissing(f"{module / 'go.mod'} requires no version of {dependency}")
    return found.group(1)


def module_digest(module: Path = MODULE) -> str:
    """Return 12 hex digits that change with every file that decides what is built."""
    digest = hashlib.sha256()
    for path in (module / "go.mod", module / "go.sum", *sorted(module.glob("cmd/*/*.go"))):
        content = _read(path)
        digest.update(f"{path.relative_to(module)} {len(content)}\n{content}".encode())
    return digest.hexdigest()[:12]


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise BinariesMissing(
            f"{path} is not there: towline was installed without its sources; use a checkout, or "
            f"set {ASSETS_VARIABLE} to a folder with {', '.join(PROGRAMS)}"
        ) from None
