"""Any number of classes a task: one logistic regression a class, all with one temperature."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from active_learning.calibration import enough, fit_temperature, losses_at_best
from active_learning.errors import InvalidInput
from active_learning.features import is_sparse
from active_learning.figures import set_figures
from active_learning.learners.linear import Linear, checked
from active_learning.learners.penalty import C, choose
from active_learning.learners.resampling import AUDIT_FOLDS, Labeled, bootstraps, out_of_fold
from active_learning.outcomes import Figures, Fit, Model, Opinion, Verdict
from active_learning.types import Features, Floats, Ints, Kind, Labels, Pool

MIN_LABELS = 2

AT_ONCE = 16
"""Classes fitted together: of a taxonomy, all would take gigabytes."""

MAX_ITERATIONS = 200

TOLERANCE = 0.02
"""On the gradient of the summed losses: no probability moves by more than a hundredth beyond."""


@dataclass(frozen=True, eq=False)
class MultipleModel:
    """A linear head a class, each yes or no.

    Attributes
    ----------
    classes : tuple of str
    linear : Linear
        One row a class; zeros for a class that always or never was chosen.
    intercepts : (k,) float32
        How often a class is chosen is what there is to know of a rare one.
    temperature : float
        Divides the logits.
    c : float
        Inverse strength of the penalty it was fitted with.
    """

    classes: tuple[str, ...]
    linear: Linear
    intercepts: NDArray[np.float32]
    temperature: float
    c: float

    def predict_proba(self, X: Features) -> Floats:
        """Return ``(m, k)``: how likely each class is chosen, independent of the others."""
        logits = self.linear(X)
        logits += self.intercepts
        logits /= self.temperature
        return np.asarray(expit(logits, out=logits))

    def predict(self, X: Features, starts: Ints | None = None) -> Opinion:  # noqa: ARG002
        """Judge tasks by features as the featurizer made them."""
        proba = self.predict_proba(X)
        m, k = proba.shape

        def verdicts(rows: Ints) -> tuple[Verdict, ...]:
            return tuple(self._verdict(proba[row]) for row in rows.tolist())

        pairs = np.empty((m * k, 2))
        pairs[:, 1] = proba.ravel()
        np.subtract(1, pairs[:, 1], out=pairs[:, 0])
        return Opinion(verdicts, pairs, np.arange(0, m * k + 1, k, dtype=np.int64))

    def _verdict(self, proba: Floats) -> Verdict:
        chosen = np.flatnonzero(proba >= 0.5)
        return Verdict(
            answer=frozenset(self.classes[index] for index in chosen),
            # The doubt about a task is that about its most doubtful class.
            confidence=float(np.maximum(proba, 1 - proba).min()),
            shares=tuple(proba.tolist()),
        )

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return all state but the class names."""
        return {
            **self.linear.to_arrays(),
            "intercepts": self.intercepts,
            "temperature": np.asarray(self.temperature),
            "c": np.asarray(self.c),
        }


class MultipleLearner:
    """Binary relevance: each class a logistic regression of its own.

    References
    ----------
    Tsoumakas & Katakis (2007), Multi-label classification: an overview. IJDWM.
    """

    name: ClassVar[str] = "multiple"
    kind: ClassVar[Kind] = Kind.MULTIPLE

    def lacks(self, pool: Pool) -> str:
        """Say what is missing for a first model."""
        if _enough(pool.y[pool.labeled]):
            return ""
        return (
            f"{len(pool.labeled)} labels; a model needs at least {MIN_LABELS}, and a class that "
            "was chosen for one task and not for another"
        )

    def fit(self, pool: Pool, *, previous: Model | None = None, seed: int = 0) -> Fit:  # noqa: ARG002
        """Fit on all labels of a pool, and see how it does on each label left out."""
        data = Labeled.of(pool)
        fold_of = data.folds(seed, enough=_enough)
        chosen, held, temperature, c = None, None, 1.0, C
        if fold_of is not None:
            c, logits = choose(data, fold_of, _out_of_fold, _losses)
            some = enough(*logits.shape)
            deal = np.repeat(fold_of[some], logits.shape[1])
            temperature = fit_temperature(*_pairs(logits[some], data.y[some]), deal)
            logits /= temperature
            held = expit(logits, out=logits)
            chosen = set_figures("chosen", data.y, held, pool.classes)
        coef, intercepts = fit_heads(data.basis.rows, data.y, c)
        linear = Linear(data.scaling, data.basis.columns, data.basis.lift(coef))
        model = MultipleModel(pool.classes, linear, intercepts.astype(np.float32), temperature, c)
        return Fit(model, chosen, held)

    def estimate(self, pool: Pool, rows: Ints, *, model: Model | None, seed: int) -> Figures | None:
        """Judge labelled `rows`, each by heads fitted on all other labels."""
        data = Labeled.of(pool)
        fold_of = data.folds(seed, AUDIT_FOLDS, only=rows, enough=_enough)
        if fold_of is None:
            return None
        temperature, c = 1.0, C
        if isinstance(model, MultipleModel):
            temperature, c = model.temperature, model.c
        held = expit(_out_of_fold(data, fold_of, c) / temperature)
        return set_figures("audit", data.y[fold_of >= 0], held, pool.classes)

    def committee(self, pool: Pool, *, model: Model, seed: int) -> tuple[Model, ...]:
        """Return heads that each see labels drawn with replacement."""
        data, temperature, c = Labeled.of(pool), 1.0, C
        if isinstance(model, MultipleModel):
            temperature, c = model.temperature, model.c

        def member(drawn: Ints) -> MultipleModel:
            coef, intercepts = fit_heads(data.basis.rows[drawn], data.y[drawn], c)
            linear = Linear(data.scaling, data.basis.columns, data.basis.lift(coef))
            intercepts = intercepts.astype(np.float32)
            return MultipleModel(pool.classes, linear, intercepts, temperature, c)

        return tuple(member(drawn) for drawn in bootstraps(np.zeros(len(data.y)), seed))

    def restore(
        self, arrays: Mapping[str, NDArray[Any]], classes: tuple[str, ...]
    ) -> MultipleModel:
        """Rebuild a model from `MultipleModel.to_arrays`."""
        intercepts = checked(arrays, "intercepts", "f", 1)
        temperature, c = (float(checked(arrays, name, "f", 0)) for name in ("temperature", "c"))
        if len(intercepts) != len(classes) or min(temperature, c) <= 0:
            raise InvalidInput(f"the saved model does not fit {len(classes)} classes; fit it again")
        linear = Linear.from_arrays(arrays, len(classes))
        return MultipleModel(classes, linear, intercepts, temperature, c)


def _enough(y: Labels) -> bool:
    return len(y) >= MIN_LABELS and bool((y.min(axis=0) < y.max(axis=0)).any())


def _out_of_fold(data: Labeled, fold_of: Ints, c: float) -> Floats:
    def predictor(train: Ints, test: Ints) -> Floats:
        coef, intercepts = fit_heads(data.basis.rows[train], data.y[train], c)
        return np.asarray(data.basis.rows[test] @ coef.T + intercepts)

    return out_of_fold(fold_of, predictor)


def fit_heads(rows: Features, y: Labels, c: float = C) -> tuple[Floats, Floats]:
    """Fit all classes, ``(k, r)`` and ``(k,)``: their losses add up and do not mix.

    Parameters
    ----------
    rows : (n, r)
    y : (n, k)
        0 or 1.
    """
    places = range(0, y.shape[1], AT_ONCE)
    parts = [_fit_some(rows, y[:, place : place + AT_ONCE], c) for place in places]
    return np.vstack([coef for coef, _ in parts]), np.concatenate([b for _, b in parts])


def _fit_some(rows: Features, y: Labels, c: float) -> tuple[Floats, Floats]:
    n, k = y.shape
    sign = (2 * y - 1).astype(np.float32)
    varies = (y.min(axis=0) < y.max(axis=0)).astype(np.float32)
    scale = _curvature(rows, c)

    def objective(flat: Floats) -> tuple[float, Floats]:
        weights = flat.reshape(k, -1) / scale
        # In float32, or the rows would be copied as float64 at every step.
        near = weights.astype(np.float32)
        margins = sign * (rows @ near[:, :-1].T + near[:, -1])
        slope = -c * sign * expit(-margins) * varies
        gradient = np.empty_like(weights)
        gradient[:, :-1] = (rows.T @ slope).T + weights[:, :-1]
        gradient[:, -1] = slope.sum(axis=0)
        loss = c * float((np.logaddexp(0, -margins) * varies).sum(dtype=np.float64))
        loss += float(np.square(weights[:, :-1]).sum()) / 2
        return loss, (gradient / scale).ravel()

    start = np.zeros((k, rows.shape[1] + 1))
    # What was never, or always, seen keeps this: once more than seen, as likely as not.
    share = (y.sum(axis=0) + 0.5) / (n + 1)
    start[:, -1] = np.log(share / (1 - share))
    options = {"maxiter": MAX_ITERATIONS, "gtol": TOLERANCE}
    found = minimize(
        objective, (start * scale).ravel(), jac=True, method="L-BFGS-B", options=options
    )
    weights = found.x.reshape(k, -1) / scale
    return weights[:, :-1], weights[:, -1]


def _curvature(rows: Features, c: float) -> Floats:
    """Return about how fast the loss turns along each coordinate, the intercept last, ``(r + 1,)``.

    In coordinates stretched by it the search takes a fifth of the steps.
    """
    squares = rows.multiply(rows) if is_sparse(rows) else np.square(rows)
    sums = np.asarray(squares.sum(axis=0), dtype=np.float64).ravel()
    # A yes-or-no of even odds has variance a quarter; most are less even.
    return np.asarray(np.sqrt(np.append(1 + c * sums / 5, c * rows.shape[0] / 5)))


def _pairs(logits: Floats, y: Labels) -> tuple[Floats, Ints]:
    """Return each yes-or-no as a choice between two classes."""
    pairs = np.stack([np.zeros_like(logits), logits], axis=2).reshape(-1, 2)
    return pairs, y.ravel().astype(np.int64)


def _losses(logits: Floats, y: Labels) -> Floats:
    return np.asarray(losses_at_best(*_pairs(logits, y)).reshape(y.shape).mean(axis=1))
