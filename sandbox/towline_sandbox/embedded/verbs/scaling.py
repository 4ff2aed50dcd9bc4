"""The `scale` subresource: how many there are of something, and how many are wanted."""

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from towline_api.resources import KubeObject, Resource
from towline_sandbox.embedded.built_in.data_files import definitions
from towline_sandbox.embedded.built_in.decoding import decode_as
from towline_sandbox.embedded.custom import CRD_KEY
from towline_sandbox.embedded.custom.scale import ScalePaths
from towline_sandbox.embedded.custom.served import scale_paths
from towline_sandbox.embedded.model.calls import Call
from towline_sandbox.embedded.model.failures import Cause, invalid, not_found, path_not_found
from towline_sandbox.embedded.model.kinds import GroupVersion, Kind
from towline_sandbox.embedded.model.schema import ANYTHING, Schema
from towline_sandbox.embedded.patches import apply_patch, server_side_apply
from towline_sandbox.embedded.patches.media_types import APPLY
from towline_sandbox.embedded.patches.owners import Operation
from towline_sandbox.embedded.patches.reading import parse_apply
from towline_sandbox.embedded.patches.scale_owners import Claim, scaled_by
from towline_sandbox.embedded.queries.query_options import is_forced
from towline_sandbox.embedded.queries.write_options import check_write_options
from towline_sandbox.embedded.storage.store import Store
from towline_sandbox.embedded.verbs.copying import copy_of
from towline_sandbox.embedded.verbs.incoming import check_place
from towline_sandbox.embedded.verbs.reading import get
from towline_sandbox.embedded.verbs.writing import Writer, Written

SCALE = "scale"
_GROUP_VERSION = GroupVersion("autoscaling", "v1")
_SCALES = Resource("autoscaling", "v1", "scales", "Scale", namespaced=True)
_BUILT_IN = ScalePaths(".spec.replicas", ".status.replicas")
_SCHEMA = "#/components/schemas/io.k8s.api.autoscaling.v1.Scale"
_OPERATORS = {"In": "in", "NotIn": "notin"}


class _Form(Protocol):
    """Where the objects of a kind keep what a Scale shows."""

    @property
    def spec_replicas(self) -> str: ...

    def scale_of(self, obj: KubeObject, *, is_written: bool = False) -> KubeObject: ...

    def scaled(self, obj: KubeObject, scale: KubeObject, *, resource: Resource) -> KubeObject: ...


class Scaler:
    """Shows and changes objects through their Scale.

    Args:
        store: Where objects are.
        writer: Carries out the writes.
    """

    def __init__(self, *, store: Store, writer: Writer) -> None:
        self._store = store
        self._writer = writer

    async def get(self, call: Call) -> KubeObject:
        """Return the Scale of an object."""
        return self._form(call.kind).scale_of(await get(self._store, call))

    async def update(self, call: Call, body: KubeObject) -> Written:
        """Make an object what a Scale says."""
        check_write_options(call)
        wanted = _read(call, body)
        return await self._write(call, lambda _scale: wanted)

    async def patch(self, call: Call, media_type: str, patch: bytes) -> Written:
        """Make an object what its Scale says when patched."""
        if media_type == APPLY:
            return await self._apply(call, patch)
        check_write_options(call)
        # What is patched is the Scale, which has no lists for anybody to merge.
        plain = replace(call.kind, schema=ANYTHING)
        return await self._write(
            call,
            lambda scale: _read(call, apply_patch(scale, patch, media_type=media_type, kind=plain)),
        )

    async def _apply(self, call: Call, patch: bytes) -> Written:
        check_write_options(call, is_apply=True)
        applied = parse_apply(patch)
        server_side_apply.check_form(applied, kind=_scale_kind(call.kind))
        spec, metadata = applied.get("spec") or {}, applied.get("metadata") or {}

        def merged(scale: KubeObject) -> KubeObject:
            both = {
                "metadata": {**scale["metadata"], **metadata},
                "spec": {**scale["spec"], **spec},
            }
            return _read(call, {**scale, **both})

        return await self._write(
            call, merged, operation=Operation.APPLY, names_replicas="replicas" in spec
        )

    async def _write(
        self,
        call: Call,
        wanted: Callable[[KubeObject], KubeObject],
        *,
        operation: Operation = Operation.UPDATE,
        names_replicas: bool = True,
    ) -> Written:
        form = self._form(call.kind)

        def change(old: KubeObject | None) -> KubeObject:
            if old is None:
                raise not_found(call.kind.resource, call.target)
            before = form.scale_of(old, is_written=True)
            scale = wanted(before)
            new = form.scaled(copy_of(old), scale, resource=call.kind.resource)
            version = scale["metadata"].get("resourceVersion")
            if version:
                new["metadata"]["resourceVersion"] = version
            claim = Claim(
                call.field_manager,
                operation,
                changes=_replicas(scale) != _replicas(before),
                names=names_replicas,
                force=is_forced(call.query),
            )
            return scaled_by(new, claim, kind=call.kind, path=form.spec_replicas)

        written = await self._writer.write(call, change, may_create=False)
        return replace(written, object=form.scale_of(written.object))

    def _form(self, kind: Kind) -> _Form:
        if not kind.custom:
            return _BuiltInForm()
        resource = kind.resource
        crd = self._store.find(CRD_KEY, namespace=None, name=resource.qualified)
        versions = crd["spec"]["versions"] if crd else ()
        for version in versions:
            if version["name"] == resource.version:
                paths = scale_paths(version)
                if paths is not None:
                    return paths
        raise path_not_found()


class _BuiltInForm:
    """Deployments and their like."""

    spec_replicas = _BUILT_IN.spec_replicas

    def scale_of(self, obj: KubeObject, *, is_written: bool = False) -> KubeObject:
        scale = _BUILT_IN.scale_of(obj, is_written=is_written)
        selector = _selector_text((obj.get("spec") or {}).get("selector"))
        if selector:
            scale["status"]["selector"] = selector
        return scale

    def scaled(self, obj: KubeObject, scale: KubeObject, *, resource: Resource) -> KubeObject:
        wanted = (scale.get("spec") or {}).get("replicas", 0)
        if wanted < 0:
            told = f"Invalid value: {wanted}: must be greater than or equal to 0"
            cause = Cause("FieldValueInvalid", told, "spec.replicas")
            raise invalid(_SCALES, obj["metadata"]["name"], [cause])
        return _BUILT_IN.scaled(obj, scale, resource=resource)


def _replicas(scale: KubeObject) -> object:
    return (scale.get("spec") or {}).get("replicas") or 0


def _scale_kind(kind: Kind) -> Kind:
    shape = Schema({"$ref": _SCHEMA}, definitions=definitions())
    return replace(kind, resource=_SCALES, schema=shape, custom=False)


def _read(call: Call, body: KubeObject) -> KubeObject:
    scale = decode_as(
        body,
        group_version=_GROUP_VERSION,
        kind="Scale",
        field_validation=call.field_validation,
        warnings=call.warnings,
    )
    check_place(call, scale.setdefault("metadata", {}))
    return scale


def _selector_text(selector: KubeObject | None) -> str:
    """Return a label selector as it is written in queries."""
    if not selector:
        return ""
    if not {"matchLabels", "matchExpressions"} & selector.keys():
        return ",".join(f"{key}={selector[key]}" for key in sorted(selector))
    terms = [(key, f"{key}={value}") for key, value in selector.get("matchLabels", {}).items()]
    for term in selector.get("matchExpressions", ()):
        key, operator = term["key"], term["operator"]
        values = ",".join(sorted(term.get("values", ())))
        if operator in _OPERATORS:
            terms.append((key, f"{key} {_OPERATORS[operator]} ({values})"))
        else:
            terms.append((key, key if operator == "Exists" else f"!{key}"))
    return ",".join(text for _, text in sorted(terms))
