"""TokenRequests: a service account's token, asked for by a POST to its `token` subresource."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from towline_api.resources import (
    NODES,
    PODS,
    SECRETS,
    SERVICE_ACCOUNTS,
    KubeObject,
    Resource,
)
from towline_api.timestamps import format_time
from towline_sandbox.embedded.access.account_tokens import ISSUER, AccountTokens, Bound
from towline_sandbox.embedded.access.review_bodies import TOKEN_REQUEST
from towline_sandbox.embedded.access.wording import quoted
from towline_sandbox.embedded.model.calls import Call
from towline_sandbox.embedded.model.failures import (
    bad_request,
    conflict,
    invalid,
    not_found,
    not_implemented,
)
from towline_sandbox.embedded.model.kinds import StorageKey
from towline_sandbox.embedded.model.wording import invalid_value
from towline_sandbox.embedded.storage.store import Store

_SHORTEST_SECONDS = 600
_LONGEST_SECONDS = 2**32
# What kubelets ask for. Such a token lasts a year, for programs that read it only once.
_EXTENDED_SECONDS = 3607
_YEAR = timedelta(days=365)

_BINDABLE = {"Pod": PODS, "Secret": SECRETS, "Node": NODES}
_WEBHOOKS = ("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration")


@dataclass(frozen=True, slots=True)
class TokenRequests:
    """Answers TokenRequests.

    Args:
        store: Holds the accounts, and what tokens can be bound to.
        tokens: Issues the tokens.
        now: The plane's clock.
    """

    store: Store
    tokens: AccountTokens
    now: Callable[[], datetime]

    async def create_token(self, call: Call, request: KubeObject) -> KubeObject:
        """Issue a token for the account in the path.

        Args:
            call: Names the account.
            request: The TokenRequest, with a lifetime.
        """
        name, namespace = call.target, call.namespace or ""
        metadata = dict(request.get("metadata") or {})
        if metadata.get("namespace") not in (None, "", namespace):
            raise bad_request(
                "the namespace of the provided object does not match the namespace sent on the "
                "request"
            )
        if metadata.get("name") not in (None, "", name):
            told = "must match the service account name if specified"
            cause = invalid_value("metadata.name", metadata["name"], told)
            raise invalid(TOKEN_REQUEST, name, [cause])
        account = self._find(SERVICE_ACCOUNTS, name, namespace=namespace)
        uid = account["metadata"]["uid"]
        if metadata.get("uid") not in (None, "", uid):
            raise conflict(
                TOKEN_REQUEST,
                name,
                f"the UID in the token request ({metadata['uid']}) does not match the UID of the "
                f"service account ({uid})",
            )
        spec = _with_defaults(request.get("spec") or {})
        _check_spec(spec)
        bound = self._bound_to(spec["boundObjectRef"], account)
        lifetime = timedelta(seconds=spec["expirationSeconds"])
        now = self.now()
        extends = (
            spec["expirationSeconds"] == _EXTENDED_SECONDS
            and spec["audiences"] == [ISSUER]
            and any(each.claim == "pod" for each in bound)
        )
        token = self.tokens.issue(
            account,
            audiences=spec["audiences"],
            lifetime=_YEAR if extends else lifetime,
            bound=bound,
            warn_after=lifetime if extends else None,
        )
        return {
            "kind": TOKEN_REQUEST.kind,
            "apiVersion": TOKEN_REQUEST.api_version,
            "metadata": {
                **metadata,
                "name": name,
                "namespace": namespace,
                "uid": uid,
                "creationTimestamp": format_time(now),
            },
            "spec": spec,
            "status": {"token": token, "expirationTimestamp": format_time(now + lifetime)},
        }

    def _bound_to(self, reference: KubeObject | None, account: KubeObject) -> tuple[Bound, ...]:
        if reference is None:
            return ()
        namespace = account["metadata"]["namespace"]
        kind, group, version = reference.get("kind", ""), *_split(reference.get("apiVersion", ""))
        if kind in _WEBHOOKS and group == "admissionregistration.k8s.io":
            raise not_implemented("bind tokens to webhook configurations")
        resource = _BINDABLE.get(kind)
        if resource is None or group:
            raise bad_request(f"cannot bind token to object of type {group}/{version}, Kind={kind}")
        found = self._find(resource, reference.get("name", ""), namespace=namespace)
        metadata = found["metadata"]
        bound = [Bound(kind.lower(), metadata["name"], metadata["uid"])]
        if kind == "Pod":
            name = account["metadata"]["name"]
            if found["spec"].get("serviceAccountName") != name:
                raise bad_request(
                    f"cannot bind token for serviceaccount {quoted(name)} to pod running with "
                    "different serviceaccount name."
                )
            bound += self._node_of(found)
        if reference.get("uid") not in (None, "", metadata["uid"]):
            raise conflict(
                replace(resource, plural=kind),
                metadata["name"],
                f"the UID in the bound object reference ({reference['uid']}) does not match the "
                "UID in record. The object might have been deleted and then recreated",
            )
        return tuple(bound)

    def _node_of(self, pod: KubeObject) -> list[Bound]:
        name = pod["spec"].get("nodeName")
        if not name:
            return []
        node = self.store.find(StorageKey("", NODES.plural), namespace=None, name=name)
        # A node that is not there is named all the same, for whoever reads the token.
        return [Bound("node", name, "" if node is None else node["metadata"]["uid"])]

    def _find(self, resource: Resource, name: str, *, namespace: str) -> KubeObject:
        found = self.store.find(
            StorageKey(resource.group, resource.plural),
            namespace=namespace if resource.namespaced else None,
            name=name,
        )
        if found is None:
            raise not_found(resource, name)
        return found


def _with_defaults(spec: KubeObject) -> KubeObject:
    return {
        **spec,
        "audiences": spec.get("audiences") or [ISSUER],
        "boundObjectRef": spec.get("boundObjectRef"),
    }


def _check_spec(spec: KubeObject) -> None:
    field = "expirationSeconds"
    if spec.get("attestations"):
        field = "attestations"
        told = "attestations may only be specified with a webhook bound object reference"
    elif spec[field] < _SHORTEST_SECONDS:
        told = "may not specify a duration less than 10 minutes"
    elif spec[field] > _LONGEST_SECONDS:
        told = "may not specify a duration larger than 2^32 seconds"
    else:
        return
    raise invalid(TOKEN_REQUEST, "", [invalid_value(f"spec.{field}", spec[field], told)])


def _split(api_version: str) -> tuple[str, str]:
    group, _, version = api_version.rpartition("/")
    return group, version
