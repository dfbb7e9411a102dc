from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from active_learning import loop
from active_learning.errors import InvalidInput, NotEnoughLabels, UnknownComponent
from active_learning.types import UNLABELED, Pool, Reason, Serving

from .synthetic import bbc, dense_blobs, partly, pool_of, sparse_topics

CHOICES = {
    "strategy": "margin",
    "k": 20,
    "epsilon": 0.1,
    "seed": 0,
    "n_resolved": 0,
    "audit_resolved": 0,
}


def some_pool(n_labels=30, n=200):
    X, y = sparse_topics(n)
    return pool_of(X, partly(y, n_labels), 3)


def rank(pool: Pool, model=None, **changed):
    return loop.rank(pool, model, **CHOICES | changed)


def with_serving(pool: Pool, rows, serving: Serving) -> Pool:
    changed = pool.serving.copy()
    changed[rows] = serving
    return replace(pool, serving=changed)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([], r"0 labels in 0 classes \(none\)"),
        ([1, 1, 1], r"3 labels in 1 classes \('b'\)"),
    ],
)
def test_fit_needs_two_classes_and_says_what_there_is(labels, message):
    X, _ = sparse_topics(10)
    y = np.array(labels + [UNLABELED] * (10 - len(labels)))
    with pytest.raises(NotEnoughLabels, match=message):
        loop.fit(pool_of(X, y, 3))


def test_fit_and_rank_are_deterministic():
    pool = some_pool()
    first, second = loop.fit(pool, seed=3), loop.fit(pool, seed=3)
    assert first.chosen == second.chosen
    for strategy in ("margin", "random"):
        one = rank(pool, first.model, strategy=strategy)
        other = rank(pool, second.model, strategy=strategy)
        assert one.ids.tolist() == other.ids.tolist()
        np.testing.assert_array_equal(one.scores, other.scores)


def test_the_pool_is_never_changed():
    pool = some_pool()
    names = ("ids", "y", "serving", "resolved", "u")
    for name in names:
        getattr(pool, name).flags.writeable = False
    for array in (pool.X.data, pool.X.indices, pool.X.indptr):
        array.flags.writeable = False
    fit = loop.fit(pool)
    rank(pool, fit.model)
    rank(pool, None)
    loop.estimate_audit(pool, model=fit.model)


def test_head_with_a_model():
    pool = some_pool()
    model = loop.fit(pool).model
    queue = rank(pool, model)
    assert len(queue.ids) == len(queue.rows) == len(queue.scores) == len(queue.reasons) == 20
    np.testing.assert_array_equal(queue.ids, pool.ids[queue.rows])
    assert (pool.serving[queue.rows] == Serving.YES).all()
    np.testing.assert_allclose(queue.proba, model.predict_proba(pool.X[queue.rows]), atol=1e-6)
    strategic = np.array([reason == Reason.STRATEGY for reason in queue.reasons])
    assert (np.diff(queue.scores[strategic]) <= 0).all()
    assert queue.scores[strategic].min() > np.median(queue.scores) - 1
    assert [place for place, reason in enumerate(queue.reasons, 1) if reason == Reason.AUDIT] == [
        10,
        20,
    ]


def test_audit_tasks_are_the_first_in_audit_order():
    pool = some_pool()
    queue = rank(pool, loop.fit(pool).model, epsilon=1.0)
    waiting = np.flatnonzero(pool.serving == Serving.YES)
    expected = waiting[np.argsort(pool.u[waiting])][:20]
    assert queue.rows.tolist() == expected.tolist()
    assert set(queue.reasons) == {Reason.AUDIT}


def test_head_without_a_model():
    queue = rank(some_pool(0), None)
    assert len(queue.ids) == 20
    assert queue.proba is None
    assert set(queue.reasons) == {Reason.COLD_START, Reason.AUDIT}


def test_cold_start_goes_on_where_the_answers_stopped():
    X, y = dense_blobs(300, 4, seed=3)
    shown = np.full(300, UNLABELED)
    seen = []
    for _ in range(4):
        queue = rank(pool_of(X, shown, 4), None, epsilon=0.0, k=5)
        shown[queue.rows[0]] = y[queue.rows[0]]
        seen.append(y[queue.rows[0]])
    assert sorted(seen) == [0, 1, 2, 3]


def test_skipped_tasks_come_last_and_only_if_needed():
    pool = with_serving(some_pool(), slice(0, 40), Serving.NO)
    skipped = np.flatnonzero(pool.serving == Serving.YES)[:5]
    pool = with_serving(pool, skipped, Serving.LAST)
    waiting = int((pool.serving == Serving.YES).sum())
    for model in (None, loop.fit(pool).model):
        assert not set(rank(pool, model).rows) & set(skipped)
        queue = rank(pool, model, k=waiting + 3)
        assert len(queue.ids) == waiting + 3
        assert set(queue.rows[-3:]) <= set(skipped)
        assert queue.reasons[-3:] == (Reason.SKIPPED,) * 3
        assert Reason.SKIPPED not in queue.reasons[:-3]


def test_a_task_waiting_for_its_second_annotator_is_asked_again():
    pool = with_serving(some_pool(), some_pool().labeled, Serving.YES)
    pool = replace(pool, resolved=np.zeros(200, dtype=np.bool_))
    queue = rank(pool, loop.fit(pool).model, k=200)
    assert sorted(queue.rows) == list(range(200))


def test_near_duplicates_do_not_stand_side_by_side():
    X, y = sparse_topics(60)
    X, y = csr_matrix(X[np.repeat(np.arange(60), 4)]), np.repeat(y, 4)
    pool = pool_of(X, partly(y, 20), 3)
    queue = rank(pool, loop.fit(pool).model, epsilon=0.0, k=30)
    originals = [row // 4 for row in queue.rows]
    assert len(set(originals)) == 30


@pytest.mark.parametrize("form", [csr_matrix, np.asarray])
def test_unreadable_tasks_are_asked_last(form):
    X, y = sparse_topics(60)
    X = X.toarray()
    shown = partly(y, 20)
    unreadable = np.flatnonzero(shown == UNLABELED)[[3, 17]]
    X[unreadable] = 0
    pool = pool_of(form(X), shown, 3)
    queue = rank(pool, loop.fit(pool).model, epsilon=0.0, k=40)
    assert set(queue.rows[-2:]) == set(unreadable)


def test_unknown_strategy():
    pool = some_pool()
    with pytest.raises(UnknownComponent, match="known: entropy"):
        rank(pool, loop.fit(pool).model, strategy="psychic")


def test_a_strategy_of_ones_own():
    class Even:
        name = "even"

        def score(self, candidates):
            assert candidates.X.shape[0] == len(candidates.proba) == 170
            assert candidates.X_labeled.shape[0] == 30
            return np.linspace(1, 0, 170)

    pool = some_pool()
    queue = rank(pool, loop.fit(pool).model, strategy=Even(), epsilon=0.0)
    assert (np.diff(queue.rows) > 0).all()


FITTED = loop.fit(pool_of(*sparse_topics(30), 3)).model


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 12), st.integers(0, 15), st.floats(0, 1), st.booleans(), st.data())
def test_any_pool(n, k, epsilon, with_model, data):
    X, y = sparse_topics(30)
    states = data.draw(st.lists(st.integers(0, 3), min_size=n, max_size=n))
    labels = [y[row] if state == 3 else UNLABELED for row, state in enumerate(states)]
    pool = pool_of(X[:n], np.array(labels, dtype=np.int64), 3)
    serving = np.array([Serving.NO if state == 3 else state for state in states], dtype=np.int8)
    pool = replace(pool, serving=serving.reshape(n))
    model = FITTED if with_model else None
    queue = rank(pool, model, k=k, epsilon=epsilon)
    askable = int((serving != Serving.NO).sum())
    assert len(queue.ids) == len(set(queue.ids.tolist())) == min(k, askable)
    assert (pool.serving[queue.rows] != Serving.NO).all()
    assert ((queue.scores >= 0) & (queue.scores <= 1)).all()
    assert (queue.proba is None) == (model is None)


def test_arrays_that_do_not_fit_together_are_no_pool():
    pool = some_pool()
    with pytest.raises(InvalidInput, match="pool of 200 tasks"):
        replace(pool, y=pool.y[:-1])


def learn(strategy: str, n_labels: int, seed: int) -> float:
    """Label BBC News in the order of the queue; return the accuracy on what is left."""
    X, y = bbc()
    shown, model, audited = np.full(len(y), UNLABELED), None, 0
    while (n := int((shown != UNLABELED).sum())) < n_labels:
        pool = pool_of(X, shown, 5, uid=f"{seed}.0")
        if len(np.unique(shown[shown != UNLABELED])) > 1:
            model = loop.fit(pool).model
        queue = rank(
            pool, model, strategy=strategy, k=10, seed=seed, n_resolved=n, audit_resolved=audited
        )
        audited += queue.reasons.count(Reason.AUDIT)
        shown[queue.rows] = y[queue.rows]
    left = shown == UNLABELED
    model = loop.fit(pool_of(X, shown, 5)).model
    return float((model.predict_proba(X[left]).argmax(axis=1) == y[left]).mean())


def test_learns_real_text_and_margin_beats_chance():
    margin = [learn("margin", 100, seed) for seed in range(2)]
    assert min(margin) > 0.8
    assert np.mean(margin) > learn("random", 100, 0) + 0.01
