"""A number a task: ridge regression, with a spread from heads that each lack a fold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import Ridge, RidgeCV

from active_learning.errors import InvalidInput
from active_learning.evaluation import near_duplicate_groups
from active_learning.figures import number_figures
from active_learning.learners.linear import Linear, checked
from active_learning.learners.resampling import AUDIT_FOLDS, Labeled
from active_learning.outcomes import Figures, Fit, Model, Opinion, Verdict
from active_learning.types import Features, Floats, Ints, Kind, Labels, Pool

MIN_LABELS = 5

STRENGTHS = np.logspace(-4, 2, 13)
"""Ridge penalties to choose from."""

SAMPLE = 1_000
"""Labels to choose by: it takes the cube of their number, and the right penalty does not move."""


@dataclass(frozen=True, eq=False)
class NumberModel:
    """A linear head for a number, and heads that each lack a fold.

    Attributes
    ----------
    linear : Linear
        The main head first.
    intercepts : (1 + folds,) float64
        In full: numbers may be far from zero and close to each other.
    noise : float
        Standard deviation of a label around what the model says, in units of the labels.
    low, high : float
        Answers stay within a range half as wide again as that of the labels.
    """

    linear: Linear
    intercepts: Floats
    noise: float
    low: float
    high: float

    @property
    def classes(self) -> tuple[str, ...]:
        """Nothing: a number has none."""
        return ()

    def predict_number(self, X: Features) -> tuple[Floats, Floats]:
        """Return ``(m,)`` numbers and their standard deviations."""
        said = self.linear(X) + self.intercepts
        mean, folds = np.clip(said[:, 0], self.low, self.high), said.shape[1] - 1
        # The jackknife: what heads that lack a fold disagree on is what more labels would settle.
        doubt = (folds - 1) * said[:, 1:].var(axis=1) if folds else np.zeros(len(said))
        return mean, np.sqrt(doubt + self.noise**2)

    def predict(self, X: Features, starts: Ints | None = None) -> Opinion:  # noqa: ARG002
        """Judge tasks by features as the featurizer made them."""
        mean, spread = self.predict_number(X)
        width = max(self.high - self.low, np.finfo(np.float64).tiny)

        def verdicts(rows: Ints) -> tuple[Verdict, ...]:
            return tuple(
                # All of the range within two deviations: nothing is known.
                Verdict(float(mean[row]), float(np.clip(1 - 4 * spread[row] / width, 0, 1)))
                for row in rows.tolist()
            )

        return Opinion(verdicts, None, deviations=spread)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return all state."""
        own = {name: np.asarray(getattr(self, name)) for name in ("noise", "low", "high")}
        return {**self.linear.to_arrays(), "intercepts": self.intercepts, **own}


class NumberLearner:
    """Ridge regression; the penalty by leave-one-out error.

    References
    ----------
    Hoerl & Kennard (1970), Ridge regression. Technometrics.
    Golub, Heath & Wahba (1979), Generalized cross-validation as a method for choosing a good ridge
    parameter. Technometrics.
    Shao & Wu (1989), A general theory for jackknife variance estimation. Annals of Statistics.
    """

    name: ClassVar[str] = "number"
    kind: ClassVar[Kind] = Kind.NUMBER

    def lacks(self, pool: Pool) -> str:
        """Say what is missing for a first model."""
        if _enough(pool.y[pool.labeled]):
            return ""
        return f"{len(pool.labeled)} labels; a model needs {MIN_LABELS} that are not all the same"

    def fit(self, pool: Pool, *, previous: Model | None = None, seed: int = 0) -> Fit:  # noqa: ARG002
        """Fit on all labels of a pool, and see how it does on each label left out."""
        data = Labeled.of(pool)
        y, fold_of, strength = data.y, data.folds(seed, enough=_enough), _strength(data)
        chosen, held, heads = None, None, _head(data, np.arange(len(y)), strength)[None]
        if fold_of is not None:
            lacking = _lacking(data, fold_of, strength)
            held = _answers(data, fold_of, lacking)
            chosen = number_figures("chosen", y, held)
            heads = np.vstack([heads, lacking])
        linear = Linear(data.scaling, data.basis.columns, data.basis.lift(heads[:, :-1]))
        noise = np.sqrt(np.mean(np.square(y - (y.mean() if held is None else held))))
        room = (y.max() - y.min()) / 4
        model = NumberModel(
            linear,
            heads[:, -1],
            float(noise),
            float(y.min() - room),
            float(y.max() + room),
        )
        return Fit(model, chosen, held)

    def estimate(self, pool: Pool, rows: Ints, *, model: Model | None, seed: int) -> Figures | None:  # noqa: ARG002
        """Judge labelled `rows`, each by a head fitted on all other labels."""
        data = Labeled.of(pool)
        fold_of = data.folds(seed, AUDIT_FOLDS, only=rows, enough=_enough)
        if fold_of is None:
            return None
        held = _answers(data, fold_of, _lacking(data, fold_of, _strength(data)))
        return number_figures("audit", data.y[fold_of >= 0], held)

    def committee(self, pool: Pool, *, model: Model, seed: int) -> tuple[Model, ...]:  # noqa: ARG002
        """Return none: a model holds its own, see `NumberModel.predict_number`."""
        return ()

    def restore(self, arrays: Mapping[str, NDArray[Any]], classes: tuple[str, ...]) -> NumberModel:
        """Rebuild a model from `NumberModel.to_arrays`."""
        intercepts = checked(arrays, "intercepts", "f", 1)
        noise, low, high = (float(checked(arrays, n, "f", 0)) for n in ("noise", "low", "high"))
        if classes or noise < 0 or low > high:
            raise InvalidInput("the saved model is not one for a number; fit it again")
        return NumberModel(
            Linear.from_arrays(arrays, len(intercepts)), intercepts, noise, low, high
        )


def _enough(y: Labels) -> bool:
    return len(y) >= MIN_LABELS and bool(np.ptp(y) > 0)


def _strength(data: Labeled) -> float:
    """Return the best penalty by leave-one-out error, one task of each near-duplicate group."""
    few, _ = data.few(SAMPLE)
    groups = near_duplicate_groups(few.X, few.u, cosines=few.basis.cosines)
    first = np.unique(groups, return_index=True)[1]
    if not _enough(few.y[first]):
        return float(np.median(STRENGTHS))
    return float(RidgeCV(STRENGTHS).fit(few.basis.rows[first], few.y[first]).alpha_)


def _head(data: Labeled, train: Ints, strength: float) -> Floats:
    """Return coefficients, and behind them the intercept, ``(r + 1,)``."""
    # In float64: with the weakest penalty, float32 is too coarse to solve the equations.
    rows = data.basis.rows[train].astype(np.float64)
    head = Ridge(strength).fit(rows, data.y[train])
    return np.append(head.coef_, head.intercept_)


def _lacking(data: Labeled, fold_of: Ints, strength: float) -> Floats:
    """Return a head a fold, fitted on all labels but those of the fold."""
    folds = np.unique(fold_of[fold_of >= 0])
    return np.stack([_head(data, np.flatnonzero(fold_of != fold), strength) for fold in folds])


def _answers(data: Labeled, fold_of: Ints, lacking: Floats) -> Floats:
    """Return what the head that lacks its fold says of each row with a fold."""
    judged = np.flatnonzero(fold_of >= 0)
    said = data.basis.rows[judged] @ lacking[:, :-1].T + lacking[:, -1]
    head_of = np.unique(fold_of[judged], return_inverse=True)[1]
    return np.asarray(said[np.arange(len(judged)), head_of])
