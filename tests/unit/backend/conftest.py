"""What tests of the service share. A file that wants it otherwise has a fixture of that name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from ls_active.records.store import Store
from tests.harness.quick import quick
from tests.harness.rig import TEXTS, Rig
from tests.harness.simulated import SimulatedLabelStudio
from tests.harness.units import cut_into_words


@pytest.fixture(scope="module")
def quickly() -> Iterator[None]:
    """Leave out what only costs time; see `quick`."""
    with quick():
        yield


@pytest.fixture(scope="module")
def words() -> Iterator[None]:
    """Learn spans of words; see `cut_into_words`."""
    with cut_into_words():
        yield


@pytest.fixture
def connection(valkey: str) -> Iterator[redis.Redis]:
    """Return a client of the shared Valkey, which is empty."""
    with redis.Redis.from_url(valkey) as connection:
        connection.flushall()
        yield connection


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Return an empty one."""
    return Store(str(tmp_path))


@pytest.fixture
def studio() -> SimulatedLabelStudio:
    """Return a Label Studio with sixteen texts that nobody labelled."""
    return SimulatedLabelStudio(TEXTS[:16])


@pytest.fixture
def rig(tmp_path: Path, studio: SimulatedLabelStudio) -> Rig:
    """Return what a worker has for its project, which is not connected yet."""
    return Rig(tmp_path, studio)
