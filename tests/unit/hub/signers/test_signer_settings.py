"""What an operator may choose about a signer, and what is said of a wrong choice."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from towline_api.errors import ConfigError
from towline_hub.settings import HubSettings
from towline_hub.signers.settings import SignerSettings, SignerUsage
from towline_kube.settings import load

GOOD: dict[str, Any] = {"signer-name": "example.com/a", "secret": "a"}


def test_a_signer_needs_a_name_and_a_secret() -> None:
    """The rest has defaults on the safe side."""
    signer = SignerSettings(**GOOD)
    assert (signer.usages, signer.managed) == ((SignerUsage.CLIENT,), False)
    assert signer.lifetime == timedelta(hours=24)
    assert signer.bundle == "a-bundle"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"signer-name": "example"}, "expected a signer's name"),
        ({"signer-name": "example/a"}, "expected a signer's name"),
        ({"signer-name": "example.com/"}, "expected a signer's name"),
        ({"signer-name": "example.com/a/b"}, "expected a signer's name"),
        ({"signer-name": "example.com/" + "a" * 600}, "expected a signer's name"),
        ({"signer-name": "kubernetes.io/kubelet-serving"}, "Kubernetes itself"),
        ({"signer-name": "x.k8s.io/a"}, "Kubernetes itself"),
        ({"secret": "A"}, "expected the name of a Secret"),
        ({"secret": "a" * 250}, "expected the name of a Secret"),
        ({"lifetime": "1m"}, "expected at least 10m"),
        ({"usages": ["server"]}, "'client' has to be among"),
        ({"usages": ["signing"]}, "'client' or 'server'"),
        ({"overlap": "5"}, "has no unit"),
        ({"managed": True, "authority-lifetime": "24h"}, "at least twice"),
        ({"colour": "blue"}, "Extra inputs"),
    ],
)
def test_a_wrong_choice_is_refused_at_start(change: dict[str, object], message: str) -> None:
    """Not when the first certificate is due."""
    with pytest.raises(ValidationError, match=message):
        SignerSettings.model_validate({**GOOD, **change})


@pytest.mark.parametrize(
    ("second", "message"),
    [
        ({"signer-name": "example.com/a", "secret": "b"}, "the name 'example.com/a'"),
        ({"signer-name": "example.com/b", "secret": "a"}, "the secret 'a'"),
    ],
)
def test_signers_share_neither_name_nor_authority(second: dict[str, str], message: str) -> None:
    """Whoever trusts the one would trust the certificates of the other."""
    with pytest.raises(ValidationError, match=message):
        HubSettings.model_validate({"signers": [GOOD, second]})


def test_signers_come_from_the_file_a_variable_or_a_flag(tmp_path: Path) -> None:
    """The file for people, JSON for templates."""
    file = tmp_path / "hub.yaml"
    file.write_text("signers:\n- signer-name: example.com/a\n  secret: a\n  lifetime: 1h\n")
    text = '[{"signer-name": "example.com/a", "secret": "a", "lifetime": "1h"}]'
    expected = (SignerSettings(**GOOD, lifetime=timedelta(hours=1)),)
    for arguments, environment in (
        (["--config", str(file)], {}),
        ([], {"TOWLINE_SIGNERS": text}),
        (["--signers", text], {}),
    ):
        assert load(HubSettings, arguments, environment=environment).signers == expected
    with pytest.raises(ConfigError, match=r"--signers .*expected a signer's name"):
        load(HubSettings, ["--signers", '[{"signer-name": "x", "secret": "a"}]'], environment={})
