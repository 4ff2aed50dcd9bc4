"""Which authorities a hub's certificate may be signed by, while they change. Pure.

Three sources, and no other, never the system's trust store:

* *named*: those of the bootstrap kubeconfig, which an operator gave.
* *published*: those that the hub, over a connection we trust, says it may come to use. Only a
  bundle that holds one of those trusted already is believed to be about the same server: a hub that
  rotates its authority publishes old and new together for a while.
* *former*: those that were named or published, until the others were seen to be enough. So an
  operator may name the new authority before the hub uses it, or after.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from cryptography.hazmat.primitives.serialization import Encoding

from towline_certs.certificates import parse_chain


@dataclass(frozen=True, slots=True)
class HubTrust:
    """Authorities by where they are known from, each as PEM, none twice.

    Without a named one nothing is pinned (the connection says what counts then), and the other two
    are empty.
    """

    named: tuple[bytes, ...] = ()
    published: tuple[bytes, ...] = ()
    former: tuple[bytes, ...] = ()

    @property
    def ca_pem(self) -> bytes | None:
        """All of them; None if nothing is pinned."""
        return b"".join((*self.named, *self.published, *self.former)) or None

    @property
    def published_pem(self) -> bytes:
        """The published ones, to be kept; empty if there are none beside the named."""
        return b"".join(self.published)


def initial_trust(
    named: bytes | None, *, kept: bytes | None = None, published: bytes | None = None
) -> HubTrust:
    """Return whom to trust when a stay at a hub begins.

    Args:
        named: Authorities of the connection to the hub.
        kept: Authorities that were stored with the credential for the same hub.
        published: Those among them that the hub had published.
    """
    own = _split(named)
    if not own:
        return HubTrust()
    announced = _without(_split(published), own)
    return HubTrust(own, announced, _without(_split(kept), (*own, *announced)))


def with_named(trust: HubTrust, named: bytes | None) -> HubTrust:
    """Return whom to trust once the bootstrap kubeconfig names others."""
    own = _split(named)
    if not own:
        return HubTrust()
    published = _without((*trust.published,), own)
    before = (*trust.named, *trust.former)
    return HubTrust(own, published, _without(before, (*own, *published)))


def with_published(trust: HubTrust, published: bytes | None) -> HubTrust:
    """Return whom to trust once the hub publishes others; an unrelated bundle changes nothing."""
    bundle = _split(published)
    known = (*trust.named, *trust.published, *trust.former)
    if not set(bundle) & set(known):
        return trust
    announced = _without(bundle, trust.named)
    before = (*trust.published, *trust.former)
    return HubTrust(trust.named, announced, _without(before, (*trust.named, *announced)))


def without_former(trust: HubTrust) -> HubTrust:
    """Return whom to trust once the others were seen to be enough."""
    return replace(trust, former=())


def _split(pem: bytes | None) -> tuple[bytes, ...]:
    if not pem:
        return ()
    try:
        chain = parse_chain(pem)
    except ValueError:
        return ()
    return tuple(dict.fromkeys(each.public_bytes(Encoding.PEM) for each in chain))


def _without(some: Iterable[bytes], others: Iterable[bytes]) -> tuple[bytes, ...]:
    known = set(others)
    return tuple(dict.fromkeys(each for each in some if each not in known))
