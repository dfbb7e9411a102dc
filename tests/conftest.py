"""What tests share: a clean environment, a Label Studio, our service, projects of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis
from hypothesis import HealthCheck, settings

from ls_active.demo.studio import Studio
from ls_active.label_studio.client import LabelStudioClient
from ls_active.settings import Settings, get_settings
from tests.harness.case import Case
from tests.harness.data import Labelled, short_texts
from tests.harness.label_studio import add_user, label_studio
from tests.harness.stack import Stack, serve
from tests.redis_fixture import fresh_valkey

E2E = Path(__file__).parent / "e2e"

PROCESSES = {
    "test_coalesce", "test_page", "test_planted_secrets", "test_predict_pool", "test_supervisor",
    "test_valkey", "test_worker",
}  # fmt: skip
"""Tests that start processes, kill them or keep them waiting, and wait for others to notice."""

LOSSES = {"test_kills", "test_soak"}
"""Tests with a real Label Studio that nothing is lost: what fails once in a while is a loss."""

CaseMaker = Callable[..., Case]

# A machine stalls: what takes long is no failure.
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("some", PATIENT, max_examples=30)
settings.register_profile("many", PATIENT, max_examples=200)


def pytest_configure(config: pytest.Config) -> None:
    """Try more examples where all tests were asked for; before any test is read."""
    settings.load_profile("many" if "slow" in config.option.markexpr else "some")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Run what needs a Label Studio last, and what is slow or long only when asked for."""
    for item in items:
        if E2E in item.path.parents:
            item.add_marker("e2e")
        waits = item.get_closest_marker("e2e") or item.path.stem in PROCESSES
        if waits and item.path.stem not in LOSSES:
            # A machine stalls, and SQLite under Label Studio is busy: what fails twice is broken.
            item.add_marker(pytest.mark.flaky(reruns=1))
    items.sort(key=lambda item: item.get_closest_marker("e2e") is not None)
    asked = config.option.markexpr
    _skip(items, "long", unless="long" in asked)
    _skip(items, "slow", unless="slow" in asked or "long" in asked)


def _skip(items: list[pytest.Item], mark: str, *, unless: bool) -> None:
    why = f"{mark}: runs with `-m {mark}`, or with `-m '{mark} or not {mark}'`"
    for item in items:
        if item.get_closest_marker(mark) and not unless:
            item.add_marker(pytest.mark.skip(reason=why))


@pytest.fixture(scope="session", autouse=True)
def _own_environment() -> Iterator[None]:
    """Keep the machine's settings, and a `.env` beside the tests, out of them."""
    with pytest.MonkeyPatch.context() as patch:
        # Where Label Studio is installed is for the harness to know, and its child processes.
        for name in Settings.model_fields.keys() - {"label_studio_venv"}:
            patch.delenv(name.upper(), raising=False)
            patch.delenv(name, raising=False)
        patch.setitem(Settings.model_config, "env_file", None)
        get_settings.cache_clear()
        yield


@pytest.fixture(scope="session")
def _valkey() -> Iterator[str]:
    with fresh_valkey() as url:
        yield url


@pytest.fixture(scope="module")
def valkey(_valkey: str) -> str:
    """Return the URL of a Valkey that all tests share; it is empty where a file begins."""
    with redis.Redis.from_url(_valkey) as connection:
        connection.flushall()
    return _valkey


@pytest.fixture(scope="session")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """Return a Label Studio that all tests share; projects do not know of each other."""
    with label_studio(tmp_path_factory.mktemp("studio")) as running:
        yield running


@pytest.fixture(scope="session")
def neighbour(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """Return another, which our shared service does not know: its settings may change."""
    with label_studio(tmp_path_factory.mktemp("neighbour")) as running:
        yield running


@pytest.fixture(scope="session")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """Return one that refuses local addresses, and cuts its pages at eight tasks."""
    env = {
        "ML_BLOCK_LOCAL_IP": "true",
        "SSRF_PROTECTION_ENABLED": "true",
        "TASK_API_PAGE_SIZE_MAX": "8",
    }
    with label_studio(tmp_path_factory.mktemp("strict"), env=env) as running:
        yield running


@pytest.fixture(scope="session")
def client(studio: Studio) -> Iterator[LabelStudioClient]:
    """Return its administrator, who is an annotator as well."""
    with LabelStudioClient(studio.url, studio.api_key) as opened:
        yield opened


@pytest.fixture(scope="session")
def colleague(studio: Studio) -> Iterator[LabelStudioClient]:
    """Return a second annotator."""
    with LabelStudioClient(studio.url, add_user(studio, "colleague@example.com")) as opened:
        yield opened


@pytest.fixture(scope="session")
def stack(studio: Studio, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Return our service for that Label Studio; for tests that do it no harm."""
    with serve(tmp_path_factory.mktemp("service"), studio.url, studio.api_key) as running:
        yield running
        assert "Traceback" not in running.log.read_text()


@pytest.fixture
def make_case(client: LabelStudioClient, request: pytest.FixtureRequest) -> Iterator[CaseMaker]:
    """Return what makes projects under test; they are gone afterwards."""
    with _maker(client, request) as make:
        yield make


@pytest.fixture(scope="module")
def make_shared_case(
    client: LabelStudioClient, request: pytest.FixtureRequest
) -> Iterator[CaseMaker]:
    """Return the same for a project that the tests of a module share."""
    with _maker(client, request) as make:
        yield make


@contextmanager
def _maker(client: LabelStudioClient, request: pytest.FixtureRequest) -> Iterator[CaseMaker]:
    made: list[Case] = []

    def make(
        stack: Stack | None = None, *, texts: int | Sequence[Labelled] = 200, **fields: Any
    ) -> Case:
        service = stack or request.getfixturevalue("stack")
        pairs = short_texts(texts) if isinstance(texts, int) else texts
        title = request.node.name.rpartition("/")[2][:50]
        made.append(Case.create(client, service, title, pairs, **fields))
        return made[-1]

    yield make
    for case in made:
        case.client.delete_project(case.id)
