"""The three programs of a real control plane and the arguments they run with here.

All paths are relative to the plane's private folder, which is where the programs run.
"""

from datetime import timedelta

from towline_api.durations import format_duration
from towline_sandbox.audit import LOG_FILE, POLICY_FILE
from towline_sandbox.binaries import Binaries
from towline_sandbox.pki import SERVICE_NETWORK
from towline_sandbox.process_group import Program

ETCD = "etcd"
API_SERVER = "kube-apiserver"
CONTROLLER_MANAGER = "kube-controller-manager"
COMPONENTS = (ETCD, API_SERVER, CONTROLLER_MANAGER)

CONTROLLER_KUBECONFIG = "controller-manager.kubeconfig"
CONTROLLER_CALLS_PER_SECOND = 500
"""Kubernetes' own default of 20 would be the bottleneck of every test with many clusters."""

# etcd insists on a port in a URL and takes host and port as the name of the socket's file, so these
# two are files beside each other: no port to lose to somebody else, no path too long for a socket.
_ETCD_CLIENT = "unix://etcd.sock:1"
_ETCD_PEER = "unix://etcd-peer.sock:1"

_CONTROLLERS = (
    # What the channel between hub and agent stands on.
    "certificatesigningrequest-signing-controller",
    "certificatesigningrequest-cleaner-controller",
    "namespace-controller",
    "garbage-collector-controller",
    "serviceaccount-controller",
    "serviceaccount-token-controller",
    "root-ca-certificate-publisher-controller",
    "clusterrole-aggregation-controller",
    # Off by default in Kubernetes, on wherever bootstrap tokens are used.
    "bootstrap-signer-controller",
    "token-cleaner-controller",
    # Left out: everything for nodes, pods, volumes and workloads, since nothing runs pods here; the
    # approver of kubelets' requests, since no kubelet asks.
)


def etcd(binaries: Binaries) -> Program:
    """Return etcd as the API server's store: reached by a socket file, its data never synced."""
    return _program(
        ETCD,
        str(binaries.etcd),
        "--data-dir=etcd",
        f"--listen-client-urls={_ETCD_CLIENT}",
        f"--advertise-client-urls={_ETCD_CLIENT}",
        f"--listen-peer-urls={_ETCD_PEER}",
        f"--initial-advertise-peer-urls={_ETCD_PEER}",
        f"--initial-cluster=default={_ETCD_PEER}",
        "--unsafe-no-fsync",  # the data is thrown away with the plane
        # There is nobody to hold an election with, so it need not wait for the others' votes. Its
        # heart beats all the same, and a faster one would cost a hundredth of a core at rest.
        "--heartbeat-interval=50",
        "--election-timeout=500",
        "--log-level=warn",
    )


def api_server(binaries: Binaries, *, port: int, audit: bool = False) -> Program:
    """Return the API server, listening on this port of the loopback interface.

    Args:
        binaries: Where the programs are.
        port: Of the loopback interface.
        audit: Note every request in `audit.LOG_FILE`, as `audit.POLICY_FILE` says.
    """
    audited = (
        (
            f"--audit-policy-file={POLICY_FILE}",
            f"--audit-log-path={LOG_FILE}",
            "--audit-log-maxsize=1000",  # megabytes: turned over, the log would lose its beginning
        )
        if audit
        else ()
    )
    return _program(
        API_SERVER,
        str(binaries.kube_apiserver),
        f"--etcd-servers={_ETCD_CLIENT}",
        "--bind-address=127.0.0.1",
        f"--secure-port={port}",
        "--permit-port-sharing",  # the plane holds the port until the server has it
        "--tls-cert-file=server.crt",
        "--tls-private-key-file=server.key",
        "--client-ca-file=client-ca.crt",
        "--enable-bootstrap-token-auth",
        "--authorization-mode=RBAC",
        "--service-account-issuer=https://kubernetes.default.svc",
        "--service-account-signing-key-file=service-accounts.key",
        "--service-account-key-file=service-accounts.pub",
        f"--service-cluster-ip-range={SERVICE_NETWORK}",
        "--endpoint-reconciler-type=none",  # nobody reaches it through the kubernetes Service
        *audited,
        "--profiling=false",
        "--v=0",
    )


def controller_manager(
    binaries: Binaries,
    *,
    certificate_lifetime: timedelta | None = None,
    calls_per_second: int = CONTROLLER_CALLS_PER_SECOND,
) -> Program:
    """Return the controllers the channel needs.

    Args:
        binaries: Where the programs are.
        certificate_lifetime: The longest that an issued certificate is valid, and how long it is
            when the request names no time; Kubernetes' default is a year.
        calls_per_second: How often its controllers may call the API server, each for itself.
    """
    signing = (
        ()
        if certificate_lifetime is None
        else (f"--cluster-signing-duration={format_duration(certificate_lifetime)}",)
    )
    return _program(
        CONTROLLER_MANAGER,
        str(binaries.kube_controller_manager),
        f"--kubeconfig={CONTROLLER_KUBECONFIG}",
        f"--controllers={','.join(_CONTROLLERS)}",
        "--cluster-signing-cert-file=client-ca.crt",
        "--cluster-signing-key-file=client-ca.key",
        *signing,
        "--service-account-private-key-file=service-accounts.key",
        "--root-ca-file=serving-ca.crt",
        "--leader-elect=false",
        f"--kube-api-qps={calls_per_second}",
        f"--kube-api-burst={calls_per_second * 3 // 2}",
        "--secure-port=0",
        "--profiling=false",
        "--v=0",
    )


def _program(name: str, *argv: str) -> Program:
    return Program(name, argv, env={"HOME": ".", "PATH": "/usr/bin:/bin"})
