"""When to fit and when to publish, as tables."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from active_learning.types import Pool, Serving
from ls_active.loop import agenda
from ls_active.loop.agenda import Need, Standing
from ls_active.loop.dataset import Dataset
from ls_active.options import Options

CLASSES = ("cat", "dog")
Y, L, N = Serving.YES, Serving.LAST, Serving.NO


def data(y=(0, 1, -1, -1), serving=(N, N, Y, Y), digest="new") -> Dataset:
    n = len(serving)
    y = (*y, *[-1] * n)[:n]
    pool = Pool(
        ids=np.arange(1, n + 1),
        X=csr_matrix((n, 4), dtype=np.float32),
        y=np.array(y, dtype=np.int64),
        serving=np.array(serving, dtype=np.int8),
        resolved=np.array(serving) == N,
        u=np.arange(n, dtype=np.uint64),
        classes=CLASSES,
    )
    return Dataset((pool,), signature(), digest, annotators=1, tied=0)


def signature(*classes: str) -> list:
    return [["topic", "single", list(classes or CLASSES)]]


def manifest(**changes: object) -> dict:
    return {"signature": signature(), "labels": 2, "labels_digest": "old", **changes}


@pytest.mark.parametrize(
    ("given", "known", "options", "expected"),
    [
        (data(y=()), None, {}, Need()),
        (data(y=(0,)), None, {}, Need()),
        (data(y=(0, 0)), None, {}, Need()),
        (data(), None, {}, Need("the first labels", urgent=True)),
        (data(), None, {"min_labels": 3}, Need()),
        (data(), manifest(), {}, Need("1 new labels")),
        (data(), manifest(labels=7), {}, Need("5 new labels")),
        (data(), manifest(), {"retrain_after": 2}, Need()),
        (data(), manifest(labels=0), {"retrain_after": 2}, Need("2 new labels")),
        (data(), manifest(labels_digest="new"), {}, Need()),
        (data(), manifest(signature=signature("cat")), {},
         Need("the label config changed", urgent=True)),
        (data(), manifest(signature=signature("dog", "cat"), labels_digest="new"), {},
         Need("the label config changed", urgent=True)),
    ],
)  # fmt: skip
def test_when_to_fit(given, known, options, expected):
    assert agenda.need_fit(given, known, Options(**options), force=False) == expected


def test_corrected_labels_are_news():
    dated = replace(data(), dated=("2026-01-01T00", "2026-01-02T00"))
    known = manifest(newest="2026-01-01T12")
    assert agenda.need_fit(dated, known, Options(), force=False) == Need("1 new labels")
    both = manifest(newest="2025-12-31T12")
    after_two = Options(retrain_after=2)
    assert agenda.need_fit(dated, both, after_two, force=False) == Need("2 new labels")
    assert not agenda.need_fit(dated, known, after_two, force=False)


def test_a_button_fits_at_once_if_anything_can_be_learned():
    unchanged = manifest(labels_digest="new")
    asked = agenda.need_fit(data(), unchanged, Options(retrain_after=99), force=True)
    assert asked == Need("asked for", urgent=True)
    assert not agenda.need_fit(data(y=(0, 0)), unchanged, Options(), force=True)


def record(**changes: object) -> dict:
    return {
        "name": "al-1.3", "version": 1, "provisional": False, "config": "c", "last_id": 4,
        "tasks": [3, 4], "published_at": 1000.0, "labels": 2, **changes,
    }  # fmt: skip


def standing(**changes: object) -> Standing:
    return Standing(**{"version": 1, "in_force": "al-1.3", "config": "c", "last_id": 4, **changes})


@pytest.mark.parametrize(
    ("known", "changes", "expected"),
    [
        (None, {}, Need("the first queue", urgent=True)),
        (record(provisional=True), {}, Need("the first queue", urgent=True)),
        (record(), {}, Need()),
        (record(), {"version": 2}, Need("a newer model was ready")),
        (record(version=2), {}, Need("an older version was asked for", urgent=True)),
        (record(), {"in_force": "x"}, Need("Label Studio names 'x'", urgent=True)),
        (record(), {"config": "d"}, Need("the label config changed", urgent=True)),
        (record(), {"last_id": 5}, Need("new tasks")),
        (record(), {"last_id": 5, "config": "d"}, Need("the label config changed", urgent=True)),
        (record(), {"version": 2, "in_force": "x"}, Need("Label Studio names 'x'", urgent=True)),
        (record(tasks=[1, 2]), {}, Need("the queue's head is used up", urgent=True)),
    ],
)
def test_when_to_publish(known, changes, expected):
    found = agenda.need_publication(data(), known, Options(), standing(**changes))
    assert found == expected


@pytest.mark.parametrize("known", [None, record(), record(provisional=True), record(tasks=[])])
def test_nothing_is_published_when_everything_is_done(known):
    """Label Studio refuses the name of an empty publication."""
    done = data(serving=(N, N, N, N))
    assert not agenda.need_publication(done, known, Options(), standing(version=2, in_force=""))


def test_skipped_tasks_that_are_given_back_are_a_queue():
    given_back = data(serving=(N, N, L, N))
    assert agenda.need_publication(given_back, record(), Options(), standing(version=2))


@pytest.mark.parametrize(
    ("n", "served", "head", "waiting_outside", "expected"),
    [
        (20, 0, 10, 10, False),
        (20, 5, 10, 10, False),
        (20, 6, 10, 10, True),
        (10, 6, 10, 0, False),
        (10, 10, 10, 0, False),
        (13, 8, 10, 3, True),
    ],
)
def test_a_head_is_used_up_when_less_than_half_is_left_and_others_wait(
    n, served, head, waiting_outside, expected
):
    serving = [N] * served + [Y] * (n - served)
    assert n - head == waiting_outside
    known = record(tasks=list(range(1, head + 1)))
    assert agenda.drained(data(serving=serving), known, Options(head_size=10)) is expected


def test_a_head_that_is_published_anew_is_not_used_up():
    """Else it would be published for ever."""
    for n in range(1, 30):
        fresh = record(tasks=list(range(1, min(n, 10) + 1)))
        assert not agenda.drained(data(serving=[Y] * n), fresh, Options(head_size=10))


@given(
    used=st.integers(0, 200),
    seconds=st.floats(0, 1e6),
    pause=st.floats(0, 1e4),
    provisional=st.booleans(),
)
def test_heads_have_a_least_and_a_greatest_size(used, seconds, pause, provisional):
    known = record(tasks=list(range(1, 201)), published_at=0.0, provisional=provisional)
    now = data(serving=[N] * used + [Y] * (200 - used))
    size = agenda.head_size(now, known, Options(head_size=5), now=seconds, pause=pause)
    assert 5 <= size <= 5 * agenda.HEAD_GROWTH


def test_heads_grow_with_what_is_used_up_between_two_of_them():
    known = record(tasks=list(range(1, 101)), published_at=0.0)
    sized = [
        agenda.head_size(
            data(serving=[N] * used + [Y] * (100 - used)), known, Options(), now=60.0, pause=60.0
        )
        for used in (0, 25, 50, 80)
    ]
    assert sized == [100, 100, 200, 320]


def test_imported_labels_are_no_annotators_pace():
    known = record(tasks=[901, 902], published_at=0.0)
    imported = data(serving=[N] * 900 + [Y] * 10)
    assert agenda.head_size(imported, known, Options(), now=60.0, pause=60.0) == 100
    assert agenda.head_size(imported, None, Options(), now=60.0, pause=60.0) == 100


@pytest.mark.parametrize(
    ("interval", "timings", "expected"),
    [
        (5.0, {}, 3.0),
        (5.0, {"sync": 1.0, "fit": 3.0}, 10.0),
        (5.0, {"wait": 100.0, "first sync": 100.0}, 3.0),
        (0.0, {}, 0.0),
        # Label Studio was busy for 1.2 s: ten times as long is to pass.
        (5.0, {"fit": 0.1, "import": 0.5, "patch": 0.3, "prune": 0.4}, 10.0),
    ],
)
def test_publications_keep_their_distance(interval, timings, expected):
    options = Options(min_interval=interval, busy_share=0.1)
    left = agenda.pause_left(record(), options, now=1002.0, timings=timings)
    assert left == pytest.approx(expected)
    assert agenda.pause_left(None, options, now=1002.0, timings=timings) == 0


def test_a_slow_publication_stops_nobody_for_long():
    slow = {"import": 300.0, "patch": 5.0, "prune": 45.0}
    assert agenda.pause(Options(), slow) == agenda.PAUSE_MOST
    assert agenda.pause(Options(min_interval=3600), slow) == 3600


def test_a_clock_that_was_ahead_stops_nobody_for_long():
    left = agenda.pause_left(record(published_at=9e9), Options(), now=1000.0, timings={})
    assert left == Options().min_interval
