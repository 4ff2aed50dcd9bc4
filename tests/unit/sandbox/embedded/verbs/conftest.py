import pytest

from unit.sandbox.embedded.verbs.small_api import SmallApi


@pytest.fixture
async def api() -> SmallApi:
    return await SmallApi().start()
