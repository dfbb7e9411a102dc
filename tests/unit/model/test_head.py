import numpy as np
import pytest
from scipy.special import softmax

from active_learning.learners.head import C, choose_folds, fit_head, out_of_fold

from .synthetic import dense_blobs


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


def test_out_of_fold_rows_are_not_seen():
    X, y = dense_blobs(40, 2)
    fold_of = np.arange(40) % 4
    logits, n_train = out_of_fold(X, y, fold_of, 2)
    wrong = y.copy()
    wrong[fold_of == 1] = 1 - wrong[fold_of == 1]
    others, _ = out_of_fold(X, wrong, fold_of, 2)
    np.testing.assert_array_equal(logits[fold_of == 1], others[fold_of == 1])
    assert not np.array_equal(logits[fold_of == 2], others[fold_of == 2])
    assert n_train.tolist() == [30] * 40


def test_teachers_are_never_left_out():
    X, y = dense_blobs(40, 2)
    fold_of = np.where(np.arange(40) < 30, -1, np.arange(40) % 2)
    logits, n_train = out_of_fold(X, y, fold_of, 2)
    assert logits.shape == (10, 2)
    assert n_train.tolist() == [35] * 10


def test_fewer_folds_or_none_where_classes_are_too_small():
    keys = np.arange(40, dtype=np.uint64)
    y = np.arange(40) % 2
    assert set(choose_folds(keys, y, 5, 0)) == set(range(5))
    lonely = np.array([0] * 39 + [1])
    assert choose_folds(keys, lonely, 5, 0) is None
    assert choose_folds(keys, lonely, 5, 0, teachers=np.array([1])) is not None
    one_group = np.zeros(40, dtype=np.uint64)
    assert choose_folds(one_group, y, 5, 0) is None
