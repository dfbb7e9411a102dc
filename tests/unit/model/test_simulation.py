from dataclasses import replace

import numpy as np
import pytest

from active_learning import loop
from active_learning.audit import audit_set, uniform_order
from active_learning.errors import InvalidInput, UnknownComponent
from active_learning.held_out import measure_of, quality
from active_learning.registry import strategy_named
from active_learning.simulation import Setup, answered, at_random, part_of, simulate
from active_learning.types import UNLABELED, Kind, Pool

from .synthetic import dense_blobs, learnable, pool_of, sparse_topics

SETUP = Setup(labels=40, batch=10)
KINDS = pytest.mark.parametrize("kind", list(Kind))


def known(kind: Kind = Kind.SINGLE, n=120) -> Pool:
    """A pool of which every task has a label."""
    pool = learnable(kind, "vector", n=n, n_labels=n)
    return part_of(pool, pool.labeled)


def untimed(rounds):
    return [replace(each, seconds_to_ask=0.0, seconds_to_fit=0.0) for each in rounds]


@KINDS
def test_it_learns_what_can_be_learned(kind):
    truth = known(kind)
    rounds = list(simulate(truth, "margin", SETUP, test=np.arange(0, len(truth.ids), 3)))
    assert [each.labels for each in rounds] == [10, 20, 30, 40]
    usual = quality(None, truth, truth)
    assert rounds[-1].score > usual + 0.5 * (1 - usual)
    assert rounds[-1].score <= 1


@KINDS
@pytest.mark.parametrize("strategy", ["margin", "random", at_random])
def test_no_task_is_asked_twice_and_no_test_task_ever(kind, strategy):
    truth = known(kind)
    test = np.arange(0, len(truth.ids), 3)
    asked = [row for each in simulate(truth, strategy, SETUP, test=test) for row in each.asked]
    assert len(set(asked)) == len(asked) == 40
    assert not set(asked) & set(test.tolist())


@pytest.mark.parametrize("strategy", ["margin", at_random])
def test_a_seed_fixes_it(strategy):
    truth = known()
    first, again, other = (list(simulate(truth, strategy, SETUP, seed=s)) for s in (1, 1, 2))
    assert first == again
    assert [each.asked for each in first] != [each.asked for each in other]


def test_a_strategy_is_its_name():
    truth = known()
    by_name = list(simulate(truth, "margin", SETUP))
    assert list(simulate(truth, strategy_named("margin"), SETUP)) == by_name
    assert [each.strategy for each in by_name] == ["typiclust", *["margin"] * 3]
    assert {each.strategy for each in simulate(truth, at_random, SETUP)} == {"at_random"}


def test_labels_are_seen_only_once_asked():
    truth = known()
    lied = replace(truth, y=truth.y.copy())
    first = next(iter(simulate(truth, "margin", SETUP))).asked
    rest = np.setdiff1d(np.arange(len(truth.ids)), first)
    lied.y[rest] = 0
    rounds, lies = (list(simulate(each, "margin", SETUP)) for each in (truth, lied))
    assert [each.asked for each in rounds[:2]] == [each.asked for each in lies[:2]]
    assert [each.asked for each in rounds] != [each.asked for each in lies]


def test_the_truth_is_not_changed():
    truth = known()
    for name in ("X", "y", "serving", "resolved", "u"):
        getattr(truth, name).flags.writeable = False
    list(simulate(truth, "margin", SETUP))


def test_the_audit_share_is_drawn_at_random():
    truth = known(n=300)
    setup = Setup(labels=100, batch=10, audit_share=1.0)
    asked = np.sort([row for r in simulate(truth, "margin", setup, seed=4) for row in r.asked])
    shown = answered(replace(truth, u=uniform_order("simulation", 4, truth.ids)), asked)
    assert np.sort(audit_set(shown)[0]).tolist() == asked.tolist()
    without = simulate(truth, "margin", replace(setup, audit_share=0.0), seed=4)
    assert {row for r in without for row in r.asked} != set(asked)


def test_without_test_rows_it_judges_what_nobody_was_asked():
    truth = known(n=60)
    rounds = list(simulate(truth, "margin", Setup(labels=1000, batch=25)))
    assert [each.labels for each in rounds] == [25, 50, 60]
    assert np.isfinite([each.score for each in rounds[:2]]).all()
    assert np.isnan(rounds[-1].score)


def test_a_score_is_that_of_the_model_the_service_would_fit():
    truth = known()
    test = np.arange(0, len(truth.ids), 2)
    *_, last = simulate(truth, at_random, SETUP, test=test)
    rounds = simulate(truth, at_random, SETUP, test=test)
    rows = np.array([row for each in rounds for row in each.asked])
    learn = np.setdiff1d(np.arange(len(truth.ids)), test)
    pool = answered(part_of(truth, learn), np.searchsorted(learn, rows))
    said = loop.fit(pool).model.predict(truth.X[test]).verdicts(np.arange(len(test)))
    right = [truth.classes[y] == each.answer for y, each in zip(truth.y[test], said, strict=True)]
    assert last.score == pytest.approx(np.mean(right))


def test_before_a_model_the_most_frequent_answer_counts():
    X, y = dense_blobs(60)
    truth = pool_of(X, np.zeros_like(y), 3)
    [first, *_] = simulate(truth, "margin", SETUP)
    assert first.score == 1.0
    half = replace(truth, y=np.r_[np.zeros(30, np.int64), np.ones(30, np.int64)])
    rare = quality(None, answered(half, np.arange(10)), half, macro=True)
    assert rare == pytest.approx((2 / 3) / 2)


def test_the_clock_is_read_around_asking_and_fitting():
    ticks = iter(range(100))
    rounds = list(simulate(known(), "margin", SETUP, clock=lambda: float(next(ticks))))
    assert {(each.seconds_to_ask, each.seconds_to_fit) for each in rounds} == {(1.0, 1.0)}


def test_what_it_refuses():
    truth = known()
    unlabeled = replace(truth, y=np.where(np.arange(len(truth.y)) < 3, UNLABELED, truth.y))
    with pytest.raises(InvalidInput, match="3 tasks have no label"):
        next(simulate(unlabeled, "margin", SETUP))
    with pytest.raises(InvalidInput, match="nothing is left"):
        next(simulate(truth, "margin", SETUP, test=np.arange(len(truth.ids))))
    with pytest.raises(UnknownComponent, match="unknown strategy"):
        list(simulate(truth, "no such", SETUP))
    with pytest.raises(InvalidInput, match="got 10 rows, of which 1 do"):
        list(simulate(truth, lambda pool, model, k, rng: np.zeros(k), SETUP))
    with pytest.raises(InvalidInput, match="1 or more"):
        Setup(labels=0)
    with pytest.raises(InvalidInput, match="audit_share"):
        Setup(labels=1, audit_share=2)


@KINDS
def test_every_kind_has_a_measure(kind):
    assert measure_of(kind)
    truth = known(kind)
    assert quality(loop.fit(truth).model, truth, truth) > quality(None, truth, truth)


def test_sparse_features():
    X, y = sparse_topics(150, noise=0.2)
    rounds = list(simulate(pool_of(X, y, 3), "margin", SETUP))
    assert rounds[-1].score > 0.6


def test_times_do_not_change_what_is_asked():
    ticks = iter(range(100))
    timed = simulate(known(), "margin", SETUP, clock=lambda: float(next(ticks)))
    assert untimed(timed) == list(simulate(known(), "margin", SETUP))
