"""What `towline explain` is asked about, as a person names it."""

from dataclasses import dataclass
from enum import StrEnum

from towline_hub.explain.links import TargetError


class TargetKind(StrEnum):
    """Kind of thing to explain."""

    CLUSTER = "cluster"
    ADDON = "addon"
    REQUEST = "csr"


@dataclass(frozen=True, slots=True)
class Target:
    """What to explain.

    Args:
        kind: Its kind; None for a bare name: a cluster's, or else a request's.
        name: Its name.
        cluster: The cluster of an add-on; None for others.
    """

    kind: TargetKind | None
    name: str
    cluster: str | None = None


def parse_target(text: str) -> Target:
    """Return what a text means: `NAME`, `CLUSTER/ADDON`, or one of these after its kind.

    `csr/NAME`, `cluster/NAME` and `addon/CLUSTER/NAME` say which kind is meant.

    Raises:
        TargetError: It means nothing; says what would.
    """
    match text.split("/"):
        case [name] if name:
            return Target(None, name)
        case ["csr", name] if name:
            return Target(TargetKind.REQUEST, name)
        case ["cluster", name] if name:
            return Target(TargetKind.CLUSTER, name)
        case ["addon", cluster, name] if cluster and name:
            return Target(TargetKind.ADDON, name, cluster)
        case [cluster, name] if cluster and name and cluster != "addon":
            return Target(TargetKind.ADDON, name, cluster)
        case _:
            raise TargetError(
                f"cannot tell what {text!r} means; expected CLUSTER, CLUSTER/ADDON, or with its "
                "kind cluster/NAME, addon/CLUSTER/NAME, csr/NAME"
            )
