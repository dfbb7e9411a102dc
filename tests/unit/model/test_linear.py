import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from active_learning import features
from active_learning.errors import InvalidInput
from active_learning.learners.basis import make_basis
from active_learning.learners.linear import Linear, ascending_below, checked
from active_learning.scaling import fit_scaling

from .synthetic import FORMS, shaped


def some_linear(form: str, seed: int = 0, n: int = 60):
    X, _, blocks = shaped(form, n, seed=seed)
    scaling = fit_scaling(X, blocks)
    rng = np.random.default_rng(seed)
    columns = np.flatnonzero(rng.random(scaling.width) < 0.5).astype(np.int32)
    coef = rng.normal(size=(3, len(columns))).astype(np.float32)
    return X, Linear(scaling, columns, coef)


@pytest.mark.parametrize("form", FORMS)
def test_is_the_product_of_scaled_rows_and_coefficients(form):
    X, linear = some_linear(form)
    scaled = linear.scaling.apply(X)
    scaled = scaled.toarray() if form in ("counts", "joined") else scaled
    expected = scaled[:, linear.columns] @ linear.coef.T
    np.testing.assert_allclose(linear(X), expected, atol=1e-5)


@settings(max_examples=20)
@given(st.sampled_from(FORMS), st.integers(1, 30), st.integers(1, 2000))
def test_blocks_do_not_matter(form, block_rows, block_values):
    X, linear = some_linear(form)
    whole = linear(X)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(features, "BLOCK_ROWS", block_rows)
        patch.setattr(features, "BLOCK_VALUES", block_values)
        np.testing.assert_allclose(linear(X), whole, atol=1e-5)


def test_a_column_without_a_coefficient_counts_for_the_length_of_a_row():
    X = csr_matrix(np.array([[1, 0], [1, 3]], dtype=np.float32))
    scaling = fit_scaling(X)
    linear = Linear(scaling, np.array([0], dtype=np.int32), np.ones((1, 1), dtype=np.float32))
    alone, beside = linear(X).ravel()
    assert alone == pytest.approx(1)
    assert beside < 0.5


def test_coefficients_of_other_columns():
    X, linear = some_linear("counts")
    every = linear.coef_on(np.arange(X.shape[1], dtype=np.int32))
    np.testing.assert_array_equal(every[:, linear.columns], linear.coef)
    others = np.setdiff1d(np.arange(X.shape[1]), linear.columns)
    assert (every[:, others] == 0).all()


def test_a_start_says_the_same_in_another_basis():
    X, linear = some_linear("counts")
    rows = linear.scaling.apply(X)[:20]
    basis = make_basis(rows, gram_rows=20)
    start = linear.start_in(basis, X.shape[1])
    np.testing.assert_allclose(basis.rows @ start.T, linear(X)[:20], atol=1e-2)
    assert linear.start_in(basis, X.shape[1] + 1) is None


@pytest.mark.parametrize("form", FORMS)
def test_survives_a_file(tmp_path, form):
    X, linear = some_linear(form)
    np.savez_compressed(tmp_path / "model.npz", **linear.to_arrays())
    with np.load(tmp_path / "model.npz", allow_pickle=False) as arrays:
        again = Linear.from_arrays(dict(arrays), 3)
    np.testing.assert_array_equal(linear(X), again(X))


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("columns", lambda a: a + 10**6),
        ("columns", lambda a: a[::-1]),
        ("columns", lambda a: a - a[0] - 1),
        ("columns", lambda a: a[:-1]),
        ("columns", lambda a: a[:0]),
        ("coef", lambda a: a[:-1]),
        ("coef", lambda a: a[:, :-1]),
        ("coef", lambda a: a * np.inf),
        ("ends", lambda a: a - 1),
        ("kinds", lambda a: a + 7),
    ],
)
def test_arrays_that_do_not_fit_together_are_refused(name, change):
    _, linear = some_linear("counts")
    arrays = linear.to_arrays()
    with pytest.raises(InvalidInput, match="fit it again"):
        Linear.from_arrays(arrays | {name: change(arrays[name])}, 3)
    with pytest.raises(InvalidInput, match="fit it again"):
        Linear.from_arrays(arrays, 4)


def test_checked_says_what_it_got():
    with pytest.raises(InvalidInput, match=r"no array 'seen'"):
        checked({}, "seen", "i", 1)
    with pytest.raises(InvalidInput, match=r"'seen' .* kind 'i' and 1-d; got float64 \(2,\)"):
        checked({"seen": np.zeros(2)}, "seen", "i", 1)
    with pytest.raises(InvalidInput, match="finite"):
        checked({"c": np.asarray(np.inf)}, "c", "f", 0)


@pytest.mark.parametrize(
    ("numbers", "limit", "good"),
    [([0, 2], 3, True), ([0, 2], 2, False), ([2, 0], 3, False), ([1, 1], 3, False),
     ([-1, 1], 3, False), ([], 3, False)],
)  # fmt: skip
def test_ascending_below(numbers, limit, good):
    assert ascending_below(np.array(numbers, dtype=np.int64), limit) is good
