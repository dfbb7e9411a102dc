from dataclasses import replace

import numpy as np
import pytest

from active_learning.learners import penalty
from active_learning.learners.multiple import MultipleLearner
from active_learning.learners.penalty import LADDER, choose
from active_learning.learners.resampling import Labeled
from active_learning.learners.single import SingleLearner

from .synthetic import learnable, partly, pool_of, sparse_topics


def labelled(n: int) -> Labeled:
    X, y = sparse_topics(n + 10)
    return Labeled.of(pool_of(X, partly(y, n), 3))


def run(losses_of, n=60):
    """Choose with losses a row given by C; return C and every C that was tried, in order."""
    tried = []

    def held(data, fold_of, c):
        tried.append((c, len(fold_of)))
        return np.full((len(fold_of), 1), c)

    def losses(found, y):
        noise = np.random.default_rng(int(1e3 * found[0, 0])).normal(size=len(y)) / 10
        return losses_of[found[0, 0]] + noise

    data = labelled(n)
    c, found = choose(data, np.arange(n) % 5, held, losses)
    assert found.shape == (n, 1)
    assert (found == c).all()
    return c, tried


def test_goes_down_the_ladder_while_the_loss_falls():
    falling = dict(zip(LADDER, (3, 2, 1, 2), strict=True))
    c, tried = run(falling)
    assert c == LADDER[2]
    assert [c for c, _ in tried] == list(LADDER)


def test_stops_at_the_first_step_that_gains_nothing_clear():
    c, tried = run(dict(zip(LADDER, (3, 3, 1, 1), strict=True)))
    assert c == LADDER[0]
    assert [c for c, _ in tried] == list(LADDER[:2])
    hardly = dict(zip(LADDER, (3, 2.995, 1, 1), strict=True))
    assert run(hardly)[0] == LADDER[0]


def test_may_reach_the_end():
    assert run(dict(zip(LADDER, (4, 3, 2, 1), strict=True)))[0] == LADDER[-1]


def test_a_few_labels_are_too_few_to_choose_by():
    c, tried = run(dict(zip(LADDER, (4, 3, 2, 1), strict=True)), n=49)
    assert (c, tried) == (LADDER[0], [(LADDER[0], 49)])


def test_many_labels_are_judged_once_and_chosen_by_a_sample(monkeypatch):
    monkeypatch.setattr(penalty, "SAMPLE", 55)
    c, tried = run(dict(zip(LADDER, (3, 2, 3, 3), strict=True)), n=80)
    assert c == LADDER[1]
    assert tried == [(LADDER[0], 55), (LADDER[1], 55), (LADDER[2], 55), (LADDER[1], 80)]


@pytest.mark.parametrize("learner", [SingleLearner(), MultipleLearner()])
def test_wrong_labels_ask_for_a_stronger_penalty_and_get_it(learner):
    pool = learnable(learner.kind, "vector", n=200, n_labels=200)
    clean = learner.fit(pool).model
    assert clean.c == LADDER[0]
    rng = np.random.default_rng(0)
    wrong = rng.permutation(200)[:60]
    pool.y[wrong] = pool.y[rng.permutation(wrong)]
    noisy = learner.fit(pool).model
    assert noisy.c < LADDER[0]
    assert learner.restore(noisy.to_arrays(), pool.classes).c == noisy.c


def test_where_no_left_out_class_was_taught_nothing_is_chosen():
    X, _ = sparse_topics(60)
    lonely = replace(pool_of(X, np.arange(60)), classes=tuple(map(str, range(60))))
    assert SingleLearner().fit(lonely).model.c == LADDER[0]
