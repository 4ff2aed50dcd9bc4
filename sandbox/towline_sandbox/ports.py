"""A port of the loopback interface that nobody else is given until a server listens on it."""

import socket
from collections.abc import Callable

ChoosePort = Callable[[], socket.socket]
"""Returns a socket bound to the port to use, to be closed once the server listens there."""


def reserve_port() -> socket.socket:
    """Return a socket that holds a free port, chosen by the kernel, without listening on it.

    The socket shares its port, so a server of the same user that also does (kube-apiserver's
    `--permit-port-sharing`) can listen there; the kernel gives the port to nobody who asks for any.
    """
    holder = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        holder.bind(("127.0.0.1", 0))
    except BaseException:
        holder.close()
        raise
    return holder
