from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from scipy.stats import rankdata

from active_learning import judging, loop
from active_learning.errors import UnknownComponent
from active_learning.registry import learner_of, strategy_named
from active_learning.scaling import scaling_of
from active_learning.types import UNLABELED, Candidates, Kind, Pool, Reason, Serving, Units

from .synthetic import FORMS, bbc, dense_blobs, learnable, partly, pool_of, sparse_topics

CHOICES = {
    "strategy": "margin",
    "k": 20,
    "audit_share": 0.1,
    "seed": 0,
    "n_resolved": 0,
    "audit_resolved": 0,
}


def some_pool(n_labels=30, n=200):
    X, y = sparse_topics(n)
    return pool_of(X, partly(y, n_labels), 3)


def rank(pool: Pool, model=None, **changed):
    return loop.rank([pool], [model], **CHOICES | changed)


def rank_all(pools, models, **changed):
    return loop.rank(pools, models, **CHOICES | {"audit_share": 0.0} | changed)


def fitted(pool: Pool):
    return loop.fit(pool).model


def with_serving(pool: Pool, rows, serving: Serving) -> Pool:
    changed = pool.serving.copy()
    changed[rows] = serving
    return replace(pool, serving=changed)


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
    [verdicts] = queue.verdicts
    assert verdicts == loop.opine(model, pool, queue.rows).verdicts(np.arange(20))
    strategic = np.array([reason == Reason.STRATEGY for reason in queue.reasons])
    assert (np.diff(queue.scores[strategic]) <= 0).all()
    assert queue.scores[strategic].min() > np.median(queue.scores) - 1
    assert [place for place, reason in enumerate(queue.reasons, 1) if reason == Reason.AUDIT] == [
        10,
        20,
    ]


def test_audit_tasks_are_the_first_in_audit_order():
    pool = some_pool()
    queue = rank(pool, loop.fit(pool).model, audit_share=1.0)
    waiting = np.flatnonzero(pool.serving == Serving.YES)
    expected = waiting[np.argsort(pool.u[waiting])][:20]
    assert queue.rows.tolist() == expected.tolist()
    assert set(queue.reasons) == {Reason.AUDIT}


def test_head_without_a_model():
    queue = rank(some_pool(0), None)
    assert len(queue.ids) == 20
    assert queue.verdicts == (None,)
    assert set(queue.reasons) == {Reason.COLD_START, Reason.AUDIT}


def test_cold_start_goes_on_where_the_answers_stopped():
    X, y = dense_blobs(300, 4, seed=3)
    shown = np.full(300, UNLABELED)
    seen = []
    for _ in range(4):
        queue = rank(pool_of(X, shown, 4), None, audit_share=0.0, k=5)
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
    queue = rank(pool, loop.fit(pool).model, audit_share=0.0, k=30)
    originals = [row // 4 for row in queue.rows]
    assert len(set(originals)) == 30


def test_near_duplicates_stand_apart_without_a_model_too():
    X, y = sparse_topics(20)
    X, y = csr_matrix(X[np.repeat(np.arange(20), 10)]), np.repeat(y, 10)
    for seed in range(5):
        queue = rank(pool_of(X, partly(y, 0), 3), None, audit_share=0.0, k=60, seed=seed)
        originals = [row // 10 for row in queue.rows]
        assert all(one != other for one, other in pairwise(originals))


@pytest.mark.parametrize("form", [csr_matrix, np.asarray])
def test_unreadable_tasks_are_asked_last(form):
    X, y = sparse_topics(60)
    X = X.toarray()
    shown = partly(y, 20)
    unreadable = np.flatnonzero(shown == UNLABELED)[[3, 17]]
    X[unreadable] = 0
    pool = pool_of(form(X), shown, 3)
    queue = rank(pool, loop.fit(pool).model, audit_share=0.0, k=40)
    assert set(queue.rows[-2:]) == set(unreadable)


def test_unknown_strategy():
    pool = some_pool()
    with pytest.raises(UnknownComponent, match="known: auto"):
        rank(pool, loop.fit(pool).model, strategy="psychic")


def test_a_strategy_of_ones_own():
    class Even:
        name = "even"

        def score(self, candidates):
            assert candidates.X.shape[0] == len(candidates.proba) == 170
            assert candidates.X_labeled.shape[0] == 30
            return np.linspace(1, 0, 170)

    pool = some_pool()
    queue = rank(pool, loop.fit(pool).model, strategy=Even(), audit_share=0.0)
    assert (np.diff(queue.rows) > 0).all()


FITTED = loop.fit(pool_of(*sparse_topics(30), 3)).model


@given(st.integers(0, 12), st.integers(0, 15), st.floats(0, 1), st.booleans(), st.data())
def test_any_pool(n, k, audit_share, with_model, data):
    X, y = sparse_topics(30)
    states = data.draw(st.lists(st.integers(0, 3), min_size=n, max_size=n))
    labels = [y[row] if state == 3 else UNLABELED for row, state in enumerate(states)]
    pool = pool_of(X[:n], np.array(labels, dtype=np.int64), 3)
    serving = np.array([Serving.NO if state == 3 else state for state in states], dtype=np.int8)
    pool = replace(pool, serving=serving.reshape(n))
    model = FITTED if with_model else None
    queue = rank(pool, model, k=k, audit_share=audit_share)
    askable = int((serving != Serving.NO).sum())
    assert len(queue.ids) == len(set(queue.ids.tolist())) == min(k, askable)
    assert (pool.serving[queue.rows] != Serving.NO).all()
    assert ((queue.scores >= 0) & (queue.scores <= 1)).all()
    [verdicts] = queue.verdicts
    assert (verdicts is None) == (model is None)
    assert verdicts is None or len(verdicts) == len(queue.ids)


# Every kind of answer, and several controls


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", Kind)
def test_every_kind_of_answer_makes_a_queue(kind, form):
    pool = learnable(kind, form)
    model = fitted(pool)
    queue = rank(pool, model)
    waiting = np.flatnonzero(pool.serving == Serving.YES)
    assert len(queue.ids) == len(set(queue.ids)) == 20
    assert set(queue.rows) <= set(waiting)
    assert ((queue.scores >= 0) & (queue.scores <= 1)).all()
    assert queue.verdicts == (loop.opine(model, pool, queue.rows).verdicts(np.arange(20)),)
    again = rank(pool, model)
    assert (again.ids == queue.ids).all()


@pytest.mark.parametrize("kind", [Kind.MULTIPLE, Kind.SEQUENCE])
def test_a_task_scores_as_its_best_question(kind):
    pool = learnable(kind, "vector")
    model = fitted(pool)
    opinion = loop.opine(model, pool, np.arange(120))
    X = scaling_of(pool).apply(pool.X)
    candidates = Candidates(opinion.questions, X, X[:0], np.random.default_rng(0))
    scores = strategy_named("margin").score(candidates)
    best = [max(scores[a:b], default=0.0) for a, b in pairwise(opinion.starts)]
    queue = rank(pool, model, audit_share=0.0)
    np.testing.assert_allclose(queue.scores, np.array(best)[queue.rows])
    waiting = np.flatnonzero(pool.serving == Serving.YES)
    top = sorted(np.array(best)[waiting])[-20:]
    assert np.mean(queue.scores) > np.mean(top) - 0.05


def test_a_task_without_units_is_asked_last():
    pool = learnable(Kind.SEQUENCE, "vector", n_labels=40)
    empty = np.flatnonzero((np.diff(pool.units.starts) == 0) & (pool.serving == Serving.YES))
    queue = rank(pool, fitted(pool), k=200, audit_share=0.0)
    assert set(queue.rows[-len(empty) :]) == set(empty)


def test_tasks_are_spread_where_answers_are_numbers():
    X, z = dense_blobs(300, 4, seed=3)
    shown = np.full(300, np.nan)
    # All labels are of one theme: the others come first, whatever the strategy.
    known = np.flatnonzero(z == 0)[:20]
    shown[known] = np.random.default_rng(0).normal(size=20)
    pool = pool_of(X, shown, 0, kind=Kind.NUMBER)
    for strategy in ("auto", "typiclust"):
        queue = rank(pool, fitted(pool), strategy=strategy, audit_share=0.0)
        assert set(z[queue.rows[:3]]) == {1, 2, 3}
        assert (np.diff(queue.scores) < 0).all()


def two_controls():
    """The same tasks as a class and as a number, each control answered for others of them."""
    X, z = dense_blobs(200, 3, seed=1)
    numbers = np.full(200, np.nan)
    numbers[40:80] = z[40:80]
    one = pool_of(X, np.where(np.arange(200) < 60, z, UNLABELED), 3)
    other = pool_of(X, numbers, 0, kind=Kind.NUMBER)
    both = replace(one, serving=one.serving.copy(), resolved=one.resolved.copy())
    answered = np.arange(200) < 80
    both.serving[answered], both.resolved[answered] = Serving.NO, True
    return both, replace(other, serving=both.serving, resolved=both.resolved)


def scores_of(pools, models) -> np.ndarray:
    """The score of every waiting task."""
    queue = rank_all(pools, models, k=200)
    assert len(queue.rows) == 120
    scores = np.zeros(200)
    scores[queue.rows] = queue.scores
    return scores[80:]


def test_several_controls_are_ranked_by_the_mean_of_their_ranks():
    pools = two_controls()
    first, second = [fitted(pool) for pool in pools]
    alone = [scores_of(pools, models) for models in ([first, None], [None, second])]
    ranks = np.mean([rankdata(scores, method="max") / 120 for scores in alone], axis=0)
    np.testing.assert_allclose(scores_of(pools, [first, second]), ranks)


def test_each_control_has_its_verdicts():
    pools = two_controls()
    models = [fitted(pool) for pool in pools]
    queue = rank_all(pools, models)
    for pool, model, verdicts in zip(pools, models, queue.verdicts, strict=True):
        assert verdicts == loop.opine(model, pool, queue.rows).verdicts(np.arange(20))
    assert all(isinstance(verdict.answer, str) for verdict in queue.verdicts[0])
    assert all(isinstance(verdict.answer, float) for verdict in queue.verdicts[1])


def test_a_control_without_a_model_has_no_say():
    pools = two_controls()
    model = fitted(pools[0])
    alone = rank_all(pools[:1], [model])
    queue = rank_all(pools, [model, None])
    assert (queue.ids == alone.ids).all()
    np.testing.assert_array_equal(queue.scores, alone.scores)
    assert queue.verdicts == (*alone.verdicts, None)
    backwards = rank_all(pools[::-1], [None, model])
    assert backwards.verdicts == (None, *alone.verdicts)


def test_controls_without_any_model_start_cold():
    pools = two_controls()
    queue = rank_all(pools, [None, None])
    assert queue.verdicts == (None, None)
    assert set(queue.reasons) == {Reason.COLD_START}


def test_near_duplicates_of_what_any_control_knows_are_passed_over():
    one, other = two_controls()
    X = one.X.copy()
    # Waiting tasks that repeat one that only the second control has an answer for.
    X[100:110] = X[70]
    pools = [replace(one, X=X), replace(other, X=X)]
    queue = rank_all(pools, [fitted(pool) for pool in pools], k=100)
    assert not set(queue.rows) & set(range(100, 110))


def test_pools_and_models_go_in_pairs():
    pools = two_controls()
    with pytest.raises(ValueError, match="zip"):
        rank_all(pools, [fitted(pools[0])])


@pytest.mark.parametrize("kind", Kind)
def test_nobody_to_ask(kind):
    pool = learnable(kind, "vector")
    model = fitted(pool)
    done = replace(pool, serving=np.zeros(120, dtype=np.int8))
    for models in ([model], [None]):
        queue = loop.rank([done], models, **CHOICES)
        assert (queue.ids.tolist(), queue.reasons) == ([], ())
        assert queue.verdicts in (((),), (None,))


@pytest.mark.parametrize("kind", Kind)
def test_restore_knows_the_learner_by_the_kind(kind):
    pool = learnable(kind, "vector")
    model = fitted(pool)
    again = loop.restore(kind, model.to_arrays(), pool.classes)
    rows = np.arange(120)
    assert loop.opine(again, pool, rows).verdicts(rows) == (
        loop.opine(model, pool, rows).verdicts(rows)
    )


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_of_answer_is_audited(kind):
    pool = learnable(kind, "vector")
    # Who is labelled comes first in the audit order.
    pool = replace(pool, u=np.argsort(np.argsort(~pool.resolved)).astype(np.uint64))
    found = loop.estimate_audit(pool, model=fitted(pool))
    assert found.labels == len(pool.labeled)
    assert (found.figures.n, found.figures.basis) == (found.labels, "audit")
    assert found.figures.value > found.figures.baseline
    assert loop.estimate_audit(pool, needed=100).figures is None


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


@pytest.mark.slow
def test_learns_real_text_and_margin_beats_chance():
    margin = [learn("margin", 100, seed) for seed in range(2)]
    assert min(margin) > 0.8
    assert np.mean(margin) > learn("random", 100, 0) + 0.01


# What auto picks, and what is said of it


def test_auto_spreads_until_each_class_seen_has_four_labels():
    X, y = sparse_topics(200)
    for n_labels, strategy in ((5, "typiclust"), (40, "margin")):
        pool = pool_of(X, partly(y, n_labels), 3)
        model = fitted(pool)
        queue = rank(pool, model, strategy="auto")
        assert queue.choice == queue.choices[0]
        assert queue.choice.strategy == strategy
        assert str(queue.choice).startswith(f"{strategy}, ")
        assert rank(pool, model, strategy=strategy).choice.why == ""


@pytest.mark.parametrize("kind", Kind)
def test_auto_asks_every_kind_of_answer(kind):
    pool = learnable(kind, "vector")
    queue = rank(pool, fitted(pool), strategy="auto", audit_share=0.0)
    assert queue.choice.strategy == ("typiclust" if kind is Kind.NUMBER else "margin")


def test_each_control_has_its_choice():
    pools = two_controls()
    queue = rank_all(pools, [fitted(pool) for pool in pools], strategy="auto")
    assert [choice.strategy for choice in queue.choices] == ["margin", "typiclust"]
    assert rank_all(pools, [None, fitted(pools[1])]).choices[0] is None
    assert rank_all(pools, [None, None]).choice.why == "since there is no model yet"


@pytest.mark.parametrize("kind", [Kind.SINGLE, Kind.MULTIPLE, Kind.SEQUENCE])
def test_a_committee_is_of_other_minds_and_leaves_the_model_alone(kind):
    pool = learnable(kind, "vector")
    model = fitted(pool)
    before = {name: array.copy() for name, array in model.to_arrays().items()}
    members = learner_of(kind).committee(pool, model=model, seed=0)
    rows = np.flatnonzero(pool.serving == Serving.YES)
    said = [loop.opine(member, pool, rows).questions for member in members]
    assert np.std(said, axis=0).max() > 0.01
    queue = rank(pool, model, strategy="bald", audit_share=0.0)
    assert queue.scores[0] > 0
    for name, array in model.to_arrays().items():
        np.testing.assert_array_equal(array, before[name])


def test_auto_counts_labels_of_tasks_that_wait_for_their_second_annotator():
    X, y = sparse_topics(200)
    for n_labels, strategy in ((5, "typiclust"), (40, "margin")):
        pool = pool_of(X, partly(y, n_labels), 3)
        pool = replace(
            with_serving(pool, pool.labeled, Serving.YES), resolved=np.zeros(200, dtype=np.bool_)
        )
        assert rank(pool, fitted(pool), strategy="auto").choice.strategy == strategy


# Skipped tasks that Label Studio gives back


@pytest.mark.parametrize("strategy", ["badge", "coreset", "typiclust"])
def test_skipped_tasks_take_no_pick_from_those_that_wait(strategy):
    X, y = dense_blobs(300)
    # Outliers: the first that a cover of the pool would ask about.
    X[:40] = 4 * np.random.default_rng(0).normal(size=(40, 16))
    shown = np.where(np.arange(300) >= 270, y, UNLABELED)
    pool = with_serving(pool_of(X, shown, 3), slice(0, 40), Serving.LAST)
    queue = rank(pool, fitted(pool), strategy=strategy, audit_share=0.0)
    # Above one half: chosen, one after the other.
    assert (queue.scores > 0.5).all()


def test_skipped_tasks_are_judged_once_nobody_else_waits():
    pool = some_pool()
    waiting = np.flatnonzero(pool.serving == Serving.YES)
    pool = with_serving(pool, waiting[:-3], Serving.LAST)
    model = fitted(pool)
    queue = rank(pool, model, k=10, audit_share=0.0)
    assert queue.reasons == (Reason.STRATEGY,) * 3 + (Reason.SKIPPED,) * 7
    assert (np.diff(queue.scores[3:]) <= 0).all()
    assert queue.verdicts == (loop.opine(model, pool, queue.rows).verdicts(np.arange(10)),)


# Where probabilities do not fit


@pytest.mark.parametrize("kind", list(Kind))
def test_of_a_large_pool_a_part_is_looked_at(kind, monkeypatch):
    pool = learnable(kind, "counts", n=150)
    monkeypatch.setattr(judging, "PROBABILITIES", 100)
    model, back = fitted(pool), np.flatnonzero(pool.serving == Serving.YES)[:30]
    pool = with_serving(pool, back, Serving.LAST)
    queue = rank(pool, model, k=70)
    waiting = np.flatnonzero(pool.serving == Serving.YES)
    assert set(queue.rows) <= {*waiting, *back}
    assert len(set(queue.rows)) == 70
    assert len(queue.verdicts[0]) == 70
    said = loop.opine(model, pool, np.sort(queue.rows)).verdicts(np.arange(70))
    by_row = dict(zip(np.sort(queue.rows).tolist(), said, strict=True))
    assert [v.answer for v in queue.verdicts[0]] == [by_row[r].answer for r in queue.rows.tolist()]


def test_tasks_without_a_unit_are_ranked():
    model = fitted(learnable(Kind.SEQUENCE, "counts"))
    pool = learnable(Kind.SEQUENCE, "counts", n_labels=0)
    none = Units(pool.units.X[:0], np.zeros(len(pool.ids) + 1, dtype=np.int64))
    assert len(rank(replace(pool, units=none, y=pool.y[:0]), model, k=5).ids) == 5


def test_the_part_that_is_looked_at_is_drawn_anew_and_fits(monkeypatch):
    monkeypatch.setattr(judging, "PROBABILITIES", 90)
    asked = []

    class Spy:
        name = "spy"

        def score(self, candidates: Candidates):
            asked.append(candidates.proba.shape)
            return np.zeros(candidates.tasks)

    pool = some_pool()
    model = fitted(pool)
    orders = [
        rank(pool, model, strategy=Spy(), seed=seed, k=5, audit_share=0).ids for seed in (0, 1)
    ]
    assert all(30 <= tasks <= 35 and classes == 3 for tasks, classes in asked)
    assert orders[0].tolist() != orders[1].tolist()
