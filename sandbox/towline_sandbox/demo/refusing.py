"""Fourth act: a hostile request is refused, with its reason."""

import base64

from towline_api import names
from towline_api.resources import CERTIFICATE_SIGNING_REQUESTS, SECRETS, KubeObject
from towline_certs import ClusterIdentity, build_request, generate_key, request_name
from towline_kube.client import Client
from towline_kube.kubeconfig import parse_kubeconfig
from towline_sandbox.demo.stage import CLUSTER, PATIENCE, Stage, condition
from towline_sandbox.demo.steps import Story
from towline_sandbox.waiting import until

VICTIM = ClusterIdentity("cluster2", "agent")


async def show_refusal(story: Story, stage: Stage) -> None:
    """Ask for another cluster's identity with the joined cluster's own credential."""
    with story.step("a hostile request is refused") as seen:
        async with await _stolen_client(stage) as thief:
            key = generate_key()
            name = request_name(f"{VICTIM.cluster}-", key=key)
            who = await thief.whoami()
            await thief.create(
                CERTIFICATE_SIGNING_REQUESTS,
                {
                    "apiVersion": CERTIFICATE_SIGNING_REQUESTS.api_version,
                    "kind": CERTIFICATE_SIGNING_REQUESTS.kind,
                    "metadata": {
                        "name": name,
                        "labels": {names.CLUSTER_NAME_LABEL: VICTIM.cluster},
                    },
                    "spec": {
                        "signerName": names.KUBE_CLIENT_SIGNER,
                        "usages": list(names.CLIENT_CERTIFICATE_USAGES),
                        "request": base64.b64encode(
                            build_request(key, subject=VICTIM.subject)
                        ).decode(),
                    },
                },
            )
        seen.append(f"{who.username} asks for {VICTIM.subject}")

        async def refused() -> KubeObject | None:
            csr = await stage.hub.get(CERTIFICATE_SIGNING_REQUESTS, name)
            if condition(csr, "Approved"):
                raise AssertionError(f"request {name} was approved")
            return condition(csr, "Denied")

        denial = await until("the refusal", refused, within=PATIENCE)
        seen.append(f"denied, {denial['reason']}: {denial['message']}")


async def _stolen_client(stage: Stage) -> Client:
    """Return a client with the joined cluster's credential, as a thief on the spoke would have."""
    secret = await stage.spoke.get(
        SECRETS, names.HUB_KUBECONFIG_SECRET, namespace=names.AGENT_NAMESPACE
    )
    folder = stage.folder / "stolen"
    folder.mkdir(mode=0o700)
    for key in (names.KUBECONFIG_KEY, names.TLS_KEY_KEY, names.TLS_CERTIFICATE_KEY):
        path = folder / key
        path.touch(mode=0o600)
        path.write_bytes(base64.b64decode(secret["data"][key]))
    kubeconfig = (folder / names.KUBECONFIG_KEY).read_text()
    return Client(
        parse_kubeconfig(kubeconfig, source=f"credential of {CLUSTER}", base_dir=folder),
        field_manager="towline-demo",
    )
