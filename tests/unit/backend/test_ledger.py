"""What is kept of versions and jobs: as recorded, bounded, and found again when it is lost."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ls_active.dashboard.books import Books
from ls_active.records import ledger
from ls_active.records.ledger import JOBS_KEPT, VERSIONS_KEPT, Ledger, note_job, thinned
from ls_active.records.project import Connection, ProjectStatus
from ls_active.records.store import Store
from tests.http_fakes import make_settings

UID = "1.1795351743"
CHOSEN = {"value": 0.7, "low": 0.5, "high": 0.9, "n": 20, "measure": "accuracy", "recall": {}}


def make_version(store: Store, labels: int, *, created_at: float = 1.0, evaluated=True) -> int:
    head = {"control": "c", "labels": labels, "useful": True, "chosen": CHOSEN}
    manifest = {
        "created_at": created_at,
        "labels": labels,
        "tasks": 100,
        "annotators": 1,
        "strategy": "margin",
        "heads": [head],
    }
    number = store.claim_version(UID)
    store.save_version(UID, number, {"w": np.zeros(1)}, manifest)
    if evaluated:
        evaluate(store, number)
    return number


def evaluate(store: Store, number: int) -> None:
    store.save_evaluation(UID, number, {"audits": [{"figures": {**CHOSEN, "value": 0.8}}]})


def test_a_line_is_what_the_records_say(store):
    number = make_version(store, 20)
    note_job(store, UID, 0.0, publication="al-1.1")
    [line] = Ledger.load(store, UID).versions
    assert (line.number, line.labels, line.evaluated) == (number, 20, True)
    assert line.heads[0]["audit"]["value"] == 0.8
    assert line.heads[0]["chosen"]["value"] == 0.7


def test_an_evaluation_that_came_later_is_seen(store):
    number = make_version(store, 20, evaluated=False)
    note_job(store, UID, 2.0)
    assert not Ledger.load(store, UID).versions[0].evaluated
    evaluate(store, number)
    note_job(store, UID, 2.0)
    assert Ledger.load(store, UID).versions[0].evaluated


def test_each_version_is_read_once(store, monkeypatch):
    for labels in (10, 20, 30):
        make_version(store, labels)
    note_job(store, UID, 0.0)
    read = []
    monkeypatch.setattr(ledger, "read_line", lambda *a: read.append(a))
    note_job(store, UID, 2.0)
    assert read == []


def test_a_version_of_another_release_is_left_out(store, tmp_path):
    make_version(store, 10)
    path = tmp_path / "projects" / UID / "versions" / "000001.json"
    path.write_text(path.read_text().replace('"format": 1', '"format": 99'))
    make_version(store, 20)
    note_job(store, UID, 2.0)
    assert [line.number for line in Ledger.load(store, UID).versions] == [2]


class CountedStore(Store):
    """Counts the files that are read."""

    reads = 0

    def _read_bytes(self, path):
        self.reads += 1
        return super()._read_bytes(path)


def test_the_page_of_a_project_reads_as_much_with_many_versions_as_with_few(store, tmp_path):
    head = {"control": "c", "tag": "Choices", "labels": 1, "useful": True}
    head |= {"chosen": {**CHOSEN, "support": {"A": 1}}, "audit": None}
    Connection(UID).save(store)
    ProjectStatus(UID, version=1, heads=(head,)).save(store)
    spent = {}
    for versions in (3, 60):
        while len(store.versions(UID)) < versions:
            make_version(store, 10 + len(store.versions(UID)))
        note_job(store, UID, 2.0)
        books = Books(make_settings(tmp_path), desk=None)
        books.store = counted = CountedStore(str(tmp_path))
        books.project(UID)
        assert len(books.charts(UID)[0].rows) == versions
        spent[versions] = counted.reads
    assert spent[3] == spent[60] < 10


def test_jobs_that_did_nothing_are_not_worth_a_line(store):
    make_version(store, 10)
    note_job(store, UID, 2.0)
    assert Ledger.load(store, UID).jobs == ()


def test_a_version_is_there_because_of_its_labels(store):
    make_version(store, 10)
    note_job(store, UID, 0.0)
    make_version(store, 13, created_at=5.0)
    note_job(store, UID, 4.0, why="another version is in force")
    make_version(store, 13, created_at=7.0)
    note_job(store, UID, 6.0, asked=True, why="asked for")
    jobs = Ledger.load(store, UID).jobs
    assert [(job.why, job.version) for job in jobs[:2]] == [("asked for", 3), ("3 new labels", 2)]


def test_only_the_last_jobs_are_kept(store):
    for number in range(JOBS_KEPT + 5):
        note_job(store, UID, 0.0, error=f"error {number}")
    jobs = Ledger.load(store, UID).jobs
    assert len(jobs) == JOBS_KEPT
    assert jobs[0].error == f"error {JOBS_KEPT + 4}"


@given(st.integers(0, 5 * VERSIONS_KEPT))
def test_thinning_keeps_order_the_newest_and_a_bound(n):
    kept = thinned(list(range(n)))
    assert len(kept) <= VERSIONS_KEPT
    assert kept == sorted(set(kept))
    newest = list(range(n))[-VERSIONS_KEPT // 4 :]
    assert kept[len(kept) - len(newest) :] == newest
    assert kept[:1] == list(range(n))[:1]
