"""How much memory a TLS connection takes, for programs that hold many of them."""

from asyncio import sslproto

_BUFFER = 32 * 1024
"""Bytes: more than one record of TLS (RFC 8446, section 5.2), and than most answers are long."""


def keep_tls_buffers_small() -> None:
    """Have asyncio set aside 32 KiB for each TLS connection from now on, instead of 256.

    Nearly all that a connection costs is that buffer. What is longer is read in several steps. This
    holds for the whole process, so programs call it once when they start, and libraries never.
    """
    sslproto.SSLProtocol.max_size = _BUFFER
