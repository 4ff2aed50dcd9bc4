"""What the embedded plane believes about Kubernetes' own kinds is what a real server says."""

from pathlib import Path

import pytest

from towline_sandbox.embedded.built_in.collect import collect_from, go_types
from towline_sandbox.embedded.built_in.data_files import (
    definitions,
    kind_entries,
)
from towline_sandbox.embedded.built_in.data_files import go_types as kept_go_types
from towline_sandbox.embedded.built_in.go_sources import GoSources
from towline_sandbox.kube_plane import KubePlane

pytestmark = pytest.mark.planes("kube", because="what a release of Kubernetes says is asked of it")

COLLECT = "run `python -m towline_sandbox.embedded.built_in.collect` and look at what changed"
MODULE_CACHE = Path.home() / "go/pkg/mod"


async def test_the_data_files_say_what_the_real_server_says(hub_plane: KubePlane) -> None:
    """A new release of Kubernetes may add fields, verbs and kinds; nobody else would notice."""
    collected = await collect_from(hub_plane.admin_kubeconfig())
    assert collected.kinds == list(kind_entries()), COLLECT
    assert collected.definitions.keys() == definitions().keys(), COLLECT
    changed = [name for name, node in collected.definitions.items() if node != definitions()[name]]
    assert not changed, COLLECT


async def test_the_go_types_are_those_of_the_release_that_runs(hub_plane: KubePlane) -> None:
    """Complaints about values name Go types, which no answer of a server lists."""
    version = hub_plane.version.replace("v1.", "v0.", 1)
    if not (MODULE_CACHE / f"k8s.io/api@{version}").is_dir():
        pytest.skip("the sources of Kubernetes' API types are not in Go's module cache")
    found = go_types(definitions(), GoSources(MODULE_CACHE, version))
    assert found == kept_go_types(), COLLECT
