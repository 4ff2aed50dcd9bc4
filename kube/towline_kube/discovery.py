"""Finding the connection to use: a file given, the environment, the pod we run in, home."""

import ipaddress
import os
from collections.abc import Mapping
from functools import reduce
from pathlib import Path

from towline_api.errors import ConfigError
from towline_kube.connection import Connection
from towline_kube.key_pair import check_authorities
from towline_kube.kubeconfig import Kubeconfig, read_kubeconfig

SERVICE_ACCOUNT_DIR = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where the kubelet mounts a pod's own credential."""


def load_kubeconfig(path: Path, *, context: str | None = None) -> Connection:
    """Return the connection of a kubeconfig file.

    Raises:
        ConfigError: The file cannot be read or used; names file, entry and cure.
    """
    return _load(path).connection(context)


def in_cluster_connection(
    *, environment: Mapping[str, str] | None = None, directory: Path = SERVICE_ACCOUNT_DIR
) -> Connection:
    """Return the connection of a pod's service account to the cluster the pod runs in.

    Raises:
        ConfigError: This is no pod, or its service account is not mounted.
    """
    environment = os.environ if environment is None else environment
    host = environment.get("KUBERNETES_SERVICE_HOST", "")
    port = environment.get("KUBERNETES_SERVICE_PORT", "")
    if not host or not port:
        raise ConfigError(
            "not running in a pod: KUBERNETES_SERVICE_HOST or KUBERNETES_SERVICE_PORT is not set; "
            "give a kubeconfig"
        )
    token_file, ca_file = directory / "token", directory / "ca.crt"
    namespace_file = directory / "namespace"
    try:
        ca_pem = ca_file.read_bytes()
        has_token = bool(token_file.read_bytes().strip())
        namespace = namespace_file.read_text().strip() if namespace_file.exists() else ""
    except OSError as error:
        raise ConfigError(
            f"cannot read the pod's service account at {error.filename}: {error.strerror}; "
            "set automountServiceAccountToken or give a kubeconfig"
        ) from None
    if not has_token:
        raise ConfigError(f"the pod's service account token {token_file} is empty")
    check_authorities(ca_pem, where=str(ca_file))
    return Connection(
        server=f"https://{_bracketed(host)}:{port}",
        ca_pem=ca_pem,
        token_file=token_file,
        cluster_entry_name="in-cluster",
        namespace=namespace or None,
        source="the pod's service account",
    )


def pod_namespace(*, directory: Path = SERVICE_ACCOUNT_DIR) -> str | None:
    """Return the namespace of the pod this process runs in, or None if it runs in none."""
    try:
        return (directory / "namespace").read_text(encoding="utf-8").strip() or None
    except OSError:
        return None


def discover_connection(
    path: Path | None = None,
    *,
    context: str | None = None,
    environment: Mapping[str, str] | None = None,
    service_account: Path = SERVICE_ACCOUNT_DIR,
) -> Connection:
    """Return the connection to use, from the first of these places that has one.

    The file `path`; the files of `KUBECONFIG` (merged as kubectl does); the pod's service account;
    `~/.kube/config`.

    Raises:
        ConfigError: There is none, or the first one found cannot be used. The next is not tried
            then, because it may well be of another cluster.
    """
    environment = os.environ if environment is None else environment
    if path is not None:
        return load_kubeconfig(path, context=context)
    listed = [Path(name) for name in environment.get("KUBECONFIG", "").split(os.pathsep) if name]
    if listed:
        existing = [file for file in listed if file.exists()]
        if not existing:
            names = ", ".join(str(file) for file in listed)
            raise ConfigError(f"KUBECONFIG names files that do not exist: {names}")
        return reduce(Kubeconfig.merged_with, map(_load, existing)).connection(context)
    if environment.get("KUBERNETES_SERVICE_HOST") and service_account.exists():
        return in_cluster_connection(environment=environment, directory=service_account)
    home = environment.get("HOME", "")
    default = Path(home) / ".kube" / "config" if home else None
    if default is not None and default.exists():
        return load_kubeconfig(default, context=context)
    raise ConfigError(
        "no kubeconfig: none was given, KUBECONFIG is not set, this is no pod, and "
        f"{default or '~/.kube/config'} does not exist"
    )


def _load(path: Path) -> Kubeconfig:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot read kubeconfig {path}: {error.strerror}") from None
    return read_kubeconfig(content, source=str(path), base_dir=path.parent)


def _bracketed(host: str) -> str:
    try:
        return f"[{host}]" if ipaddress.ip_address(host).version == 6 else host
    except ValueError:
        return host
