"""Kubeconfigs that hold all they need, so that a person can pass them to kubectl as they are."""

import base64

import yaml

from towline_sandbox.pki import ClientPair


def inline_kubeconfig(
    *, cluster: str, server: str, ca_pem: bytes, credential: ClientPair | str
) -> str:
    """Return a kubeconfig with one context.

    Args:
        cluster: What the cluster is called in it.
        server: Address of the API server.
        ca_pem: What the server's certificate is verified with.
        credential: A client certificate, or a bearer token.
    """
    user = (
        {"token": credential}
        if isinstance(credential, str)
        else {
            "client-certificate-data": _base64(credential.certificate_pem),
            "client-key-data": _base64(credential.key_pem),
        }
    )
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {
                    "name": cluster,
                    "cluster": {
                        "server": server,
                        "certificate-authority-data": _base64(ca_pem),
                    },
                }
            ],
            "users": [{"name": "user", "user": user}],
            "contexts": [{"name": cluster, "context": {"cluster": cluster, "user": "user"}}],
            "current-context": cluster,
        },
        sort_keys=False,
    )


def _base64(pem: bytes) -> str:
    return base64.b64encode(pem).decode("ascii")
