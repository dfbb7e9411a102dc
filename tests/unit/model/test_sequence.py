from dataclasses import replace

import numpy as np
import pytest

from active_learning import loop
from active_learning.errors import InvalidInput, NotEnoughLabels
from active_learning.learners.sequence import SequenceLearner
from active_learning.types import OUTSIDE, UNLABELED, Kind, Units

from .synthetic import learnable, pool_of

LEARNER = SequenceLearner()
FOUR = np.arange(4)


def pool_of_units(labels, *, classes: int = 2, seen=None):
    """Tasks of units, each of which looks like its label; `seen` says how it is shown."""
    seen = labels if seen is None else seen
    starts = np.concatenate([[0], np.cumsum([len(row) for row in labels])]).astype(np.int64)
    flat = np.array([label for row in labels for label in row], dtype=np.int64)
    looks = np.array([label for row in seen for label in row], dtype=np.int64)
    rng = np.random.default_rng(0)
    U = rng.normal(size=(len(flat), 8)).astype(np.float32) / 4
    U[np.arange(len(looks)), np.maximum(looks, 0)] += 1
    X = rng.normal(size=(len(labels), 80)).astype(np.float32)
    return pool_of(X, flat, classes, kind=Kind.SEQUENCE, units=Units(U, starts))


def test_answers_are_a_class_or_none_a_unit():
    labels = [[0, 1, 0], [2], [], [0, 0, 2, 2]] * 8
    pool = pool_of_units(labels)
    verdicts = loop.opine(LEARNER.fit(pool).model, pool, FOUR).verdicts(FOUR)
    assert [verdict.answer for verdict in verdicts] == [
        (None, "a", None),
        ("b",),
        (),
        (None, None, "b", "b"),
    ]
    assert verdicts[2].confidence == 0
    assert verdicts[0].confidence == min(verdicts[0].shares)


def test_units_of_the_asked_tasks_only():
    pool = pool_of_units([[0, 1, 0], [2], [], [0, 0, 2, 2]] * 8)
    model = LEARNER.fit(pool).model
    opinion = loop.opine(model, pool, np.array([3, 1]))
    assert opinion.starts.tolist() == [0, 4, 5]
    assert opinion.questions.shape == (5, 3)
    assert opinion.verdicts(np.array([1]))[0].answer == ("b",)


def test_a_unit_without_a_label_teaches_nothing():
    labels = [[0, 1, 0], [2, 0], [0, 0, 2, 2]] * 8
    shown = [[0, 1, UNLABELED], [2, UNLABELED], [UNLABELED, 0, 2, 2]] * 8
    found = LEARNER.fit(pool_of_units(shown, seen=labels))
    pool = pool_of_units(labels)
    verdicts = loop.opine(found.model, pool, FOUR).verdicts(FOUR)
    assert [verdict.answer for verdict in verdicts[:3]] == [
        (None, "a", None),
        ("b", None),
        (None, None, "b", "b"),
    ]
    assert found.chosen.n == 24
    assert found.chosen.value == 1


def test_figures_are_of_tasks_left_out_whole():
    rng = np.random.default_rng(0)
    labels = [rng.integers(0, 3, size=4).tolist() for _ in range(30)]
    pool = pool_of_units(labels)
    # All units of a task look alike, as a name does that a document is full of.
    U = np.zeros((120, 120), dtype=np.float32)
    U[np.arange(120), np.arange(120) // 4] = 1
    constant = np.repeat(rng.integers(0, 3, size=30), 4)
    pool = replace(pool, y=constant, units=Units(U, pool.units.starts))
    found = LEARNER.fit(pool)
    assert not found.useful
    assert found.chosen.value < 0.6


def test_labels_that_were_not_seen_are_not_said():
    pool = pool_of_units([[0, 1], [1, 0, 0]] * 10, classes=4)
    opinion = loop.opine(LEARNER.fit(pool).model, pool, FOUR)
    assert (opinion.questions[:, 2:] == 0).all()


def test_windows_that_all_have_a_label():
    pool = pool_of_units([[1, 2], [2, 1, 1]] * 10)
    found = LEARNER.fit(pool)
    assert loop.opine(found.model, pool, FOUR).verdicts(FOUR)[0].answer == ("a", "b")
    assert (loop.opine(found.model, pool, FOUR).questions[:, OUTSIDE] == 0).all()


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([[UNLABELED, UNLABELED], [UNLABELED]], "0 labelled tasks with 0 labels"),
        ([[0, 1], [UNLABELED]], "1 labelled tasks with 1 labels"),
        ([[0, 0], [0]], "2 labelled tasks with 0 labels"),
    ],
)
def test_needs_two_tasks_and_a_label_and_says_what_there_is(labels, message):
    with pytest.raises(NotEnoughLabels, match=message):
        loop.fit(pool_of_units(labels))


def test_two_tasks_are_a_model_without_figures():
    found = LEARNER.fit(pool_of_units([[0, 1], [0, 0]]))
    assert (found.chosen, found.out_of_fold, found.useful) == (None, None, False)


def test_an_audit_of_one_class_judges_units_in_the_order_of_the_tasks():
    pool = learnable(Kind.SEQUENCE, "counts")
    rows = pool.labeled[::2]
    found = LEARNER.estimate(pool, rows, model=None, seed=0)
    units, _ = pool.units.of(rows)
    support = {name: int((pool.y[units] == i + 1).sum()) for i, name in enumerate(pool.classes)}
    assert found.support == support
    assert found.n == len(rows)
    assert found.value > 0.8


def test_needs_units():
    pool = learnable(Kind.SINGLE, "vector")
    with pytest.raises(InvalidInput, match="needs units"):
        LEARNER.fit(replace(pool, kind=Kind.SEQUENCE))
    sequences = learnable(Kind.SEQUENCE, "vector")
    model = LEARNER.fit(sequences).model
    with pytest.raises(InvalidInput, match="which units belong to which task"):
        model.predict(sequences.units.X)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("seen", lambda a: a + 9),
        ("seen", lambda a: a[::-1]),
        ("intercepts", lambda a: a[:-1]),
        ("transitions", lambda a: a[:, :-1]),
    ],
)
def test_arrays_that_do_not_fit_the_classes_are_refused(name, change):
    pool = learnable(Kind.SEQUENCE, "counts")
    arrays = LEARNER.fit(pool).model.to_arrays()
    with pytest.raises(InvalidInput, match="does not fit 3 classes; fit it again"):
        LEARNER.restore(arrays | {name: change(arrays[name])}, pool.classes)
