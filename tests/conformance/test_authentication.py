"""Who a caller is: certificates, bootstrap tokens, impersonation, and those who are nobody."""

import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from conformance.api import Answer, Api
from conformance.callers import Callers
from conformance.objects import SELF_SUBJECT_REVIEWS
from support.waiting import until
from towline_api.bootstrap_tokens import BootstrapToken
from towline_api.resources import SECRETS, KubeObject
from towline_kube.kubeconfig import parse_kubeconfig

REVIEW = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
TOKEN_SECRETS = SECRETS.path(namespace="kube-system")


async def who(api: Api) -> Answer:
    """Ask the server who the caller is."""
    return await api.post(SELF_SUBJECT_REVIEWS, REVIEW)


def user_in(answer: Answer) -> KubeObject:
    """Return the user that the answer names."""
    user: KubeObject = answer.ok(201)["status"]["userInfo"]
    return user


def assert_unauthorized(answer: Answer) -> None:
    """Compare with the answer to whoever shows a bad credential."""
    answer.assert_refused(401, "Unauthorized", "Unauthorized")


async def test_a_certificate_names_its_user_and_groups(callers: Callers, name: str) -> None:
    """CN is the user, each O a group, in the order of the certificate."""
    user = user_in(await who(await callers.user(name, groups=("ops", "dev"))))
    assert user["username"] == name
    assert set(user["groups"]) == {"ops", "dev", "system:authenticated"}
    assert user["groups"][-1] == "system:authenticated"
    assert "uid" not in user


async def test_a_certificate_is_named_in_the_users_extra(callers: Callers, name: str) -> None:
    """So that an audit log can tell two certificates of one user apart."""
    kubeconfig = await callers.plane.control.kubeconfig_for(name)
    connection = parse_kubeconfig(kubeconfig, source="test")
    assert connection.client_certificate_pem is not None
    certificate = x509.load_pem_x509_certificate(connection.client_certificate_pem)
    digest = hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest()
    user = user_in(await who(await callers.open(connection)))
    assert user["extra"] == {"authentication.kubernetes.io/credential-id": [f"X509SHA256={digest}"]}


async def test_an_expired_certificate_is_nobody(callers: Callers, name: str) -> None:
    """It is refused outright, not treated as anonymous."""
    kubeconfig = await callers.plane.control.kubeconfig_for(name, lifetime=timedelta(seconds=1))
    late = await callers.kubeconfig(kubeconfig)
    answers: list[Answer] = []

    async def refused() -> bool:
        answers.append(await who(late))
        return answers[-1].status != 201

    await until(refused, what=lambda: "the certificate to expire")
    assert_unauthorized(answers[-1])


async def test_whoever_shows_nothing_is_anonymous(callers: Callers) -> None:
    """And may do next to nothing; the refusal says which right is missing."""
    anonymous = await callers.anonymous()
    (await anonymous.get("/api/v1/namespaces")).assert_refused(
        403,
        "Forbidden",
        'namespaces is forbidden: User "system:anonymous" cannot list resource "namespaces" in '
        'API group "" at the cluster scope',
        {"kind": "namespaces"},
    )


async def test_anonymous_callers_may_not_ask_who_they_are(callers: Callers) -> None:
    """The right to do so comes with the group system:authenticated."""
    (await who(await callers.anonymous())).assert_refused(
        403,
        "Forbidden",
        'selfsubjectreviews.authentication.k8s.io is forbidden: User "system:anonymous" cannot '
        'create resource "selfsubjectreviews" in API group "authentication.k8s.io" at the '
        "cluster scope",
        {"group": "authentication.k8s.io", "kind": "selfsubjectreviews"},
    )


@pytest.mark.parametrize(
    "header",
    [
        pytest.param("Bearer nobody-made-this", id="unknown token"),
        pytest.param("Bearer abcdef.0123456789abcdef", id="unknown bootstrap token"),
        pytest.param("Bearer eyJhbGciOiJub25lIn0.e30.", id="unsigned token"),
    ],
)
async def test_a_bad_token_is_refused(callers: Callers, header: str) -> None:
    """Not taken for anonymous: whoever shows something believes to be somebody."""
    stranger = await callers.anonymous(headers={"Authorization": header})
    assert_unauthorized(await stranger.get("/version"))


@pytest.mark.parametrize("header", ["Basic YTpi", "Bearer", "Bearer "])
async def test_what_is_no_token_is_nothing(callers: Callers, header: str) -> None:
    """Schemes that nobody handles leave the caller anonymous."""
    stranger = await callers.anonymous(headers={"Authorization": header})
    assert (await stranger.get("/version")).status == 200


async def make_token(api: Api, **changes: str | None) -> str:
    """Store a bootstrap token, with some of its fields changed or left out."""
    token = BootstrapToken.create()
    secret = token.as_secret(
        groups=("system:bootstrappers:conformance",),
        expires=datetime.now(UTC) + timedelta(hours=1),
    )
    for key, value in changes.items():
        field = key.replace("_", "-")
        if value is None:
            del secret["stringData"][field]
        else:
            secret["stringData"][field] = value
    (await api.post(TOKEN_SECRETS, secret)).ok(201)
    return token.bearer


async def until_answered(caller: Api, status: int) -> Answer:
    """Ask who the caller is until the server, which watches Secrets, has heard of a change."""
    answers: list[Answer] = []

    async def answered() -> bool:
        answers.append(await who(caller))
        return answers[-1].status == status

    await until(answered, what=lambda: answers[-1].text)
    return answers[-1]


async def test_a_bootstrap_token_makes_a_bootstrapper(api: Api, callers: Callers) -> None:
    """With the groups that its Secret names."""
    token = await make_token(api)
    user = user_in(await until_answered(await callers.token(token), 201))
    assert user["username"] == f"system:bootstrap:{token.split('.')[0]}"
    assert user["groups"] == [
        "system:bootstrappers",
        "system:bootstrappers:conformance",
        "system:authenticated",
    ]


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"usage_bootstrap_authentication": "false"}, id="not for authentication"),
        pytest.param({"usage_bootstrap_authentication": None}, id="usage not named"),
        pytest.param({"token_secret": "fedcba9876543210"}, id="other secret"),
        pytest.param({"auth_extra_groups": "system:masters"}, id="group out of bounds"),
        pytest.param({"expiration": "no time at all"}, id="unreadable expiry"),
    ],
)
async def test_a_bootstrap_token_has_to_be_whole(
    api: Api, callers: Callers, changes: dict[str, str | None]
) -> None:
    """Whatever is wrong with its Secret, the token is worth nothing."""
    token = await make_token(api, **changes)
    assert_unauthorized(await who(await callers.token(token)))


async def test_an_expired_bootstrap_token_is_refused(callers: Callers) -> None:
    """Whether or not its Secret has been removed yet."""
    kubeconfig = await callers.plane.control.bootstrap_kubeconfig(lifetime=timedelta(seconds=-1))
    assert_unauthorized(await who(await callers.kubeconfig(kubeconfig)))


async def test_a_removed_bootstrap_token_is_refused(api: Api, callers: Callers) -> None:
    """Removing the Secret is how people take a token back (servers may remember one they saw)."""
    token = await make_token(api)
    token_id = token.split(".")[0]
    (await api.delete(f"{TOKEN_SECRETS}/bootstrap-token-{token_id}")).ok()
    assert_unauthorized(await until_answered(await callers.token(token), 401))


async def test_an_administrator_may_speak_for_others(callers: Callers, name: str) -> None:
    """Impersonation replaces name, groups and extra, and adds system:authenticated."""
    admin = await callers.admin(
        headers={
            "Impersonate-User": name,
            "Impersonate-Group": "ops",
            "Impersonate-Uid": "u-1",
            "Impersonate-Extra-Reason": "test",
        }
    )
    assert user_in(await who(admin)) == {
        "username": name,
        "uid": "u-1",
        "groups": ["ops", "system:authenticated"],
        "extra": {"reason": ["test"]},
    }


async def test_impersonation_takes_a_right(callers: Callers, name: str) -> None:
    """Otherwise anybody could be the administrator."""
    user = await callers.user(name, headers={"Impersonate-User": "admin"})
    (await who(user)).assert_refused(
        403,
        "Forbidden",
        f'selfsubjectreviews.authentication.k8s.io is forbidden: User "{name}" cannot '
        'impersonate-on:user-info:create resource "selfsubjectreviews" in API group '
        '"authentication.k8s.io" at the cluster scope',
        {"group": "authentication.k8s.io", "kind": "selfsubjectreviews"},
    )


async def test_groups_are_not_impersonated_alone(callers: Callers) -> None:
    """A group without a user is a mistake of the caller's, not a right that is missing."""
    answer = await who(await callers.admin(headers={"Impersonate-Group": "ops"}))
    assert answer.status == 400
    assert answer.body["reason"] == "BadRequest"
    assert "without impersonating a user" in answer.body["message"]
