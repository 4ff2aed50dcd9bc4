"""Collects the roles and bindings that a real cluster starts with; run when Kubernetes changes.

python -m towline_sandbox.embedded.access.collect_policy
"""

import asyncio
import json
import re

import aiohttp

from towline_api.resources import CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, ROLES, KubeObject, Resource
from towline_kube.kubeconfig import parse_kubeconfig
from towline_kube.tls import ssl_context
from towline_sandbox.embedded.access.bootstrap_policy import (
    LABEL,
    LABEL_VALUE,
    POLICY_FILE,
    compact,
)
from towline_sandbox.kube_plane import KubePlane
from towline_sandbox.own_api import OwnApi

_OF_PROGRAMS = re.compile(
    r"system::leader-locking-.*|system:(controller:.*|heapster|kube-.*|node|node-p.*"
    r"|persistent-volume-provisioner|volume-scheduler)"
)
"""Names of what Kubernetes' own programs are granted."""


async def collect(api: OwnApi) -> KubeObject:
    """Ask a server what it started with."""
    roles = [*await _list(api, CLUSTER_ROLES), *await _list(api, ROLES)]
    return compact(iter(roles), iter(await _list(api, CLUSTER_ROLE_BINDINGS)))


def format_policy(policy: KubeObject) -> str:
    """Return the text of the file, a rule on each line, so that differences are easy to read."""
    text = json.dumps(policy, indent=1)
    return re.sub(r"\[\s+((?:\"[^\"]*\",?\s+)+)\]", _on_one_line, text) + "\n"


def _on_one_line(match: re.Match[str]) -> str:
    return f"[{' '.join(match[1].split())}]"


async def _list(api: OwnApi, resource: Resource) -> list[KubeObject]:
    path = f"{resource.path()}?labelSelector={LABEL}%3D{LABEL_VALUE}"
    answer = await api.call("GET", path)
    if answer is None or answer.status != 200:
        raise RuntimeError(f"GET {path}: {answer}")
    return [
        item
        for item in answer.body["items"]
        if _OF_PROGRAMS.fullmatch(item["metadata"]["name"]) is None
    ]


async def _main() -> None:
    async with KubePlane("collect-policy") as plane:
        connection = parse_kubeconfig(plane.admin_kubeconfig(), source="plane")
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=ssl_context(connection))
        ) as session:
            policy = await collect(OwnApi(session, server=connection.server))
    POLICY_FILE.write_text(format_policy(policy), encoding="utf-8")


if __name__ == "__main__":
    asyncio.run(_main())
