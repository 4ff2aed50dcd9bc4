"""What a plane says about itself to anybody who asks."""

import re

import pytest

from conformance.api import Api
from conformance.callers import Callers
from conformance.planes import Plane


async def test_the_version_is_a_release(api: Api, plane: Plane) -> None:
    """Clients choose what to send by it."""
    body = (await api.get("/version")).ok()
    assert body["gitVersion"] == plane.control.version
    assert re.fullmatch(r"v(\d+)\.(\d+)\.\d+(\+[a-z.]+)?", body["gitVersion"])
    assert body["gitVersion"].startswith(f"v{body['major']}.{body['minor']}.")
    assert {"gitCommit", "buildDate", "goVersion", "compiler", "platform"} <= set(body)


async def test_anybody_may_ask_for_the_version(callers: Callers) -> None:
    """The role system:public-info-viewer is for those who show nothing, too."""
    anonymous = await callers.anonymous()
    assert (await anonymous.get("/version")).ok()["gitVersion"]


@pytest.mark.parametrize("path", ["/healthz", "/livez", "/readyz"])
async def test_a_healthy_server_says_ok(callers: Callers, path: str) -> None:
    """Whoever waits for a server has no credential yet."""
    answer = await (await callers.anonymous()).get(path)
    assert (answer.status, answer.text) == (200, "ok")
    assert answer.headers["Content-Type"].startswith("text/plain")


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
async def test_health_is_told_check_by_check(api: Api, path: str) -> None:
    """`?verbose` is what people look at when a server does not come up."""
    answer = await api.get(path, verbose="true")
    lines = answer.text.splitlines()
    assert answer.status == 200
    assert "[+]ping ok" in lines
    assert lines[-1] == f"{path.removeprefix('/')} check passed"


async def test_an_unknown_path_is_not_found(api: Api) -> None:
    """Who asks for an API that is not there must not take the answer for an empty one."""
    answer = await api.get("/nothing/here")
    assert answer.status == 404


async def test_an_unknown_group_is_not_found(api: Api) -> None:
    """A client tells a missing CRD from a missing object by the details."""
    answer = await api.get("/apis/nothing.example.com/v1/things")
    assert answer.status == 404
    assert answer.text == "404 page not found\n"


async def test_an_unknown_resource_of_a_known_group_is_not_found(api: Api) -> None:
    """Below a group that is served, the answer is a Status."""
    answer = await api.get("/apis/apps/v1/things")
    answer.assert_refused(404, "NotFound", "the server could not find the requested resource", {})
