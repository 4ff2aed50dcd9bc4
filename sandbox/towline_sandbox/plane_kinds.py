"""The kinds of control plane there are, and how to make one of either."""

from datetime import timedelta
from enum import StrEnum
from importlib.util import find_spec

from towline_api.errors import ConfigError
from towline_sandbox.plane import ControlPlane

_EXTRA_MODULES = ("celpy", "jsonpath", "jsonschema", "orjson")
"""Of the optional dependencies `sandbox`: programs that only run a hub or an agent do without."""


class PlaneKind(StrEnum):
    """What a control plane is made of."""

    EMBEDDED = "embedded"
    """Python alone: up in a fraction of a second, and does what the docs say."""
    KUBE = "kube"
    """Kubernetes' own kube-apiserver, etcd and kube-controller-manager."""


def make_plane(
    kind: PlaneKind, name: str, *, certificate_lifetime: timedelta | None = None
) -> ControlPlane:
    """Return a plane in processes of its own, still to be entered.

    Args:
        kind: What it is made of.
        name: What it is called.
        certificate_lifetime: The longest that its signer makes certificates valid for.

    Raises:
        BinariesMissing: There is no real control plane on this machine.
        ConfigError: What the embedded plane is made of is not installed.
    """
    match kind:
        case PlaneKind.EMBEDDED:
            missing = [name for name in _EXTRA_MODULES if find_spec(name) is None]
            if missing:
                raise ConfigError(
                    f"the embedded control plane needs {', '.join(missing)}, which are not "
                    "installed; pip install 'towline[sandbox]'"
                )
            from towline_sandbox.embedded.plane_process import PlaneProcess

            return PlaneProcess(name, certificate_lifetime=certificate_lifetime)
        case PlaneKind.KUBE:
            from towline_sandbox.binaries import find_binaries
            from towline_sandbox.kube_plane import KubePlane

            return KubePlane(
                name, certificate_lifetime=certificate_lifetime, binaries=find_binaries()
            )
