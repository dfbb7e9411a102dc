import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from active_learning.calibration import fit_temperature, losses_at_best, probabilities

LOGITS = hnp.arrays(
    np.float64, hnp.array_shapes(min_dims=2, max_dims=2, max_side=6),
    elements=st.floats(-1e6, 1e6),
)  # fmt: skip


@given(LOGITS, st.floats(0.02, 50), st.data())
def test_rows_are_distributions_whatever_is_unseen(logits, temperature, data):
    seen = data.draw(hnp.arrays(np.bool_, logits.shape[1]).filter(np.any))
    logits = np.where(seen, logits, -np.inf)
    proba = probabilities(logits, temperature, 5)
    np.testing.assert_allclose(proba.sum(axis=1), 1)
    assert (proba >= 0).all()
    np.testing.assert_allclose(proba[:, ~seen], 1 / (5 + logits.shape[1]))


def test_labels_may_differ_by_row():
    proba = probabilities(np.array([[0.0, -np.inf], [0.0, -np.inf]]), 1.0, np.array([2, 8]))
    np.testing.assert_allclose(proba[:, 1], [1 / 4, 1 / 10])


def overconfident(n: int, factor: float, seed: int = 0):
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(n, 3)) * 1.5
    y = np.array([rng.choice(3, p=row) for row in probabilities(logits, 1.0, n)])
    return logits * factor, y, np.arange(n) % 5


def test_finds_the_temperature_that_made_the_logits():
    assert fit_temperature(*overconfident(3000, 4.0)) == pytest.approx(4.0, rel=0.15)
    assert fit_temperature(*overconfident(3000, 0.3)) == pytest.approx(0.3, rel=0.15)


def test_the_prior_holds_where_there_is_little_to_learn_from():
    certain = np.array([[50.0, 0.0]] * 4)
    held = fit_temperature(certain, np.array([0, 0, 0, 0]), np.array([0, 1, 2, 3]))
    assert 0.5 < held < 2


def test_kept_only_where_it_helps_on_folds_left_out():
    # Sure and right in one fold, sure and wrong in the other: what fits one hurts the other.
    logits, y = np.array([[3.0, 0.0]] * 40), np.repeat([0, 1], 20)
    assert fit_temperature(logits, y, y) == 1.0
    mixed = np.tile([0, 1], 20)
    assert fit_temperature(logits, y, mixed) > 2


def test_unseen_classes_are_left_out():
    logits, y, folds = overconfident(300, 2.0)
    more = np.vstack([logits, [[0.0, 0.0, -np.inf]]])
    with_unseen = fit_temperature(more, np.append(y, 2), np.append(folds, 0))
    assert with_unseen == pytest.approx(fit_temperature(logits, y, folds))


def test_losses_are_those_after_the_best_temperature():
    logits, y, _ = overconfident(2000, 4.0)
    straight = losses_at_best(logits / 4.0, y)
    assert losses_at_best(logits, y).mean() == pytest.approx(straight.mean(), rel=1e-3)
    np.testing.assert_allclose(
        straight, -np.log(probabilities(logits / 4.0, 1.0, 1)[np.arange(2000), y]), rtol=0.2
    )


def test_losses_leave_out_what_the_model_did_not_know():
    logits, y, _ = overconfident(50, 1.0)
    more = np.vstack([[[0.0, 0.0, -np.inf]], logits])
    np.testing.assert_allclose(losses_at_best(more, np.append(2, y)), losses_at_best(logits, y))
    assert losses_at_best(more[:1], np.array([2])).shape == (0,)
