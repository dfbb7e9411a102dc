import numpy as np
import pytest
from scipy.special import softmax

from active_learning.calibration import losses_at_best
from active_learning.features import weigh
from active_learning.learners.head import COARSE, fit_head
from active_learning.learners.penalty import C

from .synthetic import dense_blobs, sparse_topics


@pytest.mark.parametrize("classes", [2, 3])
def test_is_the_optimum_of_the_penalised_loss(classes):
    X, y = dense_blobs(80, classes)
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    head = fit_head(X, y)
    assert head.coef.shape == (classes, 16)
    residual = np.eye(classes)[y] - softmax(head.logits(X, classes), axis=1)
    # Where the gradient of the penalty meets that of the loss; two classes share one penalty.
    optimum = C * residual.T @ X / (2 if classes == 2 else 1)
    np.testing.assert_allclose(head.coef, optimum, atol=0.02)
    assert (head.logits(X, classes).argmax(axis=1) == y).mean() > 0.9


@pytest.mark.parametrize("classes", [2, 4])
def test_a_start_saves_steps_and_changes_nothing(classes):
    X, y = dense_blobs(100, classes)
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    start = fit_head(X[:90], y[:90])
    again = fit_head(X, y, start=start)
    np.testing.assert_allclose(
        softmax(again.logits(X, classes), axis=1),
        softmax(fit_head(X, y).logits(X, classes), axis=1),
        atol=2e-3,
    )


def test_classes_without_labels_have_no_logit():
    X, y = dense_blobs(60, 2)
    logits = fit_head(X, y * 2 + 1).logits(X, 5)
    assert np.isneginf(logits[:, [0, 2, 4]]).all()
    assert np.isfinite(logits[:, [1, 3]]).all()


def test_one_class_alone_is_a_head_that_knows_no_other():
    X, _ = dense_blobs(10, 2)
    head = fit_head(X, np.full(10, 3))
    logits = head.logits(X, 5)
    assert (logits[:, 3] == 0).all()
    assert np.isneginf(logits[:, [0, 1, 2, 4]]).all()


def test_a_stronger_penalty_makes_smaller_coefficients():
    X, y = dense_blobs(60, 3)
    sizes = [np.abs(fit_head(X, y, c=c).coef).max() for c in (0.1, 1.0, 10.0)]
    assert sizes == sorted(sizes)


def test_a_coarse_head_judges_like_a_fine_one():
    X, y = sparse_topics(150, noise=0.3)
    rows = weigh(X, np.ones(X.shape[1], dtype=np.float32))
    losses = [
        losses_at_best(fit_head(rows[:100], y[:100], tolerance=t).logits(rows[100:], 3), y[100:])
        for t in (COARSE, 1e-8)
    ]
    assert losses[0].mean() == pytest.approx(losses[1].mean(), rel=0.01)
