"""Which tasks were asked as audit tasks is read back from the records, whatever was lost here."""

from __future__ import annotations

import time

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from active_learning.types import Pool
from ls_active.loop import audit_books
from ls_active.loop.audit_books import HELD_AFTER, AuditBooks
from ls_active.records.store import Store
from tests.harness.mirrors import open_mirror
from tests.harness.simulated_project import UID


@pytest.fixture
def store(tmp_path):
    return Store(str(tmp_path / "store"))


@pytest.fixture
def mirror(tmp_path):
    with open_mirror(tmp_path / "mirror") as opened:
        yield opened


@pytest.fixture
def books(store, mirror):
    return AuditBooks(store, mirror, UID)


def publish(store: Store, reasons: dict[int, str], *, at: float = 100.0, **fields) -> int:
    number = store.claim_publication(UID)
    record = {"provisional": False, "published_at": at, "publication": number, **fields}
    tasks = {"tasks": list(reasons), "reasons": list(reasons.values())}
    store.record_publication(UID, number, record | tasks)
    return number


def pool(resolved: list[int]) -> Pool:
    ids = np.arange(1, 10)
    return Pool(
        ids=ids,
        X=csr_matrix((9, 1), dtype=np.float32),
        y=np.full(9, -1),
        serving=np.zeros(9, dtype=np.int8),
        resolved=np.isin(ids, resolved),
        u=np.arange(9, dtype=np.uint64),
        classes=("a", "b"),
    )


def test_without_publications_there_is_nothing(books):
    assert books.read_records() is None
    assert books.resolved(pool([1, 2])) == 0
    assert books.held() == []


def test_the_last_record_is_returned_each_time(books, store):
    publish(store, {1: "audit"})
    number = publish(store, {2: "strategy"})
    for _ in range(2):
        assert books.read_records()["publication"] == number


def test_audit_tasks_count_once_they_are_resolved(books, store):
    publish(store, {1: "audit", 2: "strategy", 3: "audit", 4: "skipped", 5: "cold_start"})
    books.read_records()
    assert books.resolved(pool([])) == 0
    assert books.resolved(pool([1, 2, 4, 5])) == 1
    assert books.resolved(pool([1, 3])) == 2


def test_a_provisional_queue_asks_no_audit_tasks(books, store):
    publish(store, {1: "audit", 2: "audit"}, provisional=True)
    books.read_records()
    assert books.resolved(pool([1, 2])) == 0


def test_a_task_is_what_the_newest_publication_calls_it(books, store):
    publish(store, {1: "audit", 2: "strategy"})
    books.read_records()
    publish(store, {1: "strategy", 2: "audit"})
    books.read_records()
    assert books.resolved(pool([1])) == 0
    assert books.resolved(pool([2])) == 1


def test_a_deleted_mirror_is_made_up_for(books, store, tmp_path):
    publish(store, {1: "audit", 2: "audit"})
    publish(store, {2: "strategy", 3: "audit"})
    publish(store, {4: "audit"})
    books.read_records()
    with open_mirror(tmp_path / "another") as mirror:
        again = AuditBooks(store, mirror, UID)
        again.read_records()
        assert again.resolved(pool([1, 2, 3, 4])) == books.resolved(pool([1, 2, 3, 4])) == 3


def test_tasks_are_held_after_a_day_from_when_they_were_first_asked(books, store):
    now = time.time()
    publish(store, {1: "audit", 2: "audit"}, at=now - HELD_AFTER - 5)
    publish(store, {1: "audit", 3: "audit"}, at=now)
    books.read_records()
    assert sorted(books.held()) == [1, 2]


def test_a_torn_record_is_passed_over(books, store, tmp_path):
    publish(store, {1: "audit"})
    torn = publish(store, {2: "audit"})
    path = tmp_path / "store" / "projects" / UID / "publications" / f"{torn:06d}.json"
    path.write_text('{"format": 1, "ta')
    assert books.read_records()["tasks"] == [1]
    assert books.read_records() is None
    last = publish(store, {3: "audit"})
    assert books.read_records()["publication"] == last
    assert books.resolved(pool([1, 2, 3])) == 2


def test_old_publications_are_summed_up(books, store, tmp_path, monkeypatch):
    monkeypatch.setattr(audit_books, "RECORDS_KEPT", 3)
    for task in range(1, 7):
        publish(store, {task: "audit"}, at=float(task))
        books.read_records()
        books.sum_up()
    assert len(store.publications(UID)) == 6
    last = publish(store, {7: "audit", 1: "strategy"})
    books.read_records()
    books.sum_up()
    assert store.publications(UID) == [5, 6, 7]
    assert store.claimed_publications(UID) == [1, 2, 3, 4, 5, 6, 7]
    with open_mirror(tmp_path / "another") as mirror:
        again = AuditBooks(store, mirror, UID)
        assert again.read_records()["publication"] == last
        assert mirror.audits() == books._mirror.audits()
        assert again.resolved(pool([1, 2, 3])) == 2
    assert publish(store, {8: "audit"}) == last + 1


def test_what_was_not_read_yet_is_not_forgotten(books, store, monkeypatch):
    monkeypatch.setattr(audit_books, "RECORDS_KEPT", 1)
    publish(store, {1: "audit"})
    books.read_records()
    for task in range(2, 6):
        publish(store, {task: "audit"})
    books.sum_up()
    assert store.publications(UID) == [1, 2, 3, 4, 5]
    books.read_records()
    books.sum_up()
    assert store.publications(UID) == [5]


def test_what_another_machine_summed_up_is_taken_over(books, store, tmp_path, monkeypatch):
    monkeypatch.setattr(audit_books, "RECORDS_KEPT", 2)
    with open_mirror(tmp_path / "another") as mirror:
        behind = AuditBooks(store, mirror, UID)
        publish(store, {1: "audit", 2: "audit"})
        behind.read_records()
        publish(store, {1: "strategy", 3: "audit"})
        for task in range(4, 9):
            publish(store, {task: "audit"}, at=float(task))
        books.read_records()
        books.sum_up()
        behind.read_records()
        assert mirror.audits() == books._mirror.audits()
