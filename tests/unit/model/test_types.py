from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from active_learning.errors import InvalidInput
from active_learning.types import UNLABELED, Kind, Pool, Serving, Units

from .synthetic import learnable, pool_of

COUNTS = st.lists(st.integers(0, 4), max_size=12)


def units_of(counts) -> Units:
    starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    X = np.arange(starts[-1], dtype=np.float32)[:, None]
    return Units(X, starts)


@given(COUNTS, st.data())
def test_units_of_tasks_are_those_between_their_starts(counts, data):
    units = units_of(counts)
    task = st.integers(0, len(counts) - 1) if counts else st.nothing()
    tasks = np.array(data.draw(st.lists(task)), dtype=np.int64)
    rows, starts = units.of(tasks)
    expected = [list(range(units.starts[t], units.starts[t + 1])) for t in tasks]
    found = [rows[a:b].tolist() for a, b in pairwise(starts)]
    assert found == expected
    assert rows.dtype == starts.dtype == np.int64


def test_units_by_hand():
    rows, starts = units_of([2, 0, 3]).of(np.array([2, 1, 0, 2]))
    assert rows.tolist() == [2, 3, 4, 0, 1, 2, 3, 4]
    assert starts.tolist() == [0, 3, 3, 5, 8]


@given(COUNTS, st.data())
def test_a_task_with_one_labelled_unit_is_labelled(counts, data):
    units = units_of(counts)
    u = int(units.starts[-1])
    y = np.array(data.draw(st.lists(st.sampled_from([UNLABELED, 0, 1]), min_size=u, max_size=u)))
    X = np.ones((len(counts), 1), dtype=np.float32)
    pool = pool_of(X, y.astype(np.int64), 1, kind=Kind.SEQUENCE, units=units)
    expected = [
        task
        for task in range(len(counts))
        if (y[units.starts[task] : units.starts[task + 1]] != UNLABELED).any()
    ]
    assert pool.labeled.tolist() == expected


@pytest.mark.parametrize("kind", Kind)
def test_who_is_labelled(kind):
    pool = learnable(kind, "vector", n_labels=20)
    known = np.sort(np.random.default_rng(0).permutation(120)[:20])
    if pool.units is not None:
        known = known[np.diff(pool.units.starts)[known] > 0]
    assert pool.labeled.tolist() == known.tolist()
    assert (pool.serving[known] == Serving.NO).all()


def test_an_empty_set_of_classes_is_a_label():
    Y = np.array([[0, 0], [UNLABELED, UNLABELED]], dtype=np.int8)
    assert pool_of(np.ones((2, 1)), Y, 2, kind=Kind.MULTIPLE).labeled.tolist() == [0]


@pytest.mark.parametrize("name", ["X", "y", "serving", "resolved", "u", "ids"])
def test_arrays_that_do_not_fit_together_are_no_pool(name):
    pool = learnable(Kind.SINGLE, "vector")
    with pytest.raises(InvalidInput, match="arrays of other lengths"):
        replace(pool, **{name: getattr(pool, name)[:-1]})


def test_units_that_do_not_fit_are_no_pool():
    pool = learnable(Kind.SEQUENCE, "vector")
    with pytest.raises(InvalidInput, match="arrays of other lengths"):
        replace(pool, units=Units(pool.units.X, pool.units.starts[:-1]))
    with pytest.raises(InvalidInput, match="units have"):
        replace(pool, y=pool.y[:-1])
    assert isinstance(replace(pool), Pool)
