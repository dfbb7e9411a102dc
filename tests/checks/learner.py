"""What every learner must do: fitted on a pool, it is a model as the loop expects."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from active_learning import loop
from active_learning.errors import InvalidInput
from active_learning.outcomes import Model
from active_learning.types import Pool

Check = Callable[[Callable[[Pool], Model], Pool], None]


def yield_checks() -> Iterator[Check]:
    yield check_rows_are_distributions
    yield check_blocks_do_not_matter
    yield check_deterministic
    yield check_pool_is_unchanged
    yield check_learns
    yield check_empty_rows_and_no_rows
    yield check_weighed_rows_have_unit_length
    yield check_arrays_round_trip
    yield check_refuses_other_widths
    yield check_refuses_damaged_arrays


def check_rows_are_distributions(fit: Callable[[Pool], Model], pool: Pool) -> None:
    proba = fit(pool).predict_proba(pool.X)
    assert proba.shape == (len(pool.ids), len(pool.classes))
    assert (proba > 0).all()
    np.testing.assert_allclose(proba.sum(axis=1), 1, atol=1e-9)


def check_blocks_do_not_matter(fit: Callable[[Pool], Model], pool: Pool) -> None:
    model = fit(pool)
    one_by_one = np.vstack([model.predict_proba(pool.X[[row]]) for row in range(20)])
    np.testing.assert_allclose(model.predict_proba(pool.X)[:20], one_by_one, atol=1e-6)


def check_deterministic(fit: Callable[[Pool], Model], pool: Pool) -> None:
    first, second = fit(pool), fit(pool)
    np.testing.assert_array_equal(first.predict_proba(pool.X), second.predict_proba(pool.X))


def check_pool_is_unchanged(fit: Callable[[Pool], Model], pool: Pool) -> None:
    before = pool.X.copy(), pool.y.copy()
    fit(pool).weigh(pool.X)
    assert abs(pool.X - before[0]).max() == 0
    np.testing.assert_array_equal(pool.y, before[1])


def check_learns(fit: Callable[[Pool], Model], pool: Pool) -> None:
    labeled = pool.labeled
    answers = fit(pool).predict_proba(pool.X[labeled]).argmax(axis=1)
    assert (answers == pool.y[labeled]).mean() > 0.9


def check_empty_rows_and_no_rows(fit: Callable[[Pool], Model], pool: Pool) -> None:
    model = fit(pool)
    empty = model.predict_proba(pool.X[:2] * 0)
    np.testing.assert_allclose(empty.sum(axis=1), 1)
    assert model.predict_proba(pool.X[:0]).shape == (0, len(pool.classes))


def check_weighed_rows_have_unit_length(fit: Callable[[Pool], Model], pool: Pool) -> None:
    weighed = fit(pool).weigh(pool.X)
    squares = weighed.multiply(weighed) if hasattr(weighed, "multiply") else weighed**2
    lengths = np.sqrt(np.asarray(squares.sum(axis=1))).ravel()
    np.testing.assert_allclose(lengths[lengths > 0], 1, atol=1e-5)


def check_arrays_round_trip(fit: Callable[[Pool], Model], pool: Pool) -> None:
    model = fit(pool)
    arrays = model.to_arrays()
    assert all(array.dtype.kind in "iuf" for array in arrays.values())
    again = loop.restore(arrays, pool.classes)
    np.testing.assert_array_equal(model.predict_proba(pool.X), again.predict_proba(pool.X))


def check_refuses_other_widths(fit: Callable[[Pool], Model], pool: Pool) -> None:
    with pytest.raises(InvalidInput, match="columns"):
        fit(pool).predict_proba(pool.X[:, :-1])


def check_refuses_damaged_arrays(fit: Callable[[Pool], Model], pool: Pool) -> None:
    arrays = fit(pool).to_arrays()
    for name, array in arrays.items():
        for damaged in (array.astype(np.complex128), array[None], array * np.float32("nan")):
            with pytest.raises(InvalidInput, match="fit it again"):
                loop.restore(arrays | {name: damaged}, pool.classes)
        missing = {other: arrays[other] for other in arrays if other != name}
        with pytest.raises(InvalidInput, match="fit it again"):
            loop.restore(missing, pool.classes)
    with pytest.raises(InvalidInput, match="fit it again"):
        loop.restore(arrays, pool.classes[:1])
