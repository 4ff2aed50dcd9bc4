"""Certificates for handshakes in tests: one authority, one server, any number of clients."""

import os
import ssl
from datetime import UTC, datetime, timedelta

from towline_certs.authority import SERVER_ONLY, Authority, create_authority
from towline_certs.identities import Subject
from towline_certs.keys import KeyKind, format_key, generate_key

LIFETIME = timedelta(hours=1)
"""Handshakes compare with real time, whatever a test's clock says."""


class Pki:
    """An authority and what it issues, valid now.

    Args:
        name: Common name of the authority.
    """

    def __init__(self, name: str = "test-ca") -> None:
        self.authority: Authority = create_authority(
            name, now=datetime.now(UTC), lifetime=LIFETIME, backdate=timedelta(minutes=5)
        )

    @property
    def ca_pem(self) -> bytes:
        return self.authority.certificate_pem

    def client_pair(
        self, common_name: str, *groups: str, kind: KeyKind = KeyKind.ECDSA_P256
    ) -> tuple[bytes, bytes]:
        """Return certificate and key of a client, as PEM."""
        key = generate_key(kind)
        certificate = self.authority.issue(
            key.public_key(),
            subject=Subject(common_name, frozenset(groups)),
            now=datetime.now(UTC),
            lifetime=LIFETIME / 2,
        )
        return certificate, format_key(key)

    def server_context(
        self, *, dns_names: tuple[str, ...] = ("localhost",), clients: "Pki | None" = None
    ) -> ssl.SSLContext:
        """Return TLS settings of a server at 127.0.0.1 that wants certificates of `clients`."""
        key = generate_key()
        certificate = self.authority.issue(
            key.public_key(),
            subject=Subject("kube-apiserver", frozenset()),
            now=datetime.now(UTC),
            lifetime=LIFETIME / 2,
            dns_names=dns_names,
            ip_addresses=("127.0.0.1",),
            usages=SERVER_ONLY,
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        # In memory like the real thing, so that tests may look for keys in every folder.
        descriptor = os.memfd_create("server")
        try:
            os.write(descriptor, certificate + format_key(key))
            context.load_cert_chain(f"/proc/self/fd/{descriptor}")
        finally:
            os.close(descriptor)
        if clients is not None:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(cadata=clients.ca_pem.decode())
        return context
