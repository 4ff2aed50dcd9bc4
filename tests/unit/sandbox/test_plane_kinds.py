"""Making a plane of either kind."""

import pytest

from towline_api.errors import ConfigError
from towline_sandbox import plane_kinds
from towline_sandbox.embedded.plane_process import PlaneProcess
from towline_sandbox.plane_kinds import PlaneKind, make_plane


def test_an_embedded_plane_gets_a_process_of_its_own() -> None:
    """What the demonstration shows must not depend on what else its process does."""
    assert isinstance(make_plane(PlaneKind.EMBEDDED, "hub"), PlaneProcess)


def test_what_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever installed towline without the extra reads what to install, not a traceback."""
    monkeypatch.setattr(plane_kinds, "_EXTRA_MODULES", ("json", "no_such_module"))
    with pytest.raises(ConfigError, match=r"needs no_such_module.*towline\[sandbox\]"):
        make_plane(PlaneKind.EMBEDDED, "hub")
