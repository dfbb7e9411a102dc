import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from active_learning.errors import InvalidInput, Unreadable
from active_learning.featurizers.table import (
    MAX_DEPTH,
    MAX_FIELDS,
    NumberFeaturizer,
    TableFeaturizer,
    as_number,
)
from active_learning.featurizers.vector import VectorFeaturizer
from tests.checks import featurizer as checks

TABLES = (
    {"age": 31, "income": 52_000.5, "city": "Rome", "member": True, "note": None},
    {"age": 0, "income": 0.0},
    {"Card number": 18799210, "First name": "Sample", "Last name": "Text"},
    {"nested": {"deeper": [1, {"x": "y"}]}},
    '{"as": "JSON text"}',
    b'{"as": "a file"}',
    [1, "two", 3.0],
)


def vectors_of_three():
    return VectorFeaturizer({"length": "3"})


CASES = [
    pytest.param(make, values, check, id=f"{name}-{check.__name__}")
    for name, make, values in (
        ("table", TableFeaturizer, TABLES),
        ("number", NumberFeaturizer, (0, -1.5, "3e2", 10**30)),
        ("vector", vectors_of_three, ([1, 2, 3], [0.0, -1.0, 0.5], (0, 0, 1e-3))),
    )
    for check in checks.yield_checks()
]


@pytest.mark.parametrize(("make", "values", "check"), CASES)
def test_featurizer(make, values, check):
    check(make, values)


# Tables


def rows(*tables):
    featurizer = TableFeaturizer()
    return featurizer.transform([featurizer.parse(table) for table in tables])


def test_the_order_and_the_company_of_fields_do_not_matter():
    both, other, one, two = rows({"a": 1, "b": "x"}, {"b": "x", "a": 1}, {"a": 1}, {"b": "x"})
    np.testing.assert_array_equal(both, other)
    np.testing.assert_allclose(both[1:], one[1:] + two[1:])


def test_a_number_fills_its_value_and_its_magnitude():
    (row,) = rows({"a": -100.0})
    found = np.abs(row[1:][row[1:] != 0])
    np.testing.assert_allclose(np.sort(found), [math.asinh(100), 100], rtol=1e-6)


def test_numbers_that_come_as_text_are_numbers():
    number, text, code = rows({"a": 42.5}, {"a": " 42.5 "}, {"a": "042"})
    np.testing.assert_array_equal(number, text)
    assert not np.array_equal(number, code)


def test_missing_differs_from_zero_and_all_ways_to_be_missing_are_one():
    zero, *missing = rows({"a": 0}, {"a": None}, {"a": ""}, {"a": " "}, {"a": math.nan})
    for row in missing:
        np.testing.assert_array_equal(row, missing[0])
    assert not np.array_equal(zero, missing[0])


def test_categories_are_told_apart_and_ignore_case():
    red, shouted, blue, elsewhere = rows({"a": "red"}, {"a": "RED "}, {"a": "blue"}, {"b": "red"})
    np.testing.assert_array_equal(red, shouted)
    assert len({row.tobytes() for row in (red, blue, elsewhere)}) == 3


def test_phrases_share_their_words():
    one, other, apart = rows({"a": "slow train"}, {"a": "train late"}, {"a": "good food"})
    assert one[1:] @ other[1:] == pytest.approx(1)
    assert one[1:] @ apart[1:] == pytest.approx(0)


def test_fifty_fields_hardly_collide():
    each = rows(*({f"field {place}": 1.0} for place in range(50)))[:, 1:]
    together = rows({f"field {place}": 1.0 for place in range(50)})[0, 1:]
    np.testing.assert_allclose(together, each.sum(axis=0), rtol=1e-5)
    # Every field has some column that is its own: a linear head can tell it from all others.
    used = each != 0
    assert (used & (used.sum(axis=0) == 1)).any(axis=1).all()


def test_nested_fields_have_names_of_their_own():
    nested, flat = rows({"a": {"b": 1, "c": ["x"]}}, {"a.b": 1, "a.c.0": "x"})
    np.testing.assert_array_equal(nested, flat)


def test_a_huge_table_is_read_up_to_its_limit():
    fields = TableFeaturizer().parse({str(place): place for place in range(10 * MAX_FIELDS)})
    assert len(fields) == MAX_FIELDS


def test_what_is_nested_too_deep_is_passed_over():
    value = 7
    for _ in range(MAX_DEPTH + 1):
        value = {"in": value}
    assert TableFeaturizer().parse({"top": 1, "deep": value}) == (("top", 1.0),)


@pytest.mark.parametrize(
    "value", [None, 7, "words", "[", b"\xff", {}, [], "[" * 100_000, {"a": {}}]
)
def test_what_is_no_table(value):
    with pytest.raises(Unreadable):
        TableFeaturizer().parse(value)


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(), max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.lists(ANY, max_size=3))
def test_any_table(values):
    featurizer = TableFeaturizer()
    parsed = [one for value in values for one in checks.readable(featurizer, value)]
    X = featurizer.transform(parsed)
    assert np.isfinite(X).all()
    assert np.isfinite(np.square(X)).all()
    assert (X[:, 0] == 1).all()


@given(st.dictionaries(st.text(max_size=5), st.floats() | st.text(max_size=5), min_size=1))
def test_a_table_and_its_json_are_the_same(table):
    one, other = rows(table, json.dumps(table))
    np.testing.assert_array_equal(one, other)


# Numbers


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (7, 7.0), (-0.5, -0.5), (" +1.5e3 ", 1500.0), (".5", 0.5), ("5.", 5.0), ("0", 0.0),
        ("007", None), ("1,5", None), ("", None), (".", None), ("e5", None), ("nan", None),
        ("१२", None), (True, None), (None, None), (math.inf, None), (10**400, 1e18), (-1e30, -1e18),
        ("1e999", None), ([1], None),
    ],
)  # fmt: skip
def test_what_is_a_number(value, number):
    assert as_number(value) == number


def test_a_number_of_its_own():
    featurizer = NumberFeaturizer()
    X = featurizer.transform([featurizer.parse(value) for value in (3, "3", 0)])
    np.testing.assert_allclose(X, [[1, 3, math.asinh(3)]] * 2 + [[1, 0, 0]], rtol=1e-6)
    with pytest.raises(Unreadable, match="number"):
        featurizer.parse("three")


# Vectors


def test_a_vector_is_taken_as_it_is():
    featurizer = VectorFeaturizer({"length": "3"})
    X = featurizer.transform([featurizer.parse([1, -2.5, 0])])
    np.testing.assert_array_equal(X, np.array([[1, -2.5, 0]], dtype=np.float32))


def test_another_length_is_named_beside_the_known_one():
    with pytest.raises(Unreadable, match=r"2 numbers.*3"):
        vectors_of_three().parse([1, 2])


@pytest.mark.parametrize(
    "value",
    [None, "1 2 3", [1, 2, "3"], [1, 2, None], [[1, 2, 3]], [1, True, 2], [1, 2, math.nan],
     [1, 2, math.inf], [1, 2, 10**400], [0, 0, 0.0], [1e-60, 0, 0], {"a": 1}],
)  # fmt: skip
def test_what_is_no_vector(value):
    with pytest.raises(Unreadable, match="vector"):
        vectors_of_three().parse(value)


@pytest.mark.parametrize("length", ["", "0", "-3", "three", "1.5"])
def test_the_length_must_be_known(length):
    with pytest.raises(InvalidInput, match="length"):
        VectorFeaturizer({"length": length})


@given(st.lists(st.integers() | st.floats(), min_size=3, max_size=3))
def test_any_vector(value):
    featurizer = vectors_of_three()
    for parsed in checks.readable(featurizer, value):
        X = featurizer.transform([parsed])
        assert X.any()
        assert np.isfinite(np.square(X)).all()
