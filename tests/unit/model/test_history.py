"""What versions leave behind, and how far they agree."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from active_learning import history, loop
from active_learning.errors import InvalidInput
from active_learning.history import Sample
from active_learning.types import Kind
from tests.unit.model.synthetic import learnable, partly, pool_of, sparse_topics


def sample_of(said, ids=None, counts=None, *, number: bool = False) -> Sample:
    said = np.asarray(said, dtype=float)
    counts = np.ones(len(said), np.int64) if counts is None else np.asarray(counts)
    ids = np.arange(len(counts)) if ids is None else np.asarray(ids)
    return Sample(ids, counts, said, np.full(len(ids), 0.75), number)


# Agreement


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=2, max_size=50))
def test_agreement_of_classes_is_cohens_kappa(pairs):
    old, new = map(list, zip(*pairs, strict=True))
    found = history.agreement(sample_of(old), sample_of(new))
    if len(set(old)) < 2 or len(set(new)) < 2:
        assert found == 0.0
    else:
        assert found == pytest.approx(cohen_kappa_score(old, new))


def test_who_always_says_the_same_agrees_with_nobody():
    constant = sample_of([1, 1, 1, 1])
    assert history.agreement(constant, constant) == 0.0
    assert constant.constant


def test_only_tasks_that_both_judged_count():
    old = sample_of([0, 1, 2, 0], ids=[7, 3, 5, 9])
    new = sample_of([1, 0, 2, 2], ids=[3, 7, 11, 13])
    assert history.agreement(old, new) == 1.0
    assert history.agreement(old, sample_of([0, 1], ids=[1, 2])) == 0.0


def test_tasks_of_several_questions_are_compared_question_by_question():
    old = sample_of([0, 1, 1, 0, 2], ids=[1, 2, 3], counts=[2, 1, 2])
    same = sample_of([1, 0, 2, 0, 1], ids=[2, 3, 1], counts=[1, 2, 2])
    assert history.agreement(old, same) == 1.0
    # A task that asks more questions than before is another one.
    longer = sample_of([0, 1, 1, 0, 2, 2], ids=[1, 2, 3], counts=[2, 1, 3])
    assert history.agreement(old, longer) == 1.0


def test_agreement_of_numbers_is_concordance():
    rng = np.random.default_rng(0)
    old = rng.normal(size=200)
    assert history.agreement(*2 * [sample_of(old, number=True)]) == pytest.approx(1)
    moved = history.agreement(sample_of(old, number=True), sample_of(old + 1, number=True))
    assert moved == pytest.approx(2 * old.var() / (2 * old.var() + 1))
    with pytest.raises(InvalidInput, match="do not compare"):
        history.agreement(sample_of(old, number=True), sample_of(np.zeros(200)))


# The sample


@pytest.mark.parametrize("kind", Kind)
def test_a_version_is_recorded_and_read_back(kind):
    pool = learnable(kind, "counts")
    rows = history.sample_rows(pool)
    found = history.take_sample(pool, rows, loop.opine(loop.fit(pool).model, pool, rows))
    assert len(found.said) == found.counts.sum()
    assert 0 <= found.uncertainty <= 1
    again = Sample.from_record(json.loads(json.dumps(found.to_record())))
    for name in ("ids", "counts", "said"):
        np.testing.assert_array_equal(getattr(again, name), getattr(found, name))
    assert again.confidence == pytest.approx(found.confidence, abs=5e-4)
    assert history.agreement(found, again) == pytest.approx(1)


def test_the_sample_is_fixed_as_tasks_come_and_labels_do():
    X, y = sparse_topics(3_000)
    pool = pool_of(X, partly(y, 50), 3)
    rows = history.sample_rows(pool)
    assert len(rows) == len(set(rows.tolist())) == history.SAMPLE
    more = pool_of(X, partly(y, 500, seed=3), 3)
    np.testing.assert_array_equal(history.sample_rows(more), rows)
    fewer = replace(
        pool,
        **{name: getattr(pool, name)[:2_900] for name in ("ids", "X", "y", "serving", "resolved")},
        u=pool.u[:2_900],
    )
    stay = rows[rows < 2_900]
    np.testing.assert_array_equal(history.sample_rows(fewer)[: len(stay)], stay)


def test_the_sample_is_no_more_audited_than_the_rest():
    X, y = sparse_topics(4_000)
    pool = pool_of(X, y, 3)
    first = np.argsort(pool.u)[:400]
    share = np.isin(history.sample_rows(pool), first).mean()
    assert share == pytest.approx(0.1, abs=0.04)


def test_tasks_of_many_questions_are_fewer(monkeypatch):
    pool = learnable(Kind.SEQUENCE, "counts")
    monkeypatch.setattr(history, "MOST_QUESTIONS", 20)
    rows = history.sample_rows(pool)
    counts = np.diff(pool.units.starts)[rows]
    assert 0 < counts.sum() <= 20
    assert counts.min() > 0


def test_a_task_that_asks_too_much_alone_does_not_empty_the_sample(monkeypatch):
    pool = learnable(Kind.SEQUENCE, "counts")
    counts = np.diff(pool.units.starts)
    longest = int(counts.argmax())
    monkeypatch.setattr(history, "MOST_QUESTIONS", int(counts.max()) - 1)
    u = np.arange(1, len(counts) + 1, dtype=np.uint64)
    u[longest] = 0
    rows = history.sample_rows(replace(pool, u=u.byteswap()))
    assert longest not in rows
    assert len(rows)


def test_where_every_task_asks_too_much_nothing_is_compared(monkeypatch):
    pool = learnable(Kind.SEQUENCE, "counts")
    monkeypatch.setattr(history, "MOST_QUESTIONS", 0)
    rows = history.sample_rows(pool)
    sample = history.take_sample(pool, rows, loop.opine(loop.fit(pool).model, pool, rows))
    found = history.snapshot(pool, sample, loop.estimate_audit(pool, needed=10), None)
    assert (len(rows), found.tasks, found.uncertainty) == (0, 0, 0.0)


# Which versions are compared, and which are kept


@pytest.mark.parametrize(
    ("labels", "classes", "gap"), [(10, 2, 4), (10, 5, 10), (1_000, 5, 50), (10, 0, 4)]
)
def test_the_gap_grows_with_labels_and_classes(labels, classes, gap):
    assert history.gap(labels, classes) == gap


def test_the_newest_version_far_enough_behind_is_compared():
    assert history.earlier_place([10, 20, 96, 97, 99], 100, 2) == 1
    assert history.earlier_place([10, 20, 94, 95, 99], 100, 2) == 3
    assert history.earlier_place([97, 98], 100, 2) is None
    # Labels were deleted: the newest of those with the most.
    assert history.earlier_place([90, 50, 90], 100, 2) == 2


@given(st.lists(st.integers(1, 9), min_size=1, max_size=3_000))
def test_history_is_thinned_and_keeps_its_ends(steps):
    labels = np.cumsum(steps).tolist()
    places = history.kept(labels)
    assert places == sorted(set(places))
    assert places[0] == 0
    newest = list(range(max(len(labels) - history.UNTHINNED, 0), len(labels)))
    assert places[-len(newest) :] == newest
    assert len(places) <= history.UNTHINNED + 50 + np.log(max(labels)) / np.log(history.THINNED)
    # Thinning again changes nothing: points do not wander off version by version.
    kept = [labels[place] for place in places]
    assert [kept[place] for place in history.kept(kept)] == kept


def test_a_snapshot_says_what_it_was_compared_with():
    X, y = sparse_topics(200)
    pool = pool_of(X, partly(y, 60), 3)
    sample = sample_of([0, 1, 2, 0])
    audit = loop.estimate_audit(pool, needed=10)
    alone = history.snapshot(pool, sample, audit, None)
    assert (alone.labels, alone.agreement, alone.since) == (60, None, None)
    assert alone.unlearned == ""
    never = history.snapshot(pool, sample_of([0, 2, 0]), audit, None, {pool.classes[2]: 0.0})
    assert never.unlearned == f"{pool.classes[1]!r}, {pool.classes[2]!r}"
    found = history.snapshot(pool, sample, audit, (50, sample_of([0, 1, 2, 1])))
    assert (found.since, found.uncertainty) == (50, 0.25)
    assert found.agreement == pytest.approx(cohen_kappa_score([0, 1, 2, 1], [0, 1, 2, 0]))
    if audit.figures:
        assert (found.value, found.low) == (audit.figures.value, audit.figures.low)
