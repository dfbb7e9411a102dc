import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from active_learning.curves import Arrival, area, labels_to, mean_ratio, ratio
from active_learning.errors import InvalidInput

figures = st.lists(st.floats(0.1, 10), min_size=2, max_size=12)


def test_area_is_the_mean_height():
    assert area([10, 20, 40], [0.5, 0.5, 0.5]) == pytest.approx(0.5)
    assert area([0, 10, 30], [0.0, 1.0, 1.0]) == pytest.approx(5 / 6)
    assert area([10], [0.7]) == 0.7


def test_arrival_is_where_the_curve_is_first_good_enough():
    assert labels_to([10, 20, 30, 40], [0.5, 0.9, 0.8, 0.95], 0.9) == Arrival(20)
    assert labels_to([10, 20, 30], [0.5, 0.7, 0.9], 0.8) == (pytest.approx(25), False)
    assert labels_to([10, 20], [0.5, 0.7], 0.4) == Arrival(10)
    assert labels_to([10, 20], [0.5, 0.6], 0.9) == Arrival(20, censored=True)


@pytest.mark.parametrize(("labels", "scores"), [([], []), ([1, 2], [0.5]), ([2, 1], [0.5, 0.6])])
def test_what_is_no_curve(labels, scores):
    with pytest.raises(InvalidInput, match="ascending"):
        area(labels, scores)
    with pytest.raises(InvalidInput, match="ascending"):
        labels_to(labels, scores, 0.5)


@given(figures)
def test_a_ratio_to_itself_is_one(run):
    assert ratio(run, run) == pytest.approx((1, 1, 1))


@given(figures, st.floats(0.1, 10))
def test_a_constant_factor_is_found_exactly(run, factor):
    found = ratio([factor * each for each in run], run)
    assert found == pytest.approx((factor, factor, factor))


@given(figures)
def test_the_value_lies_within_and_turns_round(run):
    other = [each + 1 for each in run]
    found, back = ratio(run, other), ratio(other, run)
    assert found.low <= found.value <= found.high
    assert back.value == pytest.approx(1 / found.value)


def test_of_one_run_nothing_is_known():
    assert ratio([1.0], [2.0]) == (0.5, 0.0, float("inf"))


def test_each_set_counts_alike_whatever_its_seeds():
    found = mean_ratio([[2.0] * 3, [0.5] * 30], [[1.0] * 3, [1.0] * 30])
    assert found.value == pytest.approx(1.0)


def coverage(compare, draws=600):
    rng = np.random.default_rng(0)
    found = [compare(rng) for _ in range(draws)]
    return np.mean([each.low <= 0.8 <= each.high for each in found])


def pairs(rng, n, noise=0.2):
    hard = rng.lognormal(0, 1, size=n)
    a, b = (hard * rng.lognormal(0, noise, size=n) for _ in range(2))
    return 0.8 * a, b


@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_the_interval_covers_the_true_ratio(seeds):
    assert 0.93 <= coverage(lambda rng: ratio(*pairs(rng, seeds))) <= 0.97


def test_the_interval_of_several_sets_covers_the_true_ratio():
    def compare(rng):
        runs = [pairs(rng, n, noise) for n, noise in ((3, 0.1), (5, 0.3), (10, 0.2))]
        return mean_ratio(*zip(*runs, strict=True))

    assert 0.92 <= coverage(compare) <= 0.98


def test_the_interval_is_that_of_student():
    found = ratio(np.exp([1.0, 2.0, 3.0]), np.ones(3))
    # 4.303 is the quantile for two degrees of freedom.
    half = 4.303 / np.sqrt(3)
    assert np.log(found) == pytest.approx([2, 2 - half, 2 + half], abs=1e-3)


@pytest.mark.parametrize(
    ("ours", "theirs", "reason"),
    [
        ([1, 2], [1], "pairs"),
        ([], [], "pairs"),
        ([1, 0], [1, 1], "positive"),
        ([np.nan], [1], "positive"),
    ],
)
def test_what_cannot_be_compared(ours, theirs, reason):
    with pytest.raises(InvalidInput, match=reason):
        ratio(ours, theirs)


def test_nothing_to_compare():
    with pytest.raises(InvalidInput, match="nothing"):
        mean_ratio([], [])
