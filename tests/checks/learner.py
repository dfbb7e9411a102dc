"""What every learner must do: fitted on a pool, its model is one as the loop expects."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_matrix, issparse

from active_learning import loop
from active_learning.errors import InvalidInput, NotEnoughLabels
from active_learning.outcomes import Fit, Model, Opinion, Verdict
from active_learning.protocols import Learner
from active_learning.types import UNLABELED, Answer, Features, Ints, Kind, Pool, Units

Check = Callable[[Learner, Pool], None]


def yield_checks() -> Iterator[Check]:
    yield check_one_verdict_a_task
    yield check_verdicts_of_the_asked_rows_in_their_order
    yield check_shares_stand_behind_the_answer
    yield check_questions_are_distributions
    yield check_rows_do_not_depend_on_each_other
    yield check_deterministic
    yield check_pool_is_unchanged
    yield check_learns_its_own_labels
    yield check_empty_rows_and_no_rows
    yield check_arrays_round_trip
    yield check_refuses_other_features
    yield check_refuses_damaged_arrays
    yield check_lacks_exactly_where_fit_refuses
    yield check_figures_are_sane
    yield check_out_of_fold_is_what_the_figures_say
    yield check_estimate_judges_only_the_rows_asked_for
    yield check_nothing_is_remembered_out_of_fold
    yield check_near_duplicates_share_a_fold
    yield check_a_previous_model_changes_nothing
    yield check_declares_itself


# What the checks are made of


@cache
def fit_of(learner: Learner, pool: Pool) -> Fit:
    return learner.fit(pool)


def fitted(learner: Learner, pool: Pool) -> Model:
    return fit_of(learner, pool).model


def opinion_of(model: Model, pool: Pool) -> Opinion:
    return loop.opine(model, pool, np.arange(len(pool.ids)))


def verdicts_of(model: Model, pool: Pool) -> tuple[Verdict, ...]:
    rows = np.arange(len(pool.ids))
    return loop.opine(model, pool, rows).verdicts(rows)


def units_of(pool: Pool, row: int) -> slice:
    assert pool.units is not None
    return slice(int(pool.units.starts[row]), int(pool.units.starts[row + 1]))


def answer_in(pool: Pool, row: int) -> Answer:
    """What the annotator said of a labelled task."""
    if pool.kind is Kind.SINGLE:
        return pool.classes[pool.y[row]]
    if pool.kind is Kind.MULTIPLE:
        return frozenset(pool.classes[index] for index in np.flatnonzero(pool.y[row] == 1))
    if pool.kind is Kind.NUMBER:
        return float(pool.y[row])
    names = (None, *pool.classes)
    return tuple(names[label] for label in pool.y[units_of(pool, row)])


def labels_of(pool: Pool, rows: Ints) -> Pool:
    """The same tasks with the labels of some rows only."""
    nothing = np.nan if pool.kind is Kind.NUMBER else UNLABELED
    y = np.full_like(pool.y, nothing)
    if pool.units is None:
        y[rows] = pool.y[rows]
    else:
        for row in rows:
            y[units_of(pool, row)] = pool.y[units_of(pool, row)]
    return replace(pool, y=y)


def tasks_of(pool: Pool, rows: Ints) -> Pool:
    """A pool of some of the tasks, which may come more than once."""
    per_task = {name: getattr(pool, name)[rows] for name in ("X", "serving", "resolved", "u")} | {
        "ids": np.arange(len(rows))
    }
    if pool.units is None:
        return replace(pool, y=pool.y[rows], **per_task)
    units, starts = pool.units.of(rows)
    return replace(pool, y=pool.y[units], units=Units(pool.units.X[units], starts), **per_task)


def one_hot(like: Features, n: int) -> Features:
    """Features that tell every row from every other and nothing else, as wide as may be needed."""
    X = np.eye(n, max(n, like.shape[1]), dtype=np.float32)
    return csr_matrix(X) if issparse(like) else X


def meaningless(pool: Pool, n_tasks: int = 40, seed: int = 0) -> Pool:
    """Labelled tasks whose features can be remembered and mean nothing."""
    rng = np.random.default_rng(seed)
    pool = tasks_of(pool, rng.permutation(pool.labeled)[:n_tasks])
    n = len(pool.ids)
    units = pool.units
    if units is not None:
        units = Units(one_hot(units.X, units.X.shape[0]), units.starts)
    shuffled = pool.y[rng.permutation(len(pool.y))]
    X = one_hot(pool.X, n)
    kinds = [kind for kind, _ in pool.blocks]
    widths = [*(width for _, width in pool.blocks[:-1]), X.shape[1]]
    widths[-1] -= sum(widths[:-1])
    blocks = tuple(zip(kinds, widths, strict=True)) if kinds else ()
    return replace(pool, X=X, y=shuffled, units=units, blocks=blocks)


def assert_alike(first: tuple[Verdict, ...], second: tuple[Verdict, ...], off: float) -> None:
    assert len(first) == len(second)
    for one, other in zip(first, second, strict=True):
        assert one.confidence == pytest.approx(other.confidence, abs=off)
        assert one.shares == pytest.approx(other.shares, abs=off)
        if isinstance(one.answer, float):
            assert one.answer == pytest.approx(other.answer, rel=off)


# What a model says


def check_one_verdict_a_task(learner: Learner, pool: Pool) -> None:
    verdicts = verdicts_of(fitted(learner, pool), pool)
    assert len(verdicts) == len(pool.ids)
    for row, verdict in enumerate(verdicts):
        assert 0 <= verdict.confidence <= 1
        assert all(0 <= share <= 1 for share in verdict.shares)
        numbers = (verdict.confidence, *verdict.shares)
        # A result is JSON: numpy's numbers are not.
        assert {type(number) for number in numbers} == {float}
        assert type(verdict.answer) is type(answer_in(pool, int(pool.labeled[0])))
        if pool.kind is Kind.SINGLE:
            assert verdict.answer in pool.classes
        elif isinstance(verdict.answer, frozenset):
            assert verdict.answer <= set(pool.classes)
        elif isinstance(verdict.answer, float):
            assert np.isfinite(verdict.answer)
        elif isinstance(verdict.answer, tuple):
            units = units_of(pool, row)
            assert len(verdict.answer) == units.stop - units.start
            assert set(verdict.answer) <= {None, *pool.classes}


def check_verdicts_of_the_asked_rows_in_their_order(learner: Learner, pool: Pool) -> None:
    opinion = opinion_of(fitted(learner, pool), pool)
    rows = np.array([7, 3, 3, 0])
    every = opinion.verdicts(np.arange(len(pool.ids)))
    assert opinion.verdicts(rows) == tuple(every[row] for row in rows)
    assert opinion.verdicts(rows[:0]) == ()


def check_shares_stand_behind_the_answer(learner: Learner, pool: Pool) -> None:
    for row, verdict in enumerate(verdicts_of(fitted(learner, pool), pool)):
        if pool.kind is Kind.SINGLE:
            assert verdict.shares == (verdict.confidence,)
        elif pool.kind is Kind.MULTIPLE:
            shares = dict(zip(pool.classes, verdict.shares, strict=True))
            assert verdict.answer == {name for name, share in shares.items() if share >= 0.5}
            assert verdict.confidence == min(max(s, 1 - s) for s in verdict.shares)
        elif pool.kind is Kind.NUMBER:
            assert verdict.shares == ()
        else:
            units = units_of(pool, row)
            assert len(verdict.shares) == units.stop - units.start
            assert verdict.confidence == min(verdict.shares, default=0.0)


def check_questions_are_distributions(learner: Learner, pool: Pool) -> None:
    opinion = opinion_of(fitted(learner, pool), pool)
    n = len(pool.ids)
    if pool.kind is Kind.NUMBER:
        assert (opinion.questions, opinion.starts) == (None, None)
        return
    assert opinion.questions is not None
    assert (opinion.questions >= 0).all()
    np.testing.assert_allclose(opinion.questions.sum(axis=1), 1, atol=1e-6)
    starts = np.arange(n + 1) if opinion.starts is None else opinion.starts
    assert len(starts) == n + 1
    assert (starts[0], starts[-1]) == (0, len(opinion.questions))
    expected = {
        Kind.SINGLE: np.ones(n),
        Kind.MULTIPLE: np.full(n, len(pool.classes)),
        Kind.SEQUENCE: np.diff(pool.units.starts) if pool.units else None,
    }
    np.testing.assert_array_equal(np.diff(starts), expected[pool.kind])


def check_rows_do_not_depend_on_each_other(learner: Learner, pool: Pool) -> None:
    model = fitted(learner, pool)
    alone = tuple(
        loop.opine(model, pool, np.array([row])).verdicts(np.array([0]))[0] for row in range(15)
    )
    assert_alike(verdicts_of(model, pool)[:15], alone, 1e-5)


def check_deterministic(learner: Learner, pool: Pool) -> None:
    first, second = learner.fit(pool, seed=5), learner.fit(pool, seed=5)
    assert verdicts_of(first.model, pool) == verdicts_of(second.model, pool)
    assert first.chosen == second.chosen


def check_pool_is_unchanged(learner: Learner, pool: Pool) -> None:
    matrices = [pool.X] if pool.units is None else [pool.X, pool.units.X]
    arrays: list[Any] = [pool.ids, pool.y, pool.u, pool.serving, pool.resolved]
    for X in matrices:
        arrays += [X.data, X.indices, X.indptr] if issparse(X) else [X]
    for array in arrays:
        array.flags.writeable = False
    fit = learner.fit(pool)
    verdicts_of(fit.model, pool)
    learner.estimate(pool, pool.labeled[:30], model=fit.model, seed=0)


def check_learns_its_own_labels(learner: Learner, pool: Pool) -> None:
    verdicts = verdicts_of(fitted(learner, pool), pool)
    pairs = [(verdicts[row].answer, answer_in(pool, int(row))) for row in pool.labeled]
    if pool.kind is Kind.NUMBER:
        said, truth = np.array(pairs, dtype=np.float64).T
        assert np.corrcoef(said, truth)[0, 1] > 0.9
    else:
        assert np.mean([said == truth for said, truth in pairs]) > 0.9


def check_empty_rows_and_no_rows(learner: Learner, pool: Pool) -> None:
    model = fitted(learner, pool)
    empty = replace(pool, X=pool.X * 0)
    if pool.units is not None:
        empty = replace(empty, units=Units(pool.units.X * 0, pool.units.starts))
    assert all(np.isfinite(verdict.confidence) for verdict in verdicts_of(model, empty))
    nobody = loop.opine(model, pool, np.arange(0))
    assert nobody.verdicts(np.arange(0)) == ()
    assert nobody.questions is None or len(nobody.questions) == 0


# What is kept


def check_arrays_round_trip(learner: Learner, pool: Pool) -> None:
    model = fitted(learner, pool)
    arrays = model.to_arrays()
    assert all(array.dtype.kind in "iuf" for array in arrays.values())
    again = learner.restore(arrays, pool.classes)
    assert again.classes == model.classes == pool.classes
    assert verdicts_of(again, pool) == verdicts_of(model, pool)


def check_refuses_other_features(learner: Learner, pool: Pool) -> None:
    model = fitted(learner, pool)
    X, starts = (pool.X, None) if pool.units is None else (pool.units.X, pool.units.starts)
    with pytest.raises(InvalidInput, match="columns"):
        model.predict(X[:, :-1], starts)
    broken = X.copy()
    (broken.data if issparse(broken) else broken[0])[0] = np.nan
    with pytest.raises(InvalidInput, match="NaN"):
        model.predict(broken, starts)


def check_refuses_damaged_arrays(learner: Learner, pool: Pool) -> None:
    arrays = fitted(learner, pool).to_arrays()
    for name, array in arrays.items():
        damaged = [array.astype(np.complex128), array[None], array * np.float32("nan")]
        if array.ndim:
            damaged += [array[:-1], array[:0], np.concatenate([array, array[-1:]])]
        for other in damaged:
            with pytest.raises(InvalidInput, match="fit it again"):
                learner.restore(arrays | {name: other}, pool.classes)
        missing = {other: arrays[other] for other in arrays if other != name}
        with pytest.raises(InvalidInput, match="fit it again"):
            learner.restore(missing, pool.classes)
    others = ("a",) if pool.kind in (Kind.NUMBER, Kind.SINGLE, Kind.SEQUENCE) else pool.classes[1:]
    with pytest.raises(InvalidInput, match="fit it again"):
        learner.restore(arrays, others)


# What there is to learn from


def check_lacks_exactly_where_fit_refuses(learner: Learner, pool: Pool) -> None:
    first = pool.labeled[0]
    subsets = [pool.labeled[:n] for n in range(8)]
    cases = [labels_of(pool, rows) for rows in subsets]
    # One answer over and over tells nothing apart.
    cases.append(tasks_of(labels_of(pool, pool.labeled[:1]), np.array([first] * 6)))
    lacking = []
    for case in cases:
        lacking.append(learner.lacks(case))
        if lacking[-1]:
            with pytest.raises(NotEnoughLabels, match="labels"):
                loop.fit(case)
        else:
            verdicts_of(loop.fit(case).model, case)
    assert lacking[0]
    assert not lacking[-2]
    assert lacking[-1] or pool.kind is Kind.SEQUENCE


def check_figures_are_sane(learner: Learner, pool: Pool) -> None:
    fit = fit_of(learner, pool)
    chosen = fit.chosen
    assert chosen is not None
    assert (chosen.basis, chosen.n) == ("chosen", len(pool.labeled))
    assert chosen.baseline < chosen.low <= chosen.value <= chosen.high <= 1
    assert fit.useful
    assert chosen.measure
    assert chosen.log_loss is None or 0 < chosen.log_loss < 1
    assert set(chosen.recall) <= set(pool.classes)


def check_out_of_fold_is_what_the_figures_say(learner: Learner, pool: Pool) -> None:
    fit = fit_of(learner, pool)
    assert fit.chosen is not None
    assert fit.out_of_fold is not None
    if pool.kind is Kind.SINGLE:
        right = fit.out_of_fold.argmax(axis=1) == pool.y[pool.labeled]
        assert fit.chosen.value == pytest.approx(right.mean())
    elif pool.kind is Kind.NUMBER:
        y = pool.y[pool.labeled]
        error = np.square(y - fit.out_of_fold).sum()
        assert fit.chosen.value == pytest.approx(1 - error / np.square(y - y.mean()).sum())
    elif pool.units is not None:
        units, _ = pool.units.of(pool.labeled)
        assert len(fit.out_of_fold) == len(units)
    else:
        assert fit.out_of_fold.shape == (len(pool.labeled), len(pool.classes))


def check_estimate_judges_only_the_rows_asked_for(learner: Learner, pool: Pool) -> None:
    rows = pool.labeled[5:35]
    figures = learner.estimate(pool, rows, model=fitted(learner, pool), seed=0)
    assert figures is not None
    assert (figures.basis, figures.n) == ("audit", 30)
    assert figures.low <= figures.value <= figures.high
    assert figures.value > figures.baseline
    # Labels of other tasks only teach: no model sees an audit label and is judged by it.
    others = replace(pool, y=pool.y.copy())
    alone = learner.estimate(labels_of(others, rows), rows, model=None, seed=0)
    assert alone is None or alone.n == 30


def check_nothing_is_remembered_out_of_fold(learner: Learner, pool: Pool) -> None:
    pool = meaningless(pool)
    fit = learner.fit(pool)
    assert fit.chosen is not None
    assert not fit.useful
    assert fit.chosen.value < fit.chosen.baseline + 0.2
    found = learner.estimate(pool, pool.labeled, model=fit.model, seed=0)
    assert found is not None
    assert found.value < found.baseline + 0.2


def check_near_duplicates_share_a_fold(learner: Learner, pool: Pool) -> None:
    few = meaningless(pool, n_tasks=20)
    pool = tasks_of(few, np.repeat(np.arange(20), 3))
    pool = replace(pool, u=np.arange(60, dtype=np.uint64))
    fit = learner.fit(pool)
    assert fit.chosen is None or not fit.useful


def check_a_previous_model_changes_nothing(learner: Learner, pool: Pool) -> None:
    older = fitted(learner, labels_of(pool, pool.labeled[:-10]))
    fresh = fit_of(learner, pool)
    warm = learner.fit(pool, previous=older)
    assert_alike(verdicts_of(fresh.model, pool), verdicts_of(warm.model, pool), 0.01)
    other = next(iter(NOTHING_LIKE_IT))
    assert_alike(
        verdicts_of(fresh.model, pool),
        verdicts_of(learner.fit(pool, previous=other).model, pool),
        1e-9,
    )


def check_declares_itself(learner: Learner, pool: Pool) -> None:
    assert learner.name
    assert learner.kind is pool.kind
    assert "References" in (type(learner).__doc__ or "")
    assert isinstance(fit_of(learner, pool), Fit)


class _Foreign:
    """A model of some other learner."""

    classes = ()

    def predict(self, X: Features, starts: Ints | None = None) -> Opinion:
        raise AssertionError("asked for its opinion")

    def to_arrays(self) -> dict[str, Any]:
        return {}


NOTHING_LIKE_IT: tuple[Model, ...] = (_Foreign(),)
