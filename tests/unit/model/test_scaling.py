import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.sparse import csr_matrix, issparse

from active_learning import features, scaling
from active_learning.errors import InvalidInput
from active_learning.scaling import REACH, Scaling, fit_scaling, scaling_of
from active_learning.types import Block

from .synthetic import FORMS, learnable, shaped

DENSE = (Block.VECTOR, Block.NUMBERS)


def dense(X):
    return X.toarray() if issparse(X) else X


def lengths(X):
    return np.linalg.norm(dense(X), axis=1)


def table(n: int = 50, seed: int = 0) -> np.ndarray:
    """Columns in units of their own."""
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(n, 4)) * [1, 100, 1e-3, 1e4] + [3, 0, 1, 1e5]).astype(np.float32)


@pytest.mark.parametrize("form", FORMS)
def test_rows_have_unit_length_and_the_input_stays(form):
    X, _, blocks = shaped(form, 40)
    before = X.copy()
    rows = fit_scaling(X, blocks).apply(X)
    np.testing.assert_allclose(lengths(rows), 1, atol=1e-5)
    assert issparse(rows) == issparse(X)
    assert rows.dtype == np.float32
    assert abs(X - before).max() == 0


@pytest.mark.parametrize("form", FORMS)
def test_width_is_that_of_the_rows(form):
    X, _, blocks = shaped(form, 40)
    found = fit_scaling(X, blocks)
    assert found.apply(X).shape == (40, found.width)
    assert found.apply(X[:0]).shape == (0, found.width)


@pytest.mark.parametrize("kind", Block)
def test_unreadable_rows_stay_zero(kind):
    X = table()
    X[[3, 7]] = 0
    found = fit_scaling(X, ((kind, 4),))
    assert np.flatnonzero(lengths(found.apply(X)) == 0).tolist() == [3, 7]


@pytest.mark.parametrize("kind", DENSE)
def test_unreadable_rows_move_no_mean(kind):
    X = table()
    more = np.vstack([X, np.zeros((200, 4), dtype=np.float32)])
    one, other = fit_scaling(X, ((kind, 4),)), fit_scaling(more, ((kind, 4),))
    np.testing.assert_array_equal(one.offsets, other.offsets)
    np.testing.assert_array_equal(one.weights, other.weights)


@pytest.mark.parametrize("kind", DENSE)
def test_units_do_not_matter(kind):
    X = table()
    rows = fit_scaling(X, ((kind, 4),)).apply(X)
    other = X * np.array([7, 1e-2, 1e3, 1], dtype=np.float32)
    np.testing.assert_allclose(rows, fit_scaling(other, ((kind, 4),)).apply(other), atol=1e-3)


def test_standardised_by_hand():
    X = np.array([[1, 10], [3, 30]], dtype=np.float32)
    found = fit_scaling(X, ((Block.VECTOR, 2),))
    assert found.offsets.tolist() == [2, 20]
    assert found.weights.tolist() == pytest.approx([1, 0.1])
    np.testing.assert_allclose(found.apply(X), np.array([[-1, -1], [1, 1]]) / np.sqrt(2))


def test_counts_are_weighed_as_before_there_were_blocks():
    X, _, _ = shaped("counts", 40)
    counts = features.document_frequency(X)
    weights = features.inverse_document_frequency(counts, 40)
    assert abs(fit_scaling(X).apply(X) - features.weigh(X, weights)).max() == 0


def test_numbers_get_an_intercept_as_long_as_the_rest():
    X = table()
    rows = fit_scaling(X, ((Block.NUMBERS, 4),)).apply(X)
    assert rows.shape == (50, 5)
    assert (rows[:, -1] > 0).all()
    assert 0.5 < np.median(rows[:, -1]) < 0.9
    standard = rows[:, :-1] / rows[:, -1:] * 2
    np.testing.assert_allclose(standard, (X - X.mean(axis=0)) / X.std(axis=0), atol=1e-3)


def test_a_row_of_average_numbers_is_readable():
    X = np.array([[1.0], [2.0], [3.0]], dtype=np.float32)
    rows = fit_scaling(X, ((Block.NUMBERS, 1),)).apply(X)
    assert rows[1].tolist() == [0, 1]


@pytest.mark.parametrize("kind", DENSE)
def test_columns_that_never_vary_say_nothing(kind):
    X = table()
    X[:, 1] = 1 / 3
    rows = fit_scaling(X, ((kind, 4),)).apply(X)
    assert (rows[:, 1] == 0).all()
    without = np.delete(X, 1, axis=1)
    other = fit_scaling(without, ((kind, 3),)).apply(without)
    np.testing.assert_allclose(np.delete(rows, 1, axis=1), other, atol=1e-6)


def test_a_table_in_which_nothing_varies_is_readable_all_the_same():
    X = np.full((10, 3), 7, dtype=np.float32)
    numbers = fit_scaling(X, ((Block.NUMBERS, 3),)).apply(X)
    assert (numbers == [0, 0, 0, 1]).all()
    assert (fit_scaling(X, ((Block.VECTOR, 3),)).apply(X) == 0).all()


@pytest.mark.parametrize("kind", DENSE)
def test_one_readable_row_is_taken_as_it_is(kind):
    X = np.zeros((5, 4), dtype=np.float32)
    X[2] = [3, 4, 0, 0]
    rows = fit_scaling(X, ((kind, 4),)).apply(X)
    assert rows[2, 1] / rows[2, 0] == pytest.approx(4 / 3)


def test_a_value_out_of_all_proportion_is_clipped():
    X = np.ones((1000, 2), dtype=np.float32)
    X[:, 0] = np.random.default_rng(0).normal(size=1000)
    X[:, 1] = np.random.default_rng(1).normal(size=1000)
    found = fit_scaling(X, ((Block.NUMBERS, 2),))
    wild = found.apply(np.array([[1e30, 0.1], [-1e30, 0.1]], dtype=np.float32))
    high, low = wild[:, 0] / wild[:, -1] * np.sqrt(2)
    assert (high, low) == (pytest.approx(REACH), pytest.approx(-REACH))


@pytest.mark.parametrize("kind", DENSE)
def test_sparse_and_dense_agree(kind):
    X = table()
    X[X < 0] = 0
    one, other = fit_scaling(X, ((kind, 4),)), fit_scaling(csr_matrix(X), ((kind, 4),))
    np.testing.assert_array_equal(one.weights, other.weights)
    sparse = other.apply(csr_matrix(X))
    assert issparse(sparse)
    np.testing.assert_array_equal(one.apply(X), sparse.toarray())


def test_blocks_side_by_side_weigh_the_same():
    counts, _, _ = shaped("counts", 40)
    vector, _, layout = shaped("vector", 40)
    joined, _, both = shaped("joined", 40)
    rows = fit_scaling(joined, both).apply(joined).toarray()
    alone = fit_scaling(counts).apply(counts).toarray()
    np.testing.assert_allclose(rows[:, : counts.shape[1]], alone / np.sqrt(2), atol=1e-6)
    beside = fit_scaling(vector, layout).apply(vector)
    np.testing.assert_allclose(rows[:, counts.shape[1] :], beside / np.sqrt(2), atol=1e-5)


def test_what_one_block_lacks_the_other_fills():
    joined, _, both = shaped("joined", 40)
    text_only = joined.tolil()
    text_only[0, both[0][1] :] = 0
    rows = fit_scaling(joined, both).apply(text_only.tocsr())
    assert rows[0, both[0][1] :].nnz == 0
    np.testing.assert_allclose(lengths(rows), 1, atol=1e-5)


def test_layouts_that_do_not_add_up():
    with pytest.raises(InvalidInput, match="make 3 columns, there are 4"):
        fit_scaling(table(), ((Block.NUMBERS, 3),))


@pytest.mark.parametrize("form", FORMS)
def test_other_widths_and_broken_values_are_refused(form):
    X, _, blocks = shaped(form, 40)
    found = fit_scaling(X, blocks)
    with pytest.raises(InvalidInput, match="columns; compute them with the featurizer"):
        found.apply(X[:, 1:])
    for bad in (np.nan, np.inf):
        broken = X.copy()
        (broken.data if issparse(broken) else broken[2])[0] = bad
        with pytest.raises(InvalidInput, match="1 rows of features hold NaN"):
            found.apply(broken)
        if form in ("vector", "numbers"):
            with pytest.raises(InvalidInput, match="1 rows of features hold NaN"):
                fit_scaling(broken, blocks)


@pytest.mark.parametrize("form", FORMS)
def test_arrays_round_trip(form):
    X, _, blocks = shaped(form, 40)
    found = fit_scaling(X, blocks)
    again = Scaling.from_arrays(found.to_arrays())
    assert abs(again.apply(X) - found.apply(X)).max() == 0
    assert (again.width, again.only_counts) == (found.width, form == "counts")


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("weights", lambda a: a[:-1]),
        ("weights", lambda a: a.astype(int)),
        ("offsets", lambda a: a[None]),
        ("offsets", lambda a: a + np.nan),
        ("ends", lambda a: a + 1),
        ("ends", lambda a: a[::-1]),
        ("ends", lambda a: a[:0]),
        ("ends", lambda a: np.append(a[-1:], a)),
        ("kinds", lambda a: a - 9),
        ("kinds", lambda a: a + 9),
        ("kinds", lambda a: a[:-1]),
    ],
)
def test_damaged_arrays_are_refused(name, change):
    X, _, blocks = shaped("joined", 40)
    arrays = fit_scaling(X, blocks).to_arrays()
    with pytest.raises(InvalidInput, match="fit it again"):
        Scaling.from_arrays(arrays | {name: change(arrays[name])})
    with pytest.raises(InvalidInput, match=f"no array '{name}'"):
        Scaling.from_arrays({other: arrays[other] for other in arrays if other != name})


def test_large_pools_are_sampled(monkeypatch):
    X = table(400)
    whole = fit_scaling(X, ((Block.NUMBERS, 4),))
    monkeypatch.setattr(scaling, "SAMPLE", 100)
    sampled = fit_scaling(X, ((Block.NUMBERS, 4),))
    np.testing.assert_array_equal(
        sampled.offsets, X[::4].astype(np.float64).mean(axis=0, dtype=np.float64).astype(np.float32)
    )
    np.testing.assert_allclose(sampled.weights, whole.weights, rtol=0.3)


def test_row_blocks_do_not_matter(monkeypatch):
    X, _, blocks = shaped("joined", 40)
    found = fit_scaling(X, blocks)
    whole = found.apply(X)
    monkeypatch.setattr(features, "BLOCK_ROWS", 7)
    assert abs(found.apply(X) - whole).max() == 0


@pytest.mark.parametrize("form", FORMS)
def test_all_tasks_of_a_pool_count(form):
    pool = learnable("single", form)
    by_hand = fit_scaling(pool.X, pool.blocks)
    assert (scaling_of(pool).weights == by_hand.weights).all()
    fewer = fit_scaling(pool.X[:30], pool.blocks)
    assert (fewer.weights != by_hand.weights).any()


@given(
    hnp.arrays(
        np.float32,
        st.tuples(st.integers(0, 8), st.integers(2, 5)),
        elements=st.floats(-1e6, 1e6, width=32),
    ),
    st.lists(st.sampled_from(Block), min_size=2, max_size=2),
    st.integers(1, 4),
    st.booleans(),
)
def test_any_features(X, kinds, width, sparse):
    width = min(width, X.shape[1] - 1)
    X[:, :width] = abs(X[:, :width]) if kinds[0] is Block.COUNTS else X[:, :width]
    blocks = ((kinds[0], width), (kinds[1], X.shape[1] - width))
    given_rows = csr_matrix(X) if sparse else X
    found = fit_scaling(given_rows, blocks)
    rows = dense(found.apply(given_rows))
    assert rows.shape == (len(X), found.width)
    size = lengths(rows)
    np.testing.assert_allclose(size[size > 0], 1, atol=1e-4)
    assert (size[~X.any(axis=1)] == 0).all()
    again = Scaling.from_arrays(found.to_arrays())
    np.testing.assert_array_equal(dense(again.apply(given_rows)), rows)


def test_the_larger_directions_of_an_embedding_count_more():
    rng = np.random.default_rng(0)
    X = (rng.normal(size=(200, 8)) * [8, 4, 2, 1, 1, 1, 1, 1] + 5).astype(np.float32)
    rows = fit_scaling(X, ((Block.EMBEDDING, 8),)).apply(X)
    spread = rows.std(axis=0)
    assert spread[0] > 1.2 * spread[1] > 1.2 * spread[2]
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, rtol=1e-5)
