"""Bare metadata comes in the form that informers of metadata read."""

from towline_sandbox.embedded.views.partial_metadata import (
    partial_metadata,
    partial_metadata_list,
)


def test_nothing_but_metadata_is_left() -> None:
    """That is why it is asked for: a Secret's content stays where it is."""
    metadata = {"name": "s", "resourceVersion": "7"}
    bare = {
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata,
    }
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {"a": "AA=="}}
    assert partial_metadata(secret) == bare
    listed = partial_metadata_list([secret], list_metadata={"resourceVersion": "9"})
    assert listed == {
        "kind": "PartialObjectMetadataList",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": {"resourceVersion": "9"},
        "items": [bare],
    }
