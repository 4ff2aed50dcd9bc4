"""Every verb over real TLS: what is sent, what comes back, what is said of failures."""

import asyncio
import contextlib
import json
import socket
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web

from support.clients import IMPATIENT, connection_to
from support.clock import FakeClock
from support.pki import Pki
from support.tasks import background
from support.tls_server import TlsServer, answers, status
from towline_api.resources import (
    CERTIFICATE_SIGNING_REQUESTS,
    CONFIG_MAPS,
    LEASES,
    MANAGED_CLUSTERS,
    SECRETS,
)
from towline_kube import (
    AlreadyExists,
    Call,
    Client,
    Conflict,
    Connection,
    Gone,
    NamespaceTerminating,
    NotFound,
    NotServed,
    PatchType,
    Propagation,
    RetryPolicy,
    ServerError,
    Throttled,
    Unauthorized,
    Unreachable,
    UntrustedServer,
)

CONFIG_MAP = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "settings", "namespace": "c1", "uid": "u1", "resourceVersion": "7"},
    "data": {"a": "1"},
}


async def test_get_sends_our_certificate_and_says_who_we_are(
    server: TlsServer, client: Client
) -> None:
    """The server's audit log must be able to name us."""
    assert (await client.get(SECRETS, "x", namespace="c1"))["metadata"]["name"] == "x"
    (seen,) = server.seen
    assert (seen.method, seen.path) == ("GET", "/api/v1/namespaces/c1/secrets/x")
    assert seen.client == "one"
    assert seen.headers["User-Agent"].startswith("towline/")
    assert "Authorization" not in seen.headers


async def test_passwords_of_other_programs_are_not_sent(
    server: TlsServer, client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The official client takes what `~/.netrc` has for the host, which is nobody's intention."""
    file = tmp_path / "netrc"
    file.write_text("machine 127.0.0.1 login me password secret\n")
    file.chmod(0o600)
    monkeypatch.setenv("NETRC", str(file))
    await client.get(SECRETS, "x", namespace="c1")
    assert "Authorization" not in server.seen[0].headers


@pytest.mark.parametrize("name", ["", ".", ".."])
async def test_a_name_that_is_a_path_is_refused_unsent(
    server: TlsServer, client: Client, name: str
) -> None:
    """Names come from other people's objects; an empty one would delete a whole collection."""
    with pytest.raises(ValueError, match="needs a name"):
        await client.delete(SECRETS, name, namespace="c1")
    with pytest.raises(ValueError, match="needs a name"):
        await client.get(SECRETS, "x", namespace=name)
    with pytest.raises(ValueError, match=r"needs metadata\.namespace"):
        await client.create(SECRETS, {"metadata": {"name": "x", "namespace": name}})
    assert not server.seen


async def test_a_slash_in_a_name_does_not_leave_the_object(
    server: TlsServer, client: Client
) -> None:
    """`../../x` as a name must not become another endpoint on the way."""
    await client.get(SECRETS, "../../x?y#z", namespace="c1")
    assert server.seen[0].path == "/api/v1/namespaces/c1/secrets/..%2F..%2Fx%3Fy%23z"


async def test_list_collects_pages_and_completes_items(server: TlsServer, client: Client) -> None:
    """Items of typed lists come without kind; callers hand them on as objects."""
    server.handler = answers(
        web.json_response(
            {
                "metadata": {"resourceVersion": "5", "continue": "more"},
                "items": [{"metadata": {"name": "a"}}],
            }
        ),
        web.json_response(
            {"metadata": {"resourceVersion": "5"}, "items": [{"metadata": {"name": "b"}}]}
        ),
    )
    found = await client.list(
        LEASES, namespace="c1", label_selector="a=b", field_selector="metadata.name=x", page_size=1
    )
    assert [item["metadata"]["name"] for item in found.items] == ["a", "b"]
    assert {(item["apiVersion"], item["kind"]) for item in found.items} == {
        ("coordination.k8s.io/v1", "Lease")
    }
    assert found.resource_version == "5"
    first, second = (seen.query for seen in server.seen)
    assert first == {"labelSelector": "a=b", "fieldSelector": "metadata.name=x", "limit": "1"}
    assert second == {**first, "continue": "more"}


async def test_a_list_whose_pages_expire_is_taken_whole(server: TlsServer, client: Client) -> None:
    """Half a list would look like deletions to whoever compares."""
    server.handler = answers(
        web.json_response(
            {
                "metadata": {"resourceVersion": "5", "continue": "more"},
                "items": [{"metadata": {"name": "a"}}],
            }
        ),
        status(410, "Expired"),
        web.json_response(
            {"metadata": {"resourceVersion": "9"}, "items": [{"metadata": {"name": "b"}}]}
        ),
    )
    found = await client.list(SECRETS, page_size=1)
    assert [item["metadata"]["name"] for item in found.items] == ["b"]
    assert found.resource_version == "9"
    assert "limit" not in server.seen[-1].query


async def test_create_posts_to_the_namespace_of_the_body(server: TlsServer, client: Client) -> None:
    """One place says where an object lives: the object."""
    server.handler = answers(web.json_response(CONFIG_MAP, status=201))
    await client.create(CONFIG_MAPS, {"metadata": {"name": "settings", "namespace": "c1"}})
    (seen,) = server.seen
    assert (seen.method, seen.path) == ("POST", "/api/v1/namespaces/c1/configmaps")
    assert seen.query == {"fieldManager": "test"}
    assert seen.headers["Content-Type"] == "application/json"
    assert seen.json["kind"] == "ConfigMap"


async def test_replace_puts_to_the_subresource(server: TlsServer, client: Client) -> None:
    """Approvals go to `approval`, issued certificates to `status`."""
    body = {"metadata": {"name": "csr-1", "resourceVersion": "3"}}
    await client.replace(CERTIFICATE_SIGNING_REQUESTS, body, subresource="approval")
    (seen,) = server.seen
    path = "/apis/certificates.k8s.io/v1/certificatesigningrequests/csr-1/approval"
    assert (seen.method, seen.path) == ("PUT", path)
    assert client.calls == {
        ("replace", "certificatesigningrequests.certificates.k8s.io/approval"): 1
    }


async def test_apply_forces_as_our_field_manager(server: TlsServer, client: Client) -> None:
    """Server-side apply needs its own content type, which the official client rewrites."""
    await client.apply(CONFIG_MAPS, CONFIG_MAP)
    (seen,) = server.seen
    assert (seen.method, seen.path) == ("PATCH", "/api/v1/namespaces/c1/configmaps/settings")
    assert seen.query == {"fieldManager": "test", "force": "true"}
    assert seen.headers["Content-Type"] == "application/apply-patch+yaml"
    assert seen.json == CONFIG_MAP
    await client.apply(CONFIG_MAPS, CONFIG_MAP, force=False)
    assert server.seen[-1].query == {"fieldManager": "test"}


async def test_patch_keeps_its_content_type(server: TlsServer, client: Client) -> None:
    """The official client would send a JSON object as a strategic merge patch."""
    await client.patch(SECRETS, "x", {"data": {}}, namespace="c1")
    await client.patch(
        SECRETS,
        "x",
        [{"op": "remove", "path": "/data"}],
        namespace="c1",
        content_type=PatchType.JSON,
    )
    assert [seen.headers["Content-Type"] for seen in server.seen] == [
        "application/merge-patch+json",
        "application/json-patch+json",
    ]


async def test_patch_status_sends_the_difference_bound_to_the_version(
    server: TlsServer, client: Client
) -> None:
    """As OCM's controllers write status: a concurrent writer gets a conflict, not overwritten."""
    cluster = {
        "metadata": {"name": "c1", "uid": "u", "resourceVersion": "8"},
        "status": {"version": {"kubernetes": "v1"}, "capacity": {"cpu": "1"}},
    }
    await client.patch_status(
        MANAGED_CLUSTERS, cluster, {"version": {"kubernetes": "v2"}, "capacity": {"cpu": "1"}}
    )
    (seen,) = server.seen
    assert seen.path == "/apis/cluster.open-cluster-management.io/v1/managedclusters/c1/status"
    assert seen.json == {
        "status": {"version": {"kubernetes": "v2"}},
        "metadata": {"uid": "u", "resourceVersion": "8"},
    }


async def test_writing_what_is_there_sends_nothing(server: TlsServer, client: Client) -> None:
    """At rest, a reconciler must not cost the server one request."""
    obj = {
        "metadata": {
            "name": "c1",
            "uid": "u",
            "resourceVersion": "8",
            "labels": {"a": "b"},
            "finalizers": ["f"],
        },
        "status": {"conditions": []},
    }
    assert await client.patch_status(MANAGED_CLUSTERS, obj, {"conditions": []}) is obj
    assert (
        await client.patch_metadata(
            MANAGED_CLUSTERS,
            obj,
            labels={"a": "b", "gone": None},
            annotations={},
            finalizers=["f"],
        )
        is obj
    )
    bare = {"metadata": {"name": "c1", "uid": "u", "resourceVersion": "8"}}
    assert await client.patch_metadata(MANAGED_CLUSTERS, bare, finalizers=[], labels={}) is bare
    assert not server.seen


async def test_patch_metadata_changes_only_what_is_named(server: TlsServer, client: Client) -> None:
    """Labels of others stay; the list of finalizers is one value and is sent whole."""
    obj = {
        "metadata": {
            "name": "c1",
            "uid": "u",
            "resourceVersion": "8",
            "labels": {"a": "b", "old": "x"},
            "finalizers": ["mine", "theirs"],
        }
    }
    await client.patch_metadata(
        MANAGED_CLUSTERS,
        obj,
        labels={"new": "y", "old": None},
        annotations={"n": "1"},
        finalizers=["theirs"],
    )
    await client.patch_metadata(MANAGED_CLUSTERS, obj, finalizers=[])
    assert [seen.json for seen in server.seen] == [
        {
            "metadata": {
                "labels": {"new": "y", "old": None},
                "annotations": {"n": "1"},
                "finalizers": ["theirs"],
                "uid": "u",
                "resourceVersion": "8",
            }
        },
        {"metadata": {"finalizers": [], "uid": "u", "resourceVersion": "8"}},
    ]


async def test_delete_states_its_preconditions(server: TlsServer, client: Client) -> None:
    """A delete meant for one object must not hit another of the same name."""
    await client.delete(
        SECRETS,
        "x",
        namespace="c1",
        uid="u",
        resource_version="3",
        propagation=Propagation.FOREGROUND,
    )
    assert server.seen[0].json == {
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "preconditions": {"uid": "u", "resourceVersion": "3"},
        "propagationPolicy": "Foreground",
    }


async def test_what_is_missing_is_told_from_what_is_not_served(
    server: TlsServer, client: Client
) -> None:
    """Without its CRD a kind's objects are not known to be absent."""
    server.handler = answers(
        status(404, "NotFound"),
        web.Response(status=404, text="404 page not found"),
        status(404, "NotFound"),
        status(404, "NotFound"),
    )
    assert await client.find(MANAGED_CLUSTERS, "c1") is None
    with pytest.raises(NotServed, match="check that its CRD is installed"):
        await client.find(MANAGED_CLUSTERS, "c1")
    await client.delete(MANAGED_CLUSTERS, "c1", missing_ok=True)
    with pytest.raises(NotFound):
        await client.delete(MANAGED_CLUSTERS, "c1")


async def test_errors_name_the_call_and_quote_the_server_safely(
    server: TlsServer, client: Client
) -> None:
    """The sentence is read at night by somebody who sees nothing else."""
    token = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl"
    server.handler = answers(
        status(409, "AlreadyExists", f"secrets x already exists\n{token} " + "long " * 500),
        status(409, "Conflict"),
        status(401, "Unauthorized"),
        status(403, "Forbidden", "no", causes=[{"reason": "NamespaceTerminating"}]),
        web.Response(status=400, content_type="text/html", text="<html>proxy</html>"),
    )
    body = {"metadata": {"name": "x", "namespace": "c1"}}
    with pytest.raises(AlreadyExists) as exists:
        await client.create(SECRETS, body)
    said = str(exists.value)
    assert said.startswith(
        f"create secrets c1/x on {server.host}: it exists already (409 AlreadyExists): secrets x"
    )
    assert token not in said
    assert "\n" not in said
    assert len(said) < 450
    assert (exists.value.status, exists.value.verb, exists.value.object) == (
        409,
        "create",
        "secrets c1/x",
    )
    with pytest.raises(Conflict):
        await client.replace(SECRETS, body)
    with pytest.raises(Unauthorized):
        await client.create(SECRETS, body)
    with pytest.raises(NamespaceTerminating):
        await client.create(SECRETS, body)
    with pytest.raises(Exception, match=r"\(400 BadRequest\)$"):
        await client.create(SECRETS, body)


async def test_reads_are_retried_and_retry_after_is_obeyed(server: TlsServer, pki: Pki) -> None:
    """API priority and fairness asks by 429; coming back sooner only makes it worse."""
    busy = web.json_response({}, status=429, headers={"Retry-After": "1"})
    server.handler = answers(
        busy, web.Response(status=503), web.json_response({"metadata": {"name": "x"}})
    )
    waited: list[timedelta] = []

    class Impatient:
        def now(self) -> datetime:
            return datetime.now(UTC)

        def monotonic(self) -> float:
            return sum(pause.total_seconds() for pause in waited)

        async def sleep(self, delay: timedelta) -> None:
            waited.append(delay)

    calls: list[Call] = []
    async with Client(
        connection_to(server, pki), field_manager="test", clock=Impatient(), on_call=calls.append
    ) as client:
        await client.get(SECRETS, "x", namespace="c1")
    assert [call.status for call in calls] == [429, 503, 200]
    assert [call.attempt for call in calls] == [1, 2, 3]
    assert waited[0] >= timedelta(seconds=1)
    assert waited[1] <= timedelta(seconds=0.5)


async def test_a_create_cut_off_half_way_is_not_sent_again(
    server: TlsServer, client: Client
) -> None:
    """It may have happened: a second CSR or Event would be another object."""
    server.handler = answers(ConnectionResetError(), web.json_response(CONFIG_MAP))
    with pytest.raises(Unreachable, match="broke") as lost:
        await client.create(CONFIG_MAPS, CONFIG_MAP)
    assert lost.value.was_sent
    assert len(server.seen) == 1


async def test_a_throttled_create_is_sent_again(server: TlsServer, client: Client) -> None:
    """429 says that it was not carried out."""
    server.handler = answers(
        status(429, "TooManyRequests"), web.json_response(CONFIG_MAP, status=201)
    )
    await client.create(CONFIG_MAPS, CONFIG_MAP)
    assert len(server.seen) == 2


@pytest.mark.parametrize("bound", [True, False])
async def test_only_writes_bound_to_a_version_are_sent_again(
    server: TlsServer, client: Client, *, bound: bool
) -> None:
    """An unbound one could undo what somebody else wrote in between."""
    server.handler = answers(ConnectionResetError(), web.json_response(CONFIG_MAP))
    metadata = {"name": "settings", "namespace": "c1"}
    body = {"metadata": {**metadata, "resourceVersion": "7"} if bound else metadata}
    if bound:
        await client.replace(CONFIG_MAPS, body)
    else:
        with pytest.raises(Unreachable):
            await client.replace(CONFIG_MAPS, body)
    assert len(server.seen) == 1 + bound


async def test_a_delete_that_was_lost_and_then_finds_nothing_has_succeeded(
    server: TlsServer, client: Client
) -> None:
    """Otherwise a dropped connection would look as if somebody else had deleted it."""
    server.handler = answers(ConnectionResetError(), status(404, "NotFound"))
    await client.delete(SECRETS, "x", namespace="c1", uid="u")
    assert len(server.seen) == 2
    # Turned away is not lost: then somebody else has deleted it.
    server.handler = answers(status(429, "TooManyRequests"), status(404, "NotFound"))
    with pytest.raises(NotFound):
        await client.delete(SECRETS, "x", namespace="c1", uid="u")


async def test_a_server_that_stays_busy_hands_its_patience_to_the_caller(
    server: TlsServer, client: Client
) -> None:
    """The controller's queue waits instead of a call that hangs for minutes."""
    server.handler = answers(
        web.json_response({}, status=429, headers={"Retry-After": "120"}),
    )
    with pytest.raises(Throttled) as busy:
        await client.get(SECRETS, "x", namespace="c1")
    assert busy.value.retry_after == timedelta(minutes=2)
    assert len(server.seen) == 1


async def test_a_call_without_an_answer_ends_within_its_limit(server: TlsServer, pki: Pki) -> None:
    """Nothing waits for ever; the message says how long was waited."""
    never = asyncio.Event()

    async def hang(request: web.Request) -> web.StreamResponse:
        await never.wait()
        return web.Response()

    server.handler = hang
    async with Client(
        connection_to(server, pki),
        field_manager="test",
        request_timeout=timedelta(milliseconds=150),
        retry=RetryPolicy(attempts=2, first_delay=timedelta(milliseconds=1)),
    ) as client:
        with pytest.raises(Unreachable, match=r"no answer within 0\.15 s"):
            await client.get(SECRETS, "x", namespace="c1")
    assert len(server.seen) == 2
    never.set()


async def test_a_redirect_is_not_followed(server: TlsServer, client: Client) -> None:
    """Our credential is for this server and for no other."""
    server.handler = answers(
        web.Response(status=307, headers={"Location": f"{server.url}/elsewhere"})
    )
    with pytest.raises(Exception, match=r"unexpected answer \(307\)"):
        await client.get(SECRETS, "x", namespace="c1")
    assert len(server.seen) == 1


async def test_an_answer_that_is_not_json_is_an_error(server: TlsServer, client: Client) -> None:
    """Login pages of proxies come with status 200."""
    server.handler = answers(*(web.Response(text="<html>log in</html>") for _ in range(5)))
    with pytest.raises(ServerError, match="not a JSON object"):
        await client.get(SECRETS, "x", namespace="c1")


async def test_a_server_of_another_authority_is_not_trusted(server: TlsServer, pki: Pki) -> None:
    """The pinned authority is the only one, and nothing is sent before it has vouched."""
    stranger = Pki("another")
    certificate, key = pki.client_pair("one")
    connection = Connection(
        server.url,
        ca_pem=stranger.ca_pem,
        client_certificate_pem=certificate,
        client_key_pem=key,
    )
    async with Client(connection, field_manager="test", retry=IMPATIENT) as client:
        with pytest.raises(UntrustedServer, match="certificate-authority-data") as refused:
            await client.whoami()
    assert not refused.value.was_sent
    assert server.host in str(refused.value)
    assert not server.seen


async def test_without_an_authority_the_systems_decides(server: TlsServer, pki: Pki) -> None:
    """A kubeconfig without authorities means the system's trust store, which does not know us."""
    certificate, key = pki.client_pair("one")
    connection = Connection(server.url, client_certificate_pem=certificate, client_key_pem=key)
    async with Client(connection, field_manager="test", retry=IMPATIENT) as client:
        with pytest.raises(UntrustedServer):
            await client.whoami()


async def test_another_expected_name_replaces_the_hosts(pki: Pki) -> None:
    """`tls-server-name` is for servers reached through a tunnel or an address."""

    async def ok(request: web.Request) -> web.StreamResponse:
        return web.json_response({"gitVersion": "v1.2.3"})

    async with TlsServer(pki.server_context(dns_names=("hub.example",)), ok) as server:
        for name, right in (("hub.example", True), ("other.example", False)):
            connection = Connection(server.url, ca_pem=pki.ca_pem, tls_server_name=name)
            async with Client(connection, field_manager="test", retry=IMPATIENT) as client:
                if right:
                    assert await client.server_version() == "v1.2.3"
                else:
                    with pytest.raises(UntrustedServer, match="Hostname mismatch"):
                        await client.server_version()


async def test_skipping_verification_works_and_is_said(
    server: TlsServer, pki: Pki, caplog: pytest.LogCaptureFixture
) -> None:
    """A person's kubeconfig may say so; nobody should be able to forget it."""
    certificate, key = pki.client_pair("one")
    connection = Connection(
        server.url,
        client_certificate_pem=certificate,
        client_key_pem=key,
        insecure_skip_tls_verify=True,
    )
    async with Client(connection, field_manager="test") as client:
        await client.get(SECRETS, "x", namespace="c1")
    assert "server certificate is not verified" in caplog.messages


async def test_a_client_certificate_the_server_refuses_is_named(pki: Pki) -> None:
    """The handshake's alert is the only hint that the wrong cluster's certificate is in use."""
    context = pki.server_context(clients=pki)
    # With TLS 1.3 the alert comes after the handshake and can be lost to the reset behind it.
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    certificate, key = Pki("another").client_pair("one")

    def refuse(listener: socket.socket) -> None:
        # A plain socket, because asyncio's servers hang up without sending the alert.
        for _ in range(IMPATIENT.attempts):
            accepted, _ = listener.accept()
            with accepted, contextlib.suppress(ssl.SSLError):
                context.wrap_socket(accepted, server_side=True)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)
        connection = Connection(
            f"https://127.0.0.1:{listener.getsockname()[1]}",
            ca_pem=pki.ca_pem,
            client_certificate_pem=certificate,
            client_key_pem=key,
        )
        async with (
            background(asyncio.to_thread(refuse, listener), name="refuse-clients"),
            Client(connection, field_manager="test", retry=IMPATIENT) as client,
        ):
            with pytest.raises(Unreachable, match="refused our client certificate"):
                await client.whoami()


@pytest.mark.parametrize(
    ("server_url", "said"),
    [
        ("https://127.0.0.1:1", "check that the server is up"),
        ("https://no-such-host.invalid:6443", "cannot be resolved"),
    ],
)
async def test_a_server_that_is_not_there_is_named_with_a_cure(
    pki: Pki, server_url: str, said: str
) -> None:
    """Refused and unresolvable are the two ways a wrong address shows."""
    connection = Connection(server_url, ca_pem=pki.ca_pem, token="t")
    async with Client(connection, field_manager="test", retry=IMPATIENT) as client:
        with pytest.raises(Unreachable, match=said) as error:
            # Even a create may be repeated: nothing was sent.
            await client.create(CONFIG_MAPS, CONFIG_MAP)
        assert client.calls["create", "configmaps"] == IMPATIENT.attempts
    assert not error.value.was_sent


async def test_plain_http_at_the_address_is_named(pki: Pki) -> None:
    """The port of a web server next door is a common slip."""

    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(plain, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        connection = Connection(f"https://127.0.0.1:{port}", ca_pem=pki.ca_pem, token="t")
        async with Client(connection, field_manager="test", retry=IMPATIENT) as client:
            with pytest.raises(Unreachable, match="check that the address is an API server"):
                await client.whoami()


async def test_access_reviews_ask_exactly_what_was_asked(server: TlsServer, client: Client) -> None:
    """Renewals are authorised by this answer, so the question has to carry the whole identity."""
    server.handler = answers(
        web.json_response({"status": {"allowed": True}}, status=201),
        web.json_response({"status": {"allowed": "true"}}, status=201),
        web.json_response(
            {"status": {"userInfo": {"username": "u", "groups": ["g"], "extra": {"k": ["v"]}}}},
            status=201,
        ),
    )
    assert await client.review_access(
        user="u",
        groups=["g"],
        uid="7",
        extra={"k": ["v"]},
        verb="renew",
        group="register.open-cluster-management.io",
        resource="managedclusters",
        subresource="clientcertificates",
    )
    assert server.seen[0].json["spec"] == {
        "user": "u",
        "groups": ["g"],
        "uid": "7",
        "extra": {"k": ["v"]},
        "resourceAttributes": {
            "verb": "renew",
            "group": "register.open-cluster-management.io",
            "resource": "managedclusters",
            "subresource": "clientcertificates",
        },
    }
    # Anything but a clear yes is a no.
    assert not await client.can_i(verb="get", group="", resource="secrets", namespace="n")
    who = await client.whoami()
    assert (who.username, who.groups, dict(who.extra)) == ("u", ("g",), {"k": ("v",)})


async def test_a_token_is_sent_from_its_file_and_read_again(
    server: TlsServer, pki: Pki, tmp_path: Path
) -> None:
    """Kubelets replace service account tokens under running pods."""
    clock = FakeClock()
    file = tmp_path / "token"
    file.write_text("first\n")
    certificate, key = pki.client_pair("one")
    connection = Connection(
        server.url,
        ca_pem=pki.ca_pem,
        client_certificate_pem=certificate,
        client_key_pem=key,
        token_file=file,
    )
    async with Client(connection, field_manager="test", clock=clock) as client:
        await client.get(SECRETS, "x", namespace="c1")
        file.write_text("second\n")
        await client.get(SECRETS, "x", namespace="c1")
        await clock.advance(timedelta(seconds=61))
        await client.get(SECRETS, "x", namespace="c1")
        file.write_text("third\n")
        works, server.handler = server.handler, answers(status(401, "Unauthorized"))
        with pytest.raises(Unauthorized):
            await client.get(SECRETS, "x", namespace="c1")
        server.handler = works
        await client.get(SECRETS, "x", namespace="c1")
        file.unlink()
        await clock.advance(timedelta(seconds=61))
        await client.get(SECRETS, "x", namespace="c1")
    assert [seen.headers["Authorization"] for seen in server.seen] == [
        "Bearer first",
        "Bearer first",
        "Bearer second",
        "Bearer second",
        # Refused, so not waited with until its minute is over.
        "Bearer third",
        "Bearer third",
    ]


async def test_text_is_read_from_paths_that_are_no_resources(
    server: TlsServer, client: Client
) -> None:
    """Health is plain text."""
    server.handler = answers(web.Response(text="ok"))
    assert await client.request_text("/livez") == "ok"
    assert json.dumps(dict(server.seen[0].query)) == "{}"


async def test_watching_a_resource_version_that_is_gone_says_so(
    server: TlsServer, client: Client
) -> None:
    """The cache lists again on this, and on nothing else."""
    server.handler = answers(status(410, "Expired", "too old resource version"))
    with pytest.raises(Gone):
        async for _ in client.watch(SECRETS, resource_version="1"):
            pass
