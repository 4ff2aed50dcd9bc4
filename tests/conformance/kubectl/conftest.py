"""kubectl, as every test of this folder starts from it."""

import shutil
from pathlib import Path

import pytest

from conformance.kubectl.command import Kubectl
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
    """The home of kubectl, with the administrator's kubeconfig.

    Shared by the tests of a worker, as people share theirs between commands: discovery is read
    once, and what was installed since has to be found nevertheless.
    """
    home = tmp_path_factory.mktemp("kubectl")
    (home / "admin").write_text(plane.control.admin_kubeconfig())
    return home


@pytest.fixture
def kubectl(kubectl_program: Path, kubectl_home: Path, namespace: str) -> Kubectl:
    """Kubectl as the administrator uses it, in the test's namespace."""
    return Kubectl(kubectl_program, kubectl_home, kubectl_home / "admin", namespace)
