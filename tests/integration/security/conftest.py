"""One home with all tables and nothing in them, for all tests of this folder; each leaves nothing that another meets."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import running_copy
from yingjian.settings import Settings


@pytest.fixture(scope="session")
def guarded(empty_home: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    with running_copy(empty_home, tmp_path_factory.mktemp("guarded")) as settings:
        yield settings
