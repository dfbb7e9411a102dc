from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from ls_active.errors import StoreError
from ls_active.web.app import create_app
from ls_active.web.metrics import Metrics
from tests.http_fakes import EVENT, UID, FakeDesk, FakeService, make_settings, serve

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def samples(text: str) -> Samples:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def key(name: str, **labels: str) -> tuple[str, frozenset[tuple[str, str]]]:
    return f"ls_active_{name}", frozenset(labels.items())


@pytest.fixture
def desk() -> FakeDesk:
    return FakeDesk()


@pytest.fixture
def client(tmp_path: Path, desk: FakeDesk) -> Iterator[httpx.Client]:
    app = create_app(make_settings(tmp_path), service=FakeService(), jobs=desk)
    with serve(app) as client:
        yield client


def test_requests_are_counted_by_route_and_never_by_path(client: httpx.Client) -> None:
    client.get("/health")
    client.get("/health")
    client.get("/etc/passwd")
    client.post("/predict", content=b"")

    seen = samples(client.get("/metrics").text)

    assert seen[key("requests_total", route="/health", status="200")] == 2
    assert seen[key("requests_total", route="other", status="404")] == 1
    assert seen[key("requests_total", route="/predict", status="400")] == 1
    assert seen[key("request_seconds_count", route="/health")] == 2


def test_webhooks_are_counted_by_what_became_of_them(client: httpx.Client) -> None:
    for action in ("ANNOTATION_CREATED", "TASKS_DELETED", "START_TRAINING", "TELEPATHY"):
        client.post("/webhook", json=EVENT | {"action": action})

    seen = samples(client.get("/metrics").text)

    assert seen[key("webhooks_total", outcome="accepted")] == 2
    assert seen[key("webhooks_total", outcome="training")] == 1
    assert seen[key("webhooks_total", outcome="ignored")] == 1


def test_queue_and_projects_are_read_at_the_scrape(client: httpx.Client) -> None:
    seen = samples(client.get("/metrics").text)

    assert seen[key("redis_up")] == 1
    assert seen[key("workers")] == 2
    assert seen[key("jobs", state="queued")] == 3
    assert seen[key("project", project=UID, title="News", state="ready")] == 1
    assert seen[key("labels", project=UID)] == 40
    assert seen[key("tasks", project=UID)] == 2000
    assert seen[key("version", project=UID)] == 7
    assert seen[key("publication", project=UID)] == 3
    assert seen[key("refit_stage_seconds", project=UID, stage="fit")] == 0.25
    assert seen[key("audit_accuracy", project=UID)] == 0.9
    assert key("audit_accuracy_low", project=UID) not in seen


def test_what_cannot_be_read_is_missing_and_not_zero(client: httpx.Client, desk: FakeDesk) -> None:
    desk.down = True
    seen = samples(client.get("/metrics").text)

    assert seen[key("redis_up")] == 0
    assert key("workers") not in seen
    assert seen[key("labels", project=UID)] == 40


def test_a_store_that_cannot_be_read_does_not_hide_the_queue(desk: FakeDesk) -> None:
    def broken() -> list[object]:
        raise StoreError("gone")

    seen = samples(Metrics(desk.figures, broken).render().decode())  # type: ignore[arg-type]

    assert seen[key("redis_up")] == 1
    assert not any(name == "ls_active_labels" for name, _ in seen)
