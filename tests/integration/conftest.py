"""A home of a test module's own, whose staging each test finds empty."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests import support
from yingjian.settings import Settings


@pytest.fixture(scope="module")
def shared_home(home_factory: Callable[[str], Settings], request: pytest.FixtureRequest) -> Settings:
    return home_factory(request.module.__name__.rpartition(".")[2])


@pytest.fixture
def home(shared_home: Settings) -> Settings:
    """The module's home with empty staging; the server is the module's."""
    support.empty_staging(shared_home)
    return shared_home
