"""kubectl, as every test of this folder starts from it."""

import shutil
from pathlib import Path

import pytest

from conformance.kubectl.command import Kubectl, in_namespace
from conformance.planes import Plane


@pytest.fixture(scope="session")
def kubectl_program() -> Path:
    """Where kubectl is."""
    found = shutil.which("kubectl")
    if found is None:
        pytest.skip("there is no kubectl on PATH")
    return Path(found)


@pytest.fixture(scope="session")
def kubectl_home(tmp_path_factory: pytest.TempPathFactory, plane: Plane) -> Path:
    """The home of kubectl, with what it remembers of the plane.

    Shared by the tests of a worker, as people share theirs between commands: discovery is read
    once, and what was installed since has to be found nevertheless.
    """
    return tmp_path_factory.mktemp("kubectl")


@pytest.fixture
def kubectl(kubectl_program: Path, kubectl_home: Path, namespace: str, plane: Plane) -> Kubectl:
    """What the administrator types, in the test's namespace."""
    kubeconfig = kubectl_home / f"admin-{namespace}"
    text = plane.control.admin_kubeconfig()
    kubeconfig.write_text(in_namespace(text, namespace=namespace))
    return Kubectl(kubectl_program, kubectl_home, kubeconfig, namespace)
