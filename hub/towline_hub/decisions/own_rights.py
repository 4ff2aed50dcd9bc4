"""Asking the API server whether a person may do what a command is about to do.

A command that fails half-way leaves half of its work behind; asked first, it names every right
that is missing and changes nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from towline_api.errors import TowlineError
from towline_kube.client import Client


class MissingRightError(TowlineError):
    """The person who runs a command lacks a right it takes; says which, in Kubernetes' words."""


@dataclass(frozen=True, slots=True)
class Right:
    """One thing a person may or may not do.

    Args:
        verb: For example `create`.
        resource: Plural name.
        group: API group; empty for the core group.
        subresource: Empty for the object itself.
        name: Empty for any.
        namespace: Empty for cluster-scoped kinds.
    """

    verb: str
    resource: str
    group: str = ""
    subresource: str = ""
    name: str = ""
    namespace: str = ""

    def __str__(self) -> str:
        resource = f"{self.resource}/{self.subresource}" if self.subresource else self.resource
        named = f" {self.name!r}" if self.name else ""
        where = f" in the namespace {self.namespace!r}" if self.namespace else ""
        return f'{self.verb} resource "{resource}"{named} in API group "{self.group}"{where}'


async def check_rights(client: Client, rights: Iterable[Right], *, to: str) -> None:
    """Make sure that the client's identity holds every right.

    Args:
        client: The person's client.
        rights: What is about to be done.
        to: What for, as in "to make a token".

    Raises:
        MissingRightError: At least one is missing; nothing was changed.
    """
    # One after the other: a hub that cannot be reached is then one failure and not ten.
    missing = [
        str(right)
        for right in rights
        if not await client.can_i(
            verb=right.verb,
            group=right.group,
            resource=right.resource,
            subresource=right.subresource,
            name=right.name,
            namespace=right.namespace,
        )
    ]
    if missing:
        me = await client.whoami()
        raise MissingRightError(
            f'"{me.username}" cannot {", cannot ".join(missing)}, which it takes {to}; ask an '
            "administrator of the hub for it"
        )
