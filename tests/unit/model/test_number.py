import numpy as np
import pytest
from sklearn.linear_model import Ridge

from active_learning import loop
from active_learning.errors import InvalidInput, NotEnoughLabels
from active_learning.learners import number
from active_learning.learners.number import NumberLearner
from active_learning.types import Block, Kind

from .synthetic import pool_of

LEARNER = NumberLearner()


def numbers_pool(n: int = 200, n_labels: int = 120, *, noise: float = 0.5, far: float = 0.0):
    """Two columns of which the label is the difference, and the truth for all."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 6)).astype(np.float32)
    truth = 4.0 * X[:, 0] - 3.0 * X[:, 1] + noise * rng.normal(size=n) + far
    y = np.full(n, np.nan)
    y[:n_labels] = truth[:n_labels]
    return pool_of(X, y, 0, kind=Kind.NUMBER, blocks=((Block.NUMBERS, 6),)), truth


def test_says_numbers_close_to_those_of_tasks_it_never_saw():
    pool, truth = numbers_pool()
    said, _ = LEARNER.fit(pool).model.predict_number(pool.X)
    rest = slice(120, None)
    errors = said[rest] - truth[rest]
    assert 1 - np.square(errors).sum() / np.square(truth[rest] - truth[rest].mean()).sum() > 0.9


def test_nineteen_of_twenty_lie_within_two_deviations():
    pool, truth = numbers_pool(600, 100)
    said, spread = LEARNER.fit(pool).model.predict_number(pool.X)
    within = np.abs(truth - said)[100:] < 1.96 * spread[100:]
    assert 0.9 < within.mean() < 0.99


def test_less_noise_is_more_confidence():
    confidences = []
    for noise in (0.1, 5.0, 100.0):
        pool, _ = numbers_pool(noise=noise)
        opinion = LEARNER.fit(pool).model.predict(pool.X)
        confidences.append(np.mean([v.confidence for v in opinion.verdicts(np.arange(200))]))
    assert confidences[0] > 0.7 > confidences[1] > confidences[2]


def test_answers_stay_near_the_range_of_the_labels():
    pool, _ = numbers_pool()
    y = pool.y[pool.labeled]
    model = LEARNER.fit(pool).model
    said, _ = model.predict_number(pool.X * 1000)
    room = np.ptp(y) / 4
    assert said.min() >= y.min() - room
    assert said.max() <= y.max() + room


def test_numbers_far_from_zero_are_told_apart():
    pool, truth = numbers_pool(far=1.7e9)
    said, _ = LEARNER.fit(pool).model.predict_number(pool.X)
    assert np.corrcoef(said[120:], truth[120:])[0, 1] > 0.9


def test_is_a_ridge_regression_on_scaled_rows():
    pool, _ = numbers_pool()
    model = LEARNER.fit(pool).model
    rows = model.linear.scaling.apply(pool.X)
    known = pool.labeled
    fits = [Ridge(alpha).fit(rows[known], pool.y[known]) for alpha in number.STRENGTHS]
    off = [np.abs(fit.predict(rows) - model.linear(pool.X)[:, 0] - model.intercepts[0]).max()
           for fit in fits]  # fmt: skip
    assert min(off) < 0.01


def test_noise_asks_for_a_stronger_penalty():
    sizes = []
    for noise in (0.1, 20.0):
        pool, _ = numbers_pool(noise=noise)
        coef = LEARNER.fit(pool).model.linear.coef[0]
        sizes.append(np.linalg.norm(coef) / np.nanstd(pool.y))
    assert sizes[1] < sizes[0]


def test_twins_do_not_make_the_penalty_weak():
    # What says nothing is best held back, and a task's twin must not vote for it.
    rng = np.random.default_rng(0)
    X = np.repeat(rng.normal(size=(30, 80)), 2, axis=0).astype(np.float32)
    y = np.repeat(rng.normal(size=30), 2)
    found = LEARNER.fit(pool_of(X, y, 0, kind=Kind.NUMBER))
    said, _ = found.model.predict_number(X)
    assert np.std(said) < 0.7 * np.std(y)
    assert not found.useful


def test_many_labels_are_sampled_for_the_penalty(monkeypatch):
    pool, truth = numbers_pool(400, 300)
    monkeypatch.setattr(number, "SAMPLE", 40)
    found = LEARNER.fit(pool)
    assert found.chosen.n == 300
    said, _ = found.model.predict_number(pool.X)
    assert np.corrcoef(said[300:], truth[300:])[0, 1] > 0.9


@pytest.mark.parametrize("labels", [[], [1.0] * 4, [1.0, 2.0, 3.0, 4.0], [3.0] * 9])
def test_needs_five_numbers_that_differ(labels):
    pool, _ = numbers_pool()
    y = np.full(200, np.nan)
    y[: len(labels)] = labels
    pool = pool_of(pool.X, y, 0, kind=Kind.NUMBER)
    with pytest.raises(NotEnoughLabels, match=f"{len(labels)} labels; a model needs 5"):
        loop.fit(pool)


def test_five_labels_of_one_question_have_no_figures():
    X = np.ones((10, 3), dtype=np.float32)
    y = np.full(10, np.nan)
    y[:5] = [1, 2, 3, 4, 5]
    found = LEARNER.fit(pool_of(X, y, 0, kind=Kind.NUMBER, blocks=((Block.NUMBERS, 3),)))
    assert (found.chosen, found.out_of_fold, found.useful) == (None, None, False)
    said, spread = found.model.predict_number(X)
    np.testing.assert_allclose(said, 3)
    np.testing.assert_allclose(spread, np.std([1, 2, 3, 4, 5]))


@pytest.mark.parametrize(
    "change", [{"noise": np.asarray(-1.0)}, {"low": np.asarray(1e9)}, {"high": np.asarray(-1e9)}]
)
def test_arrays_of_no_model_are_refused(change):
    pool, _ = numbers_pool()
    arrays = LEARNER.fit(pool).model.to_arrays()
    with pytest.raises(InvalidInput, match="not one for a number; fit it again"):
        LEARNER.restore(arrays | change, ())
