"""One home with all tables and nothing in them, for all tests of this folder; each leaves nothing that another meets."""

from __future__ import annotations

import pytest

from tests.conftest import HomeFactory
from yingjian.settings import Settings


@pytest.fixture(scope="session")
def guarded(home_factory: HomeFactory) -> Settings:
    return home_factory("guarded")
