"""A plane of Kubernetes' own programs does what the channel between hub and agent needs of it."""

from towline_sandbox.kube_plane import KubePlane


async def test_planes_come_up_quickly(hub_plane: KubePlane, spoke_plane: KubePlane) -> None:
    """People wait for planes; the last line of a test run says how long they took."""
    assert hub_plane.server != spoke_plane.server
    for plane in (hub_plane, spoke_plane):
        # Ten seconds on an idle machine; this one may be running another worker's planes as well.
        assert plane.readiness.took.total_seconds() < 30, plane.readiness
