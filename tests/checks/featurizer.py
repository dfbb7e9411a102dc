"""What every featurizer, and everything that cuts a value into units, must do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from scipy.sparse import issparse

from active_learning.errors import Unreadable
from active_learning.protocols import Featurizer, UnitFeaturizer
from active_learning.types import Block, Features

Check = Callable[[Callable[[], Featurizer], Sequence[Any]], None]
"""Takes what makes a featurizer, its class for most, and values that it reads."""

UnitCheck = Callable[[Callable[[], UnitFeaturizer], Sequence[Any]], None]

BROKEN: Sequence[Any] = (
    None, "", "  \n\t", 7, -0.5, float("nan"), float("inf"), True, [], [None], {}, {"a": {}},
    ["a"], [[1], "b"], b"", b"bytes", "\ud800", object(),
)  # fmt: skip
"""What a task may hold where the label config promised something else."""


def dense(X: Features) -> Any:
    return X.toarray() if issparse(X) else X


def yield_checks() -> Iterator[Check]:
    yield check_one_float32_row_a_value
    yield check_no_values
    yield check_deterministic_in_any_batch
    yield check_broken_values_cost_only_themselves
    yield check_readable_values_have_features
    yield check_rows_tell_values_apart
    yield check_declares_itself


def yield_unit_checks() -> Iterator[UnitCheck]:
    yield check_a_float32_row_and_a_place_a_unit
    yield check_places_follow_each_other
    yield check_cut_is_deterministic
    yield check_broken_values_are_unreadable_or_cut
    yield check_cutter_declares_itself


def rows_of(featurizer: Featurizer, values: Sequence[Any]) -> Features:
    return featurizer.transform([featurizer.parse(value) for value in values])


def readable(featurizer: Featurizer | UnitFeaturizer, value: Any) -> list[Any]:
    """What `parse` makes of a value: one thing, or nothing and a good reason."""
    try:
        return [featurizer.parse(value)]
    except Unreadable as error:
        reason = str(error)
        assert reason
        # It stands in a log and beside the task: short, and without what the task holds.
        assert len(reason) < 200
        assert "\n" not in reason
        assert not isinstance(value, str) or len(value.strip()) < 2 or value not in reason
        return []


# One row a value


def check_one_float32_row_a_value(make: Callable[[], Featurizer], values: Sequence[Any]) -> None:
    featurizer = make()
    X = rows_of(featurizer, values)
    assert X.shape == (len(values), featurizer.n_features)
    assert X.dtype == np.float32
    assert issparse(X) == (featurizer.block is Block.COUNTS)
    if featurizer.block is Block.COUNTS:
        assert X.format == "csr"
        assert (X.data > 0).all()


def check_no_values(make: Callable[[], Featurizer], values: Sequence[Any]) -> None:
    featurizer = make()
    X = featurizer.transform([])
    assert X.shape == (0, featurizer.n_features)
    assert X.dtype == np.float32
    assert issparse(X) == (featurizer.block is Block.COUNTS)


def check_deterministic_in_any_batch(make: Callable[[], Featurizer], values: Sequence[Any]) -> None:
    together = dense(rows_of(make(), values))
    backwards = dense(rows_of(make(), values[::-1]))
    np.testing.assert_allclose(together, backwards[::-1], rtol=1e-5, atol=1e-5)
    for row, value in enumerate(values):
        alone = dense(rows_of(make(), [value]))
        np.testing.assert_allclose(together[row], alone[0], rtol=1e-5, atol=1e-5)


def check_broken_values_cost_only_themselves(
    make: Callable[[], Featurizer], values: Sequence[Any]
) -> None:
    featurizer = make()
    parsed: list[Any] = []
    places = []
    for value in values:
        places.append(len(parsed))
        parsed.append(featurizer.parse(value))
        for broken in BROKEN:
            parsed += readable(featurizer, broken)
    X = dense(featurizer.transform(parsed))
    assert np.isfinite(X).all()
    np.testing.assert_allclose(X[places], dense(rows_of(featurizer, values)), rtol=1e-5, atol=1e-5)


def check_readable_values_have_features(
    make: Callable[[], Featurizer], values: Sequence[Any]
) -> None:
    X = dense(rows_of(make(), values))
    assert np.isfinite(X).all()
    # A row of zeros is how a task looks that could not be read.
    assert X.any(axis=1).all()


def check_rows_tell_values_apart(make: Callable[[], Featurizer], values: Sequence[Any]) -> None:
    rows = dense(rows_of(make(), values))
    assert len({row.tobytes() for row in rows}) == len(values)


def check_declares_itself(make: Callable[[], Featurizer], values: Sequence[Any]) -> None:
    featurizer = make()
    _check_declaration(featurizer)
    assert isinstance(featurizer.object_tags, tuple)
    assert featurizer.block in Block


# A row a unit


def check_a_float32_row_and_a_place_a_unit(
    make: Callable[[], UnitFeaturizer], values: Sequence[Any]
) -> None:
    cutter = make()
    for value in values:
        X, places = cutter.cut(cutter.parse(value))
        assert X.shape == (len(places), cutter.n_features)
        assert X.dtype == np.float32
        assert issparse(X) == cutter.sparse
        assert np.isfinite(X.data if issparse(X) else X).all()


def check_places_follow_each_other(
    make: Callable[[], UnitFeaturizer], values: Sequence[Any]
) -> None:
    cutter = make()
    for value in values:
        _, places = cutter.cut(cutter.parse(value))
        assert all(start < end for start, end in places)
        assert all(one[1] <= other[0] for one, other in pairwise(places))


def check_cut_is_deterministic(make: Callable[[], UnitFeaturizer], values: Sequence[Any]) -> None:
    one, other = make(), make()
    for value in values:
        X, places = one.cut(one.parse(value))
        Y, others = other.cut(other.parse(value))
        np.testing.assert_array_equal(dense(X), dense(Y))
        assert places == others


def check_broken_values_are_unreadable_or_cut(
    make: Callable[[], UnitFeaturizer], values: Sequence[Any]
) -> None:
    cutter = make()
    for broken in BROKEN:
        for parsed in readable(cutter, broken):
            X, places = cutter.cut(parsed)
            assert X.shape == (len(places), cutter.n_features)


def check_cutter_declares_itself(make: Callable[[], UnitFeaturizer], values: Sequence[Any]) -> None:
    cutter = make()
    _check_declaration(cutter)
    assert cutter.unit_tags
    assert isinstance(cutter.sparse, bool)


def _check_declaration(featurizer: Featurizer | UnitFeaturizer) -> None:
    assert featurizer.name
    assert featurizer.version >= 1
    assert isinstance(featurizer.media, bool)
    assert featurizer.n_features > 0
