"""What the guide to signers shows can be used as it stands there."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from towline_certs import Authority
from towline_certs.authority_chain import strictness_problem
from towline_hub.settings import HubSettings
from towline_hub.signers.settings import SignerSettings
from towline_kube.settings import load

GUIDE = (Path(__file__).parents[4] / "docs/signers.md").read_text()


def test_the_example_is_a_settings_file(tmp_path: Path) -> None:
    """Whoever copies it should have a hub that starts."""
    (text,) = re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)
    file = tmp_path / "hub.yaml"
    file.write_text(text)
    settings = load(HubSettings, ["--config", str(file)], environment={})
    (signer,) = settings.signers
    (declaration,) = settings.addon_declarations
    (custom,) = declaration.custom_signers
    assert custom.signer_name == signer.signer_name
    assert signer.bundle in GUIDE
    assert custom.registration("c1").subject.user == "metrics of c1"


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_the_commands_make_an_authority_that_everybody_accepts(tmp_path: Path) -> None:
    """Strict verifiers included, which openssl's own defaults do not care for."""
    (text,) = re.findall(r"```sh\n(.*?)```", GUIDE, re.DOTALL)
    commands = text[: text.index("kubectl")]
    subprocess.run(["sh", "-ec", commands], cwd=tmp_path, check=True, capture_output=True)
    authority = Authority.parse(
        certificate_pem=(tmp_path / "ca.crt").read_bytes(),
        key_pem=(tmp_path / "ca.key").read_bytes(),
    )
    assert strictness_problem(authority.certificate) is None


def test_every_setting_of_a_signer_is_in_the_guide() -> None:
    """And no other."""
    shown = set(re.findall(r"^\| `([a-z-]+)` \| (?:`|\|| )", GUIDE, re.MULTILINE))
    fields = {name.replace("_", "-") for name in SignerSettings.model_fields}
    assert fields <= shown
