"""One class a task: multinomial logistic regression on cached features, with one temperature."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from active_learning.calibration import enough, fit_temperature, losses_at_best, probabilities
from active_learning.errors import InvalidInput
from active_learning.figures import class_figures
from active_learning.learners.head import COARSE, Head, fit_head
from active_learning.learners.linear import Linear, ascending_below, checked
from active_learning.learners.penalty import C, choose
from active_learning.learners.resampling import AUDIT_FOLDS, Labeled, bootstraps, out_of_fold
from active_learning.outcomes import Figures, Fit, Model, Opinion, Verdict
from active_learning.types import Features, Floats, Ints, Kind, Labels, Pool

MIN_LABELS = 2
MIN_CLASSES = 2


@dataclass(frozen=True, eq=False)
class SingleModel:
    """A linear head over classes that exclude each other.

    Attributes
    ----------
    classes : tuple of str
        All classes of the label config, seen or not.
    seen : (s,) int32
        The classes that had labels: one row of `linear` each.
    linear : Linear
    temperature : float
        Divides the logits.
    n_labels : int
        How many labels it was fitted on.
    c : float
        Inverse strength of the penalty it was fitted with.
    """

    classes: tuple[str, ...]
    seen: NDArray[np.int32]
    linear: Linear
    temperature: float
    n_labels: int
    c: float

    def predict_proba(self, X: Features) -> Floats:
        """Return ``(m, k)`` probabilities; an empty row gets equal ones.

        Raises
        ------
        InvalidInput
            `X` has another width than the model, NaN or infinity.
        """
        logits = np.full((X.shape[0], len(self.classes)), -np.inf)
        logits[:, self.seen] = self.linear(X)
        return probabilities(logits, self.temperature, self.n_labels)

    def predict(self, X: Features, starts: Ints | None = None) -> Opinion:  # noqa: ARG002
        """Judge tasks by features as the featurizer made them."""
        proba = self.predict_proba(X)

        def verdicts(rows: Ints) -> tuple[Verdict, ...]:
            best = proba[rows].argmax(axis=1)
            shares = proba[rows, best].tolist()
            return tuple(
                Verdict(self.classes[index], share, (share,))
                for index, share in zip(best.tolist(), shares, strict=True)
            )

        return Opinion(verdicts, proba)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return all state but the class names."""
        names = ("seen", "temperature", "n_labels", "c")
        return self.linear.to_arrays() | {name: np.asarray(getattr(self, name)) for name in names}


class SingleLearner:
    """Multinomial logistic regression without an intercept.

    References
    ----------
    Guo et al. (2017), On calibration of modern neural networks. ICML.
    """

    name: ClassVar[str] = "single"
    kind: ClassVar[Kind] = Kind.SINGLE

    def lacks(self, pool: Pool) -> str:
        """Say what is missing for a first model."""
        seen = np.unique(pool.y[pool.labeled])
        if len(seen) >= MIN_CLASSES:
            return ""
        have = f", all {pool.classes[seen[0]]!r}" if len(seen) else ""
        return (
            f"a model needs at least {MIN_LABELS} labels in {MIN_CLASSES} classes; "
            f"{len(pool.labeled)} so far{have}"
        )

    def fit(self, pool: Pool, *, previous: Model | None = None, seed: int = 0) -> Fit:
        """Fit on all labels of a pool, and see how it does on each label left out."""
        data, n_classes = Labeled.of(pool), len(pool.classes)
        fold_of = data.folds(seed)
        chosen, held, temperature, c = None, None, 1.0, C
        if fold_of is not None:
            c, found = choose(data, fold_of, partial(_out_of_fold, n_classes), _losses)
            some = enough(len(found), n_classes)
            temperature = fit_temperature(found[some, :-1], data.y[some], fold_of[some])
            held = _probabilities(found, temperature)
            chosen = class_figures("chosen", data.y, held, pool.classes)
        head = fit_head(data.basis.rows, data.y, c=c, start=_start(data, previous))
        linear = Linear(data.scaling, data.basis.columns, data.basis.lift(head.coef))
        seen = head.seen.astype(np.int32)
        model = SingleModel(pool.classes, seen, linear, temperature, len(data.y), c)
        return Fit(model, chosen, held)

    def estimate(self, pool: Pool, rows: Ints, *, model: Model | None, seed: int) -> Figures | None:
        """Judge labelled `rows`, each by a head fitted on all other labels."""
        data = Labeled.of(pool)
        fold_of = data.folds(seed, AUDIT_FOLDS, only=rows)
        if fold_of is None:
            return None
        temperature, c = 1.0, C
        if isinstance(model, SingleModel):
            temperature, c = model.temperature, model.c
        found = _out_of_fold(len(pool.classes), data, fold_of, c)
        proba = _probabilities(found, temperature)
        return class_figures("audit", data.y[fold_of >= 0], proba, pool.classes)

    def committee(self, pool: Pool, *, model: Model, seed: int) -> tuple[Model, ...]:
        """Return heads that each see labels drawn with replacement; one may lack a class."""
        data, temperature, c = Labeled.of(pool), 1.0, C
        if isinstance(model, SingleModel):
            temperature, c = model.temperature, model.c

        def member(drawn: Ints) -> SingleModel:
            rows, y = data.basis.rows[drawn], data.y[drawn]
            head = fit_head(rows, y, c=c, tolerance=COARSE)
            linear = Linear(data.scaling, data.basis.columns, data.basis.lift(head.coef))
            return SingleModel(
                pool.classes, head.seen.astype(np.int32), linear, temperature, len(y), c
            )

        return tuple(member(drawn) for drawn in bootstraps(data.y, seed))

    def restore(self, arrays: Mapping[str, NDArray[Any]], classes: tuple[str, ...]) -> SingleModel:
        """Rebuild a model from `SingleModel.to_arrays`."""
        seen = checked(arrays, "seen", "i", 1)
        temperature = float(checked(arrays, "temperature", "f", 0))
        n_labels = int(checked(arrays, "n_labels", "i", 0))
        c = float(checked(arrays, "c", "f", 0))
        if not ascending_below(seen, len(classes)) or min(temperature, n_labels, c) <= 0:
            raise InvalidInput(f"the saved model does not fit {len(classes)} classes; fit it again")
        linear = Linear.from_arrays(arrays, len(seen))
        return SingleModel(classes, seen, linear, temperature, n_labels, c)


def _out_of_fold(n_classes: int, data: Labeled, fold_of: Ints, c: float) -> Floats:
    """Return the logits of each row with a fold, and behind them how many labels taught them."""

    def predictor(train: Ints, test: Ints) -> Floats:
        head = fit_head(data.basis.rows[train], data.y[train], c=c, tolerance=COARSE)
        logits = head.logits(data.basis.rows[test], n_classes)
        return np.hstack([logits, np.full((len(test), 1), float(len(train)))])

    return out_of_fold(fold_of, predictor)


def _losses(found: Floats, y: Labels) -> Floats:
    return losses_at_best(found[:, :-1], y)


def _probabilities(found: Floats, temperature: float) -> Floats:
    return probabilities(found[:, :-1], temperature, found[:, -1].astype(np.int64))


def _start(data: Labeled, previous: Model | None) -> Head | None:
    if not isinstance(previous, SingleModel):
        return None
    if not np.array_equal(previous.seen, np.unique(data.y)):
        return None
    coef = previous.linear.start_in(data.basis, data.scaling.width)
    return None if coef is None else Head(previous.seen.astype(np.int64), coef)
