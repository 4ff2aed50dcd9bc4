"""What an operator chooses about one custom signer."""

from datetime import timedelta
from enum import StrEnum
from typing import Self

from pydantic import BaseModel, ConfigDict, field_validator, model_validator

from towline_api.dns_names import LONGEST_SUBDOMAIN, is_dns_subdomain
from towline_api.duration_field import Duration
from towline_api.durations import format_duration
from towline_certs.approval import SHORTEST_LIFETIME
from towline_certs.authority import ExtendedUsage
from towline_certs.request_rules import is_kubernetes_signer

BUNDLE_SUFFIX = "-bundle"
"""What the name of the ConfigMap with a signer's CA bundle has more than its Secret's."""

_LONGEST_SIGNER_NAME = 571
"""As Kubernetes limits it: a domain, a slash, and a namespaced name."""
_LEAST_OF_A_LIFE = 2


class SignerUsage(StrEnum):
    """What certificates of a signer may be used for."""

    CLIENT = "client"
    SERVER = "server"

    @property
    def extended(self) -> ExtendedUsage:
        """The extended key usage in certificates."""
        return ExtendedUsage.CLIENT if self is SignerUsage.CLIENT else ExtendedUsage.SERVER


class SignerSettings(BaseModel):
    """One signer that this hub plays."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        populate_by_name=True,
        alias_generator=lambda field: field.replace("_", "-"),
        use_attribute_docstrings=True,
    )

    signer_name: str
    """Name of the signer, `example.com/name`, as add-ons register it."""
    secret: str
    """Secret with the authority (`tls.crt`, `tls.key`), in the hub's own namespace."""
    lifetime: Duration = timedelta(hours=24)
    """Longest lifetime of a certificate; a request may ask for less. Short, since nothing revokes a
    certificate; agents renew by themselves."""
    usages: tuple[SignerUsage, ...] = (SignerUsage.CLIENT,)
    """What add-ons may ask certificates for. Always `client`; with `server` as well, those whose
    declaration asks for it also get certificates that servers can use."""
    managed: bool = False
    """Whether the hub makes the authority itself and rotates it. Otherwise somebody puts it into
    the Secret, and may replace it there."""
    authority_lifetime: Duration = timedelta(days=365)
    """How long an authority made by the hub is valid."""
    overlap: Duration = timedelta(minutes=10)
    """How long a new authority stands in the published bundle before it signs. By default several
    times what a kubelet needs to bring a changed ConfigMap into a Pod."""

    @field_validator("signer_name")
    @classmethod
    def _is_signer_name(cls, name: str) -> str:
        domain, slash, path = name.partition("/")
        if (
            not slash
            or len(name) > _LONGEST_SIGNER_NAME
            or "." not in domain
            or not is_dns_subdomain(domain)
            or not is_dns_subdomain(path)
        ):
            raise ValueError("expected a signer's name such as 'example.com/name'")
        if is_kubernetes_signer(name):
            raise ValueError("signers of Kubernetes itself are not this hub's to play")
        return name

    @field_validator("lifetime")
    @classmethod
    def _is_long_enough(cls, lifetime: timedelta) -> timedelta:
        if lifetime < SHORTEST_LIFETIME:
            raise ValueError(
                f"expected at least {format_duration(SHORTEST_LIFETIME)}, as Kubernetes wants it"
            )
        return lifetime

    @field_validator("secret")
    @classmethod
    def _is_secret_name(cls, name: str) -> str:
        if not is_dns_subdomain(name) or len(name) + len(BUNDLE_SUFFIX) > LONGEST_SUBDOMAIN:
            raise ValueError("expected the name of a Secret in the hub's namespace")
        return name

    @field_validator("usages")
    @classmethod
    def _include_clients(cls, usages: tuple[SignerUsage, ...]) -> tuple[SignerUsage, ...]:
        if SignerUsage.CLIENT not in usages:
            raise ValueError("agents are clients, so 'client' has to be among the usages")
        return usages

    @model_validator(mode="after")
    def _authority_outlives_certificates(self) -> Self:
        least = _LEAST_OF_A_LIFE * (self.lifetime + self.overlap)
        if self.managed and self.authority_lifetime < least:
            raise ValueError(
                "authority-lifetime has to be at least twice lifetime and overlap together, so "
                "that one authority can follow the other in time"
            )
        return self

    @property
    def bundle(self) -> str:
        """Name of the ConfigMap with the CA bundle, in the hub's own namespace."""
        return self.secret + BUNDLE_SUFFIX

    @property
    def extended_usages(self) -> frozenset[ExtendedUsage]:
        """What certificates may be used for, if their registration asks for it."""
        return frozenset(usage.extended for usage in self.usages)


def check_signers(signers: tuple[SignerSettings, ...]) -> tuple[SignerSettings, ...]:
    """Return the signers if they go together.

    Raises:
        ValueError: Two have the same name, or the same Secret.
    """
    for what, values in (
        ("name", [signer.signer_name for signer in signers]),
        # Else whoever trusts the one would trust the other's certificates, too.
        ("secret", [signer.secret for signer in signers]),
    ):
        twice = sorted({value for value in values if values.count(value) > 1})
        if twice:
            raise ValueError(f"two signers have the {what} {twice[0]!r}; each needs its own")
    return signers
