"""Asks the stored ValidatingAdmissionPolicies about every write."""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from towline_api.resources import NAMESPACES, KubeObject, Resource
from towline_sandbox.embedded.access.attributes import Attributes
from towline_sandbox.embedded.admission.declared import check_binding, check_policy
from towline_sandbox.embedded.admission.matching import Target, matched_version, selects
from towline_sandbox.embedded.model.calls import Call
from towline_sandbox.embedded.model.failures import ApiFailure, Cause, forbidden, invalid
from towline_sandbox.embedded.model.kinds import Catalog, GroupVersion, Kind, StorageKey
from towline_sandbox.embedded.storage.store import Store

if TYPE_CHECKING:
    from towline_sandbox.embedded.admission.asking import Authorizer
    from towline_sandbox.embedded.admission.compiled import CompiledPolicy, Values

log = logging.getLogger(__name__)

_GROUP = "admissionregistration.k8s.io"
POLICY_KEY = StorageKey(_GROUP, "validatingadmissionpolicies")
BINDING_KEY = StorageKey(_GROUP, "validatingadmissionpolicybindings")
_NAMESPACE_KEY = StorageKey(NAMESPACES.group, NAMESPACES.plural)
_CODES = {"Unauthorized": 401, "Forbidden": 403, "RequestEntityTooLarge": 413}
_INVALID = 422


@dataclass(frozen=True, slots=True)
class _Bound:
    """A policy with the bindings that put it to use."""

    policy: "CompiledPolicy"
    bindings: tuple[KubeObject, ...]


class PolicyAdmission:
    """An admission that holds writes to the stored policies.

    Policies are compiled when the first write after a change to them comes. Nothing of CEL is
    loaded as long as there is none.

    Args:
        store: Holds policies, bindings, namespaces and parameters.
        catalog: The kinds that parameters are of.
        authorizer: Answers `authorizer` in rules.
    """

    def __init__(self, store: Store, catalog: Catalog, authorizer: "Authorizer") -> None:
        self._store = store
        self._catalog = catalog
        self._authorizer = authorizer
        self._bound: tuple[_Bound, ...] = ()
        self._bound_at: tuple[int, int] | None = None

    async def __call__(self, call: Call, new: KubeObject | None, old: KubeObject | None) -> None:
        """Refuse the write if a policy denies it; add warnings where one only warns.

        Raises:
            ApiFailure: The refusal, with the code that the policy's reason stands for.
        """
        if call.kind.resource.group == _GROUP:
            return  # nobody shall lock himself out: policies are not about policies
        bound = self._current()
        if not bound:
            return
        target = self._target(call, new, old)
        for each in bound:
            version = matched_version(each.policy.constraints, target)
            if version is not None:
                self._judge(each, call, target, version=version, new=new, old=old)

    def _current(self) -> tuple[_Bound, ...]:
        now = (self._store.last_change(POLICY_KEY), self._store.last_change(BINDING_KEY))
        if now != self._bound_at:
            self._bound = tuple(self._read())
            self._bound_at = now
        return self._bound

    def _read(self) -> Iterator[_Bound]:
        bindings = self._store.objects(BINDING_KEY)
        for policy in self._store.objects(POLICY_KEY):
            name = policy["metadata"]["name"]
            own = tuple(each for each in bindings if each["spec"].get("policyName") == name)
            if own:
                from towline_sandbox.embedded.admission.compiled import CompiledPolicy

                yield _Bound(CompiledPolicy(policy), own)

    def _target(self, call: Call, new: KubeObject | None, old: KubeObject | None) -> Target:
        present = [obj for obj in (new, old) if obj is not None]
        metadata = present[0].get("metadata", {}) if present else {}
        name = call.name or metadata.get("name") or ""
        resource = call.kind.resource
        is_namespace = call.kind.storage_key == _NAMESPACE_KEY
        namespace = name if is_namespace else call.namespace
        namespace_object = (
            present[0]
            if is_namespace
            else self._store.find(_NAMESPACE_KEY, namespace=None, name=namespace)
            if namespace
            else None
        )
        return Target(
            resource=resource,
            subresource=call.subresource,
            operation="DELETE" if new is None else "CREATE" if old is None else "UPDATE",
            name=name,
            namespace=None if is_namespace else namespace,
            namespace_object=namespace_object,
            objects=present,
            versions=[
                kind.resource.version for kind in self._catalog.versions_of(call.kind.storage_key)
            ],
        )

    def _judge(
        self,
        bound: _Bound,
        call: Call,
        target: Target,
        *,
        version: str,
        new: KubeObject | None,
        old: KubeObject | None,
    ) -> None:
        values: Values | None = None
        for binding in bound.bindings:
            spec: KubeObject = binding["spec"]
            resources = spec.get("matchResources")
            if resources is not None and matched_version(resources, target) is None:
                continue
            if values is None:
                every = self._values(call, target, version=version, new=new, old=old)
                # Making CEL's values of a large object takes longer than most rules.
                values = {name: every[name]() for name in every.keys() & bound.policy.names}
            name = f"ValidatingAdmissionPolicy '{bound.policy.name}'"
            whole_name = f"{name} with binding '{binding['metadata']['name']}'"
            try:
                with_params = list(self._with_params(bound.policy, spec, values, target))
            except _NotConfiguredError as error:
                if bound.policy.fails_closed:
                    told = f"{whole_name if error.is_binding else name} denied request: {error}"
                    raise _refusal(target.resource, target.name, told, reason="") from None
                continue
            for each in with_params:
                for finding in bound.policy.findings(each):
                    _act(
                        call,
                        spec["validationActions"],
                        whole_name,
                        message=finding.message,
                        reason=finding.reason,
                        name=target.name,
                    )

    def _values(
        self,
        call: Call,
        target: Target,
        *,
        version: str,
        new: KubeObject | None,
        old: KubeObject | None,
    ) -> "Mapping[str, Callable[[], object]]":
        from towline_sandbox.embedded.admission.asking import Asking
        from towline_sandbox.embedded.admission.variables import request_object
        from towline_sandbox.embedded.expressions.values import cel_value

        api_version = str(GroupVersion(target.resource.group, version))
        resource = target.resource
        request = Attributes(
            verb="",
            group=resource.group,
            version=resource.version,
            resource=resource.plural,
            subresource=target.subresource,
            namespace=target.namespace or "",
            name=target.name,
        )
        return {
            "object": lambda: cel_value(new and {**new, "apiVersion": api_version}),
            "oldObject": lambda: cel_value(old and {**old, "apiVersion": api_version}),
            "request": lambda: cel_value(request_object(call, target, version=version)),
            "namespaceObject": lambda: cel_value(target.namespace_object),
            "authorizer": lambda: Asking(self._authorizer, user=call.user, request=request),
        }

    def _with_params(
        self, policy: "CompiledPolicy", binding: KubeObject, values: "Values", target: Target
    ) -> Iterator["Values"]:
        """Return the variables once for each parameter that a binding refers to."""
        from towline_sandbox.embedded.expressions.values import cel_value

        if policy.param_kind is None:
            yield values
            return
        served = self._kind_of_params(policy.param_kind)
        reference = binding.get("paramRef")
        if reference is None:
            yield {**values, "params": None}
            return
        found = self._params(served, reference, target)
        for param in found:
            yield {**values, "params": cel_value(param)}
        if not found and reference.get("parameterNotFoundAction") != "Allow":
            raise _NotConfiguredError(
                "failed to configure binding: no params found for policy binding with `Deny` "
                "parameterNotFoundAction",
                is_binding=True,
            )

    def _kind_of_params(self, kind: KubeObject) -> Kind:
        group, _, version = kind["apiVersion"].rpartition("/")
        served = self._catalog.find_kind(GroupVersion(group, version), kind["kind"])
        if served is None:
            raise _NotConfiguredError(
                "failed to configure policy: failed to find resource referenced by paramKind: "
                f"'{group}/{version}, Kind={kind['kind']}'",
                is_binding=False,
            )
        return served

    def _params(self, kind: Kind, reference: KubeObject, target: Target) -> list[KubeObject]:
        namespace = reference.get("namespace") or target.namespace
        objects = self._store.objects(
            kind.storage_key, namespace=namespace if kind.resource.namespaced else None
        )
        name, selector = reference.get("name"), reference.get("selector")
        return [
            obj
            for obj in objects
            if (
                obj["metadata"]["name"] == name
                if name
                else selects(selector, obj["metadata"].get("labels") or {})
            )
        ]


class _NotConfiguredError(Exception):
    """A policy, or its binding, names what is not there.

    Args:
        message: What.
        is_binding: Whether it is the binding that does.
    """

    def __init__(self, message: str, *, is_binding: bool) -> None:
        super().__init__(message)
        self.is_binding = is_binding


async def check_declared(call: Call, new: KubeObject | None, _old: KubeObject | None) -> None:
    """Refuse a policy or binding with mistakes; an Admission.

    Once stored, it would be in every write's way.

    Raises:
        ApiFailure: 422, with every mistake.
    """
    check = _CHECKS.get(call.kind.storage_key)
    if check is None or new is None or call.subresource:
        return
    causes = list(check(new))
    if causes:
        raise invalid(call.kind.resource, new["metadata"].get("name", ""), causes)


_CHECKS: Mapping[StorageKey, Callable[[KubeObject], Iterable[Cause]]] = {
    POLICY_KEY: check_policy,
    BINDING_KEY: check_binding,
}


def _act(
    call: Call, actions: list[str], policy: str, *, message: str, reason: str, name: str
) -> None:
    if "Deny" in actions:
        raise _refusal(
            call.kind.resource, name, f"{policy} denied request: {message}", reason=reason
        )
    if "Warn" in actions:
        call.warnings.append(f"Validation failed for {policy}: {message}")
    if "Audit" in actions:
        log.info("write breaks a policy", extra={"object": call.describe(), "reason": message})


def _refusal(resource: Resource, name: str, message: str, *, reason: str) -> ApiFailure:
    refused = forbidden(resource, name, message)
    return ApiFailure(
        _CODES.get(reason, _INVALID),
        reason or "Invalid",
        refused.message,
        details={**refused.details, "causes": [{"message": message}]},
    )
