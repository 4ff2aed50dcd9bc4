"""Objects of the add-on kinds that an API server accepts in one version or the other."""

from functools import cache
from typing import Any

from hypothesis import strategies as st

from support.drawn_instances import instances
from towline_api.crds import CONVERTED_KINDS, crds, url_conversion
from towline_api.names import V1ALPHA1_INSTALL_NAMESPACE_ANNOTATION as NAMESPACE_ANNOTATION
from towline_api.resources import ADDON_GROUP as GROUP
from towline_api.resources import KubeObject


@cache
def schema(kind: str, version: str) -> dict[str, Any]:
    """Return the schema of a kind in a version."""
    conversion = url_conversion("https://h/convert", ca_pem=b"ca")
    (found,) = (
        item["schema"]["openAPIV3Schema"]
        for crd in crds(CONVERTED_KINDS, conversion=conversion)
        for item in crd["spec"]["versions"]
        if crd["spec"]["names"]["kind"] == kind and item["name"] == version
    )
    return dict(found)


@cache
def drawn(kind: str, version: str) -> st.SearchStrategy[KubeObject]:
    """Return objects that the API server accepts in a version."""
    properties = schema(kind, version)["properties"]
    annotations = st.dictionaries(
        st.sampled_from(["other", NAMESPACE_ANNOTATION]),
        st.sampled_from(["x", "helloworld", "Not One", ""]),
        max_size=2,
    )
    metadata = annotations.map(
        lambda found: {"name": "n", "uid": "u"} | ({"annotations": found} if found else {})
    )
    return st.fixed_dictionaries(
        {
            "apiVersion": st.just(f"{GROUP}/{version}"),
            "kind": st.just(kind),
            "metadata": metadata,
            "spec": instances(properties["spec"]),
        },
        optional={"status": instances(properties["status"])},
    ).filter(_names_its_signers)


def _names_its_signers(obj: KubeObject) -> bool:
    """Leave out what the schema allows and no version means: a custom signer that is not named."""
    return all(
        item.get("type") != "customSigner" or "customSigner" in item
        for item in obj.get("status", {}).get("registrations", ())
    )
