from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn import metrics

from active_learning.errors import InvalidInput
from active_learning.evaluation import wilson
from active_learning.figures import (
    BIN_LABELS,
    WORST,
    class_figures,
    number_figures,
    reliability,
    sequence_figures,
    set_figures,
)
from active_learning.types import UNLABELED

ABC = ("a", "b", "c")


# One class a task


def test_classes_by_hand():
    proba = np.array([[0.8, 0.2, 0.0], [0.4, 0.6, 0.0], [0.3, 0.7, 0.0], [1.0, 0.0, 0.0]])
    found = class_figures("chosen", np.array([0, 0, 1, 1]), proba, ABC)
    assert (found.basis, found.n, found.value) == ("chosen", 4, 0.5)
    assert (found.low, found.high) == wilson(2, 4)
    assert (found.measure, found.baseline) == ("accuracy", 0.5)
    assert found.recall == {"a": 0.5, "b": 0.5}
    assert found.support == {"a": 2, "b": 2, "c": 0}
    assert np.isfinite(found.log_loss)
    three = class_figures("chosen", np.array([0, 0, 1]), proba[:3], ABC)
    assert three.log_loss == pytest.approx(-np.log([0.8, 0.4, 0.7]).mean())
    assert three.baseline == pytest.approx(2 / 3)


@given(st.integers(1, 60), st.integers(0, 99))
def test_classes_agree_with_scikit_learn(n, seed):
    rng = np.random.default_rng(seed)
    y, proba = rng.integers(3, size=n), rng.dirichlet(np.ones(3), size=n)
    found = class_figures("chosen", y, proba, ABC)
    said = proba.argmax(axis=1)
    assert found.value == pytest.approx(metrics.accuracy_score(y, said))
    assert found.log_loss == pytest.approx(metrics.log_loss(y, proba, labels=[0, 1, 2]))
    seen = sorted(set(y.tolist()))
    recalls = metrics.recall_score(y, said, labels=seen, average=None)
    assert found.recall == pytest.approx(dict(zip([ABC[k] for k in seen], recalls, strict=True)))
    assert found.low <= found.value <= found.high


@given(st.integers(1, 60), st.integers(0, 99))
def test_confusion_agrees_with_scikit_learn_and_leaves_out_what_never_came(n, seed):
    rng = np.random.default_rng(seed)
    y, proba = rng.integers(3, size=n), rng.dirichlet(np.ones(3), size=n)
    found = class_figures("chosen", y, proba, ABC).confusion
    matrix = metrics.confusion_matrix(y, proba.argmax(axis=1), labels=[0, 1, 2])
    assert [[found.get(a, {}).get(b, 0) for b in ABC] for a in ABC] == matrix.tolist()
    assert all(count for row in found.values() for count in row.values())


def test_a_rare_class_is_counted_and_has_its_recall():
    y = np.array([0] * 58 + [1, 2])
    proba = np.tile([0.9, 0.05, 0.04, 0.01], (60, 1))
    proba[59] = [0.1, 0.1, 0.7, 0.1]
    for basis in ("audit", "chosen"):
        found = class_figures(basis, y, proba, (*ABC, "d"))
        assert found.support == {"a": 58, "b": 1, "c": 1, "d": 0}
        assert found.recall == {"a": 1, "b": 0, "c": 1}


@pytest.mark.parametrize(("basis", "n", "told"), [
    ("audit", 99, False), ("audit", 100, True), ("chosen", 500, False),
])  # fmt: skip
def test_calibration_is_told_of_a_uniform_sample_that_is_large_enough(basis, n, told):
    y = np.arange(n) % 2
    found = class_figures(basis, y, np.tile([0.7, 0.3], (n, 1)), ABC[:2])
    assert (found.calibration_error is not None) == told
    if told:
        assert found.calibration_error == pytest.approx(0.2)
    assert len(found.reliability) == (5 if told else 0)


@given(st.integers(1, 400), st.integers(0, 2**32 - 1))
def test_reliability_counts_every_answer_once_by_rising_confidence(n, seed):
    rng = np.random.default_rng(seed)
    told, right = rng.random(n), rng.random(n) < 0.5
    bins = reliability(told, right)
    assert sum(each.n for each in bins) == n
    assert sum(each.n * each.right for each in bins) == pytest.approx(right.sum())
    assert sum(each.n * each.confidence for each in bins) == pytest.approx(told.sum())
    assert [each.confidence for each in bins] == sorted(each.confidence for each in bins)
    assert all(each.low <= each.right <= each.high for each in bins)
    assert n < 2 * BIN_LABELS or min(each.n for each in bins) >= BIN_LABELS


def test_only_of_a_uniform_sample_each_answer_is_kept():
    proba = np.array([[0.8, 0.2, 0.0], [0.4, 0.6, 0.0]])
    y, Y = np.array([0, 0]), np.array([[1, 0, 0], [1, 1, 0]], dtype=np.int8)
    assert class_figures("audit", y, proba, ABC).of_task == (1, 0)
    assert class_figures("chosen", y, proba, ABC).of_task == ()
    assert set_figures("audit", Y, proba, ABC).of_task == pytest.approx((1, 2 / 3))
    assert number_figures("audit", np.array([1.0, 4.0]), np.array([3.0, 4.0])).of_task == (-2, 0)
    units = np.array([[0.1, 0.9], [0.9, 0.1], [0.9, 0.1]])
    starts = np.array([0, 2, 3])
    found = sequence_figures("audit", np.array([1, 1, 0]), units, starts, ("a",))
    assert found.of_task == pytest.approx((2 / 3, 1))


# Any number of classes a task


def test_sets_by_hand():
    Y = np.array([[1, 0, 0], [1, 0, 0], [0, 1, 1], [0, 0, 0]], dtype=np.int8)
    proba = np.array([[0.9, 0.1, 0.2], [0.5, 0.5, 0.4], [0.2, 0.3, 0.8], [0.1, 0.1, 0.1]])
    found = set_figures("audit", Y, proba, ABC)
    # Right; {a, b} for {a}; {c} for {b, c}; nothing for nothing.
    f1 = [1, 2 / 3, 2 / 3, 1]
    assert found.value == pytest.approx(np.mean(f1))
    assert (found.low, found.high) == wilson(sum(f1), 4)
    # Always {a}: right twice, else nothing in common.
    assert found.baseline == 0.5
    assert found.recall == {"a": 1, "b": 0, "c": 1}
    assert found.support == {"a": 2, "b": 1, "c": 1}
    of_truth = np.where(Y == 1, proba, 1 - proba)
    assert found.log_loss == pytest.approx(-np.log(of_truth).mean())
    assert (found.basis, found.n, found.measure) == ("audit", 4, "F1 of a task")


@given(st.integers(1, 40), st.integers(0, 99))
def test_sets_agree_with_scikit_learn(n, seed):
    rng = np.random.default_rng(seed)
    Y, proba = rng.integers(2, size=(n, 3)).astype(np.int8), rng.random((n, 3))
    found = set_figures("chosen", Y, proba, ABC)
    said = (proba >= 0.5).astype(int)
    theirs = metrics.f1_score(Y, said, average="samples", zero_division=1)
    assert found.value == pytest.approx(theirs)
    recalls = metrics.recall_score(Y, said, average=None, zero_division=0)
    assert found.recall == pytest.approx(
        {name: recalls[k] for k, name in enumerate(ABC) if Y[:, k].any()}
    )
    each = [metrics.log_loss(Y[:, k], proba[:, k], labels=[0, 1]) for k in range(3)]
    assert found.log_loss == pytest.approx(np.mean(each))
    assert found.low <= found.value <= found.high
    assert 0 <= found.baseline <= 1


def test_nothing_chosen_and_nothing_said_is_right():
    found = set_figures("chosen", np.zeros((3, 2)), np.full((3, 2), 0.1), ("a", "b"))
    assert (found.value, found.baseline, found.recall) == (1, 1, {})


# A number a task


def test_numbers_by_hand():
    y, said = np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 2.0, 3.0, 3.0])
    found = number_figures("chosen", y, said)
    assert found.value == pytest.approx(1 - 1 / 5)
    assert (found.measure, found.baseline, found.log_loss) == ("R²", 0.0, None)
    assert (found.recall, found.support) == ({}, {})
    assert found.low < found.value < found.high == 1


def test_the_mean_explains_nothing_and_the_truth_all():
    y = np.arange(50.0)
    nothing = number_figures("chosen", y, np.full(50, y.mean()))
    assert nothing.value == pytest.approx(0)
    everything = number_figures("chosen", y, y)
    assert (everything.low, everything.value, everything.high) == (1, 1, 1)


NUMBERS = st.integers(2, 30).flatmap(
    lambda n: st.tuples(*[hnp.arrays(np.float64, n, elements=st.floats(-1e9, 1e9))] * 2)
)


@given(NUMBERS)
@example((np.array([2.2e-156, 0.0]), np.ones(2)))
def test_numbers_agree_with_scikit_learn(pair):
    y, said = pair
    found = number_figures("chosen", y, said)
    assert np.isfinite([found.low, found.value, found.high]).all()
    assert found.low <= found.value <= found.high <= 1
    if np.ptp(y) > 1e-3 * np.abs(y).max():
        # Beside almost no variance scikit-learn's own division overflows, to minus infinity.
        with np.errstate(over="ignore"):
            expected = metrics.r2_score(y, said)
        assert found.value == pytest.approx(max(expected, WORST))


@pytest.mark.parametrize("number", [0.0, 0.1, -3e8])
def test_labels_that_are_all_the_same(number):
    y = np.full(30, number)
    assert number_figures("audit", y, y).value == 1
    off = number_figures("audit", y, y + 1 + abs(number))
    assert (off.low, off.value, off.high) == (0, 0, 0)


def test_the_interval_of_numbers_holds_what_more_of_them_say():
    rng = np.random.default_rng(0)
    noise, inside = 0.7, 0
    for _ in range(60):
        y = rng.normal(size=80)
        found = number_figures("audit", y + noise * rng.normal(size=80), y)
        inside += found.low <= 1 - noise**2 / (1 + noise**2) <= found.high
    assert inside >= 52


# A class, or none, a unit


def test_units_by_hand():
    y = np.array([0, 0, 1, UNLABELED, 2, 1])
    starts = np.array([0, 3, 3, 6])
    said = np.eye(3)[[0, 1, 1, 0, 2, 1]]
    found = sequence_figures("audit", y, said, starts, ("a", "b"))
    # Of the first task one a is right and one too many; of the third both known units are right.
    assert found.value == pytest.approx((2 / 3 + 1) / 2)
    assert (found.low, found.high) == wilson(2 / 3 + 1, 2)
    assert (found.n, found.measure) == (2, "F1 of units")
    # Always outside, which is as frequent as a: nothing found of what has a class.
    assert found.baseline == 0
    assert found.recall == {"a": 1, "b": 1}
    assert found.support == {"a": 2, "b": 1}


@given(st.lists(st.integers(0, 5), min_size=1, max_size=10), st.integers(0, 99))
def test_units_of_one_task_agree_with_scikit_learn(counts, seed):
    rng = np.random.default_rng(seed)
    starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    y = rng.integers(3, size=starts[-1])
    proba = rng.dirichlet(np.ones(3), size=starts[-1])
    if not len(y):
        with pytest.raises(InvalidInput, match="0 labels"):
            sequence_figures("chosen", y, proba, starts, ("a", "b"))
        return
    found = sequence_figures("chosen", y, proba, starts, ("a", "b"))
    each = [
        metrics.f1_score(
            y[a:b], proba[a:b].argmax(axis=1), labels=[1, 2], average="micro", zero_division=1.0
        )
        for a, b in pairwise(starts)
        if b > a
    ]
    assert found.n == len(each)
    assert found.value == pytest.approx(np.mean(each))
    assert found.low <= found.value <= found.high
    assert 0 <= found.baseline <= 1


def test_units_outside_of_everything_are_no_merit():
    y = np.array([0, 0, 0, 1, 0, 0, 0])
    starts = np.array([0, 4, 7])
    nothing = sequence_figures("chosen", y, np.eye(2)[np.zeros(7, np.int64)], starts, ("a",))
    # The task without any class is right all the same.
    assert (nothing.value, nothing.baseline) == (0.5, 0.5)
    everything = sequence_figures("chosen", y, np.eye(2)[y], starts, ("a",))
    assert everything.value == 1


def test_units_without_any_label():
    with pytest.raises(InvalidInput, match="none of 2 units has a label"):
        sequence_figures("chosen", np.full(2, UNLABELED), np.eye(2), np.array([0, 2]), ("a",))


@pytest.mark.parametrize(
    "judge",
    [
        lambda n, k: class_figures("audit", np.zeros(n, dtype=int), np.ones((n, k)), ("a", "b")),
        lambda n, k: set_figures("audit", np.zeros((n, 2)), np.ones((n, k)), ("a", "b")),
        lambda n, k: number_figures("audit", np.zeros(n), np.zeros(n + k - 2)),
        lambda n, k: sequence_figures(
            "audit", np.zeros(n, dtype=int), np.ones((n, k)), np.array([0, n]), ("a",)
        ),
    ],
)
def test_figures_refuse_nothing_and_misfits(judge):
    with pytest.raises(InvalidInput, match="0 labels"):
        judge(0, 2)
    with pytest.raises(InvalidInput, match="4 labels; answers should be"):
        judge(4, 3)
    assert judge(4, 2).n in (1, 4)
