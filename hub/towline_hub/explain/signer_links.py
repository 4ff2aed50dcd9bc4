"""The links about the custom signers that certificates come from.

Pure: what was gathered in, links out.
"""

from collections.abc import Collection, Iterator, Mapping

from towline_api.addons import ManagedClusterAddon
from towline_hub.addons.declarations import AddonDeclaration
from towline_hub.addons.declared_signers import declared_signers, registered_signers
from towline_hub.explain.links import Link, LinkState, broken, holds
from towline_hub.signers.outlook import Outlook, SignerOutlook


def signer_link(found: SignerOutlook) -> Link:
    """Return whether a signer that the hub plays signs."""
    name = f"signer {found.signer}"
    match found.outlook:
        case Outlook.SIGNS | Outlook.SOON_TROUBLE:
            return holds(name, found.found)
        case Outlook.UNSEEN:
            return Link(name, LinkState.UNKNOWN, found.found)
        case Outlook.WAITS | Outlook.STUCK:
            return broken(name, found.found, fix=found.fix or "", command="towline doctor")


def addon_signer_links(
    addon: ManagedClusterAddon,
    *,
    declaration: AddonDeclaration | None,
    outlooks: Mapping[str, SignerOutlook],
    approved: Collection[str],
) -> Iterator[Link]:
    """Yield a link for each custom signer that an add-on is registered with, or should be.

    Args:
        addon: The add-on on its cluster.
        declaration: What it is declared to be, as far as the hub's settings are to be seen.
        outlooks: How the signers of those settings stand, by name.
        approved: Custom signers that the hub approves for, its own and others'.
    """
    declared, registered = declared_signers(declaration), registered_signers(addon)
    for signer in sorted(declared | registered):
        name = f"signer {signer}"
        if signer in outlooks and signer not in declared:
            yield broken(
                name,
                "it is registered and not declared, and the hub signs only for what is declared",
                fix=f"declare it for add-on {addon.name} in the hub's settings, with "
                "`custom-signers`, or have whoever registered it take it back",
                command="towline doctor",
            )
        elif signer in outlooks:
            yield signer_link(outlooks[signer])
        elif signer in approved:
            yield holds(name, "the hub approves for it; somebody else signs")
        else:
            yield Link(
                name,
                LinkState.UNKNOWN,
                "it is not in the hub's settings, as far as they are to be seen here: it is for "
                "somebody else to approve and to sign",
            )
