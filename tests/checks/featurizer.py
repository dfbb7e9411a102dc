"""What every featurizer must do, whatever it reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from scipy.sparse import issparse

from active_learning.protocols import Featurizer
from active_learning.types import Features

Check = Callable[[Featurizer, Sequence[Any]], None]

BROKEN: Sequence[Any] = (None, "", "  \n\t", 7, -0.5, True, [], {}, ["a"], b"bytes", object())


def dense(X: Features) -> Any:
    return X.toarray() if issparse(X) else X


def yield_checks() -> Iterator[Check]:
    yield check_one_float32_row_a_value
    yield check_no_values
    yield check_deterministic_in_any_batch
    yield check_broken_values_cost_only_themselves
    yield check_rows_are_finite
    yield check_rows_tell_values_apart
    yield check_declares_itself


def check_one_float32_row_a_value(featurizer: Featurizer, values: Sequence[Any]) -> None:
    X = featurizer.transform(values)
    assert X.shape == (len(values), featurizer.n_features)
    assert X.dtype == np.float32


def check_no_values(featurizer: Featurizer, values: Sequence[Any]) -> None:
    X = featurizer.transform([])
    assert X.shape == (0, featurizer.n_features)
    assert X.dtype == np.float32


def check_deterministic_in_any_batch(featurizer: Featurizer, values: Sequence[Any]) -> None:
    together = dense(featurizer.transform(values))
    for row, value in enumerate(values):
        alone = dense(type(featurizer)().transform([value]))
        np.testing.assert_array_equal(together[row], alone[0])


def check_broken_values_cost_only_themselves(featurizer: Featurizer, values: Sequence[Any]) -> None:
    mixed = [item for value in values for item in (value, *BROKEN)]
    X = dense(featurizer.transform(mixed))
    assert np.isfinite(X).all()
    np.testing.assert_array_equal(X[:: len(BROKEN) + 1], dense(featurizer.transform(values)))


def check_rows_are_finite(featurizer: Featurizer, values: Sequence[Any]) -> None:
    assert np.isfinite(dense(featurizer.transform(values))).all()


def check_rows_tell_values_apart(featurizer: Featurizer, values: Sequence[Any]) -> None:
    rows = dense(featurizer.transform(values))
    assert len({row.tobytes() for row in rows}) == len(values)


def check_declares_itself(featurizer: Featurizer, values: Sequence[Any]) -> None:
    assert featurizer.name
    assert featurizer.version >= 1
    assert featurizer.object_tags
