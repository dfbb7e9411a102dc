"""What other libraries would ask next, given our features and the probabilities of our heads.

Each is used as its documentation shows, with its defaults. Strategies that measure distances get
the rows that our own see; of sparse ones their 50 main directions, since the libraries take dense
arrays only. Whatever needs a model starts at random, from the same first batch as `random` does;
one of them starts with the own spread of its library, as ours start with ours.
"""

from __future__ import annotations

import importlib
import importlib.util
import warnings
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any, TypeAlias

import numpy as np
from sklearn.utils.extmath import randomized_svd

from active_learning.features import is_sparse
from active_learning.outcomes import Model
from active_learning.registry import learner_of
from active_learning.scaling import scaling_of
from active_learning.simulation import Asker, at_random, waiting
from active_learning.types import Floats, Ints, Kind, Pool

DIRECTIONS = 50

MISSING = -1
"""What a label that is not there is called."""

Query: TypeAlias = Callable[["Question"], Any]
"""Returns rows of the pool."""


class Question:
    """What a library is asked: a pool, a model, how many rows, and a source of randomness."""

    def __init__(
        self, pool: Pool, model: Model | None, k: int, rng: np.random.Generator, Z: Floats
    ) -> None:
        self.pool, self.model, self.k, self.Z = pool, model, k, Z
        self.seed = int(rng.integers(2**31))
        self.waiting = waiting(pool)

    @property
    def y(self) -> Ints:
        """Classes by number, `MISSING` where there is none."""
        return self.pool.y

    @property
    def index(self) -> Ints:
        """The number of each row, as one column of features."""
        return np.arange(len(self.pool.ids), dtype=np.int64)[:, None]

    def proba(self, model: Model | None = None) -> Floats:
        """Return ``(n, k)`` probabilities of all rows."""
        judge = model or self.model
        assert judge is not None
        found = judge.predict(self.pool.X).questions
        assert found is not None
        return found

    def committee(self) -> list[Floats]:
        """Return the probabilities of each of our heads on bootstrapped labels."""
        assert self.model is not None
        learner = learner_of(Kind.SINGLE)
        members = learner.committee(self.pool, model=self.model, seed=self.seed)
        return [self.proba(member) for member in members]


class Peer:
    """A library's strategy as an `Asker`.

    Parameters
    ----------
    cold : bool
        It needs no model.
    dense : bool
        It looks at features.
    start : Asker
        What asks while there is no model, if it needs one.
    """

    def __init__(
        self,
        name: str,
        query: Query,
        *,
        cold: bool = False,
        dense: bool = True,
        start: Asker = at_random,
    ) -> None:
        self.name = name
        self._query, self._cold, self._dense, self._start = query, cold, dense, start
        self._Z: Floats | None = None

    def __call__(self, pool: Pool, model: Model | None, k: int, rng: np.random.Generator) -> Ints:
        if model is None and not self._cold:
            return self._start(pool, model, k, rng)
        if self._Z is None:
            self._Z = embedding(pool) if self._dense else np.zeros((len(pool.ids), 1))
        with warnings.catch_warnings():
            # They warn of their own use of their dependencies.
            warnings.simplefilter("ignore")
            rows = self._query(Question(pool, model, k, rng, self._Z))
        return np.asarray(rows, dtype=np.int64).ravel()


def embedding(pool: Pool) -> Floats:
    """Return the scaled rows of a pool, dense."""
    Z = scaling_of(pool).apply(pool.X)
    if not is_sparse(Z):
        return np.asarray(Z, dtype=np.float64)
    U, S, _ = randomized_svd(Z, min(DIRECTIONS, *Z.shape), n_iter=2, random_state=0)
    return np.asarray(U * S, dtype=np.float64)


# scikit-activeml


def _known(question: Question, proba: Floats) -> Any:
    """Return a classifier of scikit-activeml that looks the probabilities of a row up."""
    base: Any = importlib.import_module("skactiveml.base").SkactivemlClassifier

    class Known(base):  # type: ignore[misc]
        """Takes rows that hold their own number."""

        def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
            return self

        def predict_proba(self, X: Any, with_rows: bool = False) -> Any:
            rows = np.asarray(X)[:, 0].astype(np.int64)
            return (proba[rows], question.Z[rows]) if with_rows else proba[rows]

    found = Known(classes=list(range(proba.shape[1])), missing_label=MISSING)
    found.classes_ = np.arange(proba.shape[1])
    return found


def activeml(name: str, **options: Any) -> Callable[[Question], Any]:
    """Return a strategy that no classifier is needed for."""

    def query(question: Question) -> Any:
        cls = getattr(importlib.import_module("skactiveml.pool"), name)
        strategy = cls(missing_label=MISSING, random_state=question.seed, **options)
        return strategy.query(question.Z, question.y, batch_size=question.k)

    return query


def activeml_with(name: str, **options: Any) -> Callable[[Question], Any]:
    """Return a strategy that asks a classifier."""

    def query(question: Question) -> Any:
        cls = getattr(importlib.import_module("skactiveml.pool"), name)
        strategy = cls(missing_label=MISSING, random_state=question.seed, **options)
        return strategy.query(
            question.index, question.y, clf=_known(question, question.proba()), fit_clf=False,
            batch_size=question.k,
        )  # fmt: skip

    return query


def activeml_committee(question: Question) -> Any:
    cls = importlib.import_module("skactiveml.pool").QueryByCommittee
    strategy = cls(missing_label=MISSING, random_state=question.seed)
    ensemble = [_known(question, proba) for proba in question.committee()]
    return strategy.query(
        question.index, question.y, ensemble=ensemble, fit_ensemble=False, batch_size=question.k
    )


# modAL, small-text


def _modal_ranked(question: Question) -> Any:
    batch = importlib.import_module("modAL.batch")
    rows = question.waiting
    learner = SimpleNamespace(on_transformed=False, X_training=question.Z[question.pool.labeled])
    uncertainty = 1 - question.proba()[rows].max(axis=1)
    ranked, _ = batch.ranked_batch(
        learner, question.Z[rows], uncertainty, question.k, "euclidean", None
    )
    return rows[ranked]


def _small_text(question: Question) -> Any:
    found = importlib.import_module("small_text")
    known = question.pool.labeled
    judge = SimpleNamespace(predict_proba=lambda rows: question.proba()[rows])
    places = found.BreakingTies().query(
        judge, question.index[:, 0], question.waiting, known, question.y[known], n=question.k
    )
    return np.asarray(places)


def _activeml_margin(name: str, start: Asker = at_random) -> Asker:
    query = activeml_with("UncertaintySampling", method="margin_sampling")
    return Peer(name, query, dense=False, start=start)


def _activeml_typiclust() -> Asker:
    return Peer("scikit-activeml typiclust", activeml("TypiClust"), cold=True)


PEERS: Mapping[str, tuple[str, Callable[[], Asker]]] = {
    "scikit-activeml margin": (
        "skactiveml",
        lambda: _activeml_margin("scikit-activeml margin"),
    ),
    "scikit-activeml typiclust, then margin": (
        "skactiveml",
        lambda: _activeml_margin(
            "scikit-activeml typiclust, then margin", start=_activeml_typiclust()
        ),
    ),
    "scikit-activeml badge": (
        "skactiveml",
        lambda: Peer(
            "scikit-activeml badge", activeml_with("Badge", clf_embedding_flag_name="with_rows")
        ),
    ),
    "scikit-activeml typiclust": (
        "skactiveml",
        _activeml_typiclust,
    ),
    "scikit-activeml probcover": (
        "skactiveml",
        lambda: Peer("scikit-activeml probcover", activeml("ProbCover"), cold=True),
    ),
    "scikit-activeml committee": (
        "skactiveml",
        lambda: Peer("scikit-activeml committee", activeml_committee, dense=False),
    ),
    "modAL ranked batch": ("modAL", lambda: Peer("modAL ranked batch", _modal_ranked)),
    "small-text breaking ties": (
        "small_text",
        lambda: Peer("small-text breaking ties", _small_text, dense=False),
    ),
}
"""What each needs to be installed, and what makes it anew for a run."""


def missing(name: str) -> str:
    """Return the library that a peer needs and that is not installed, or nothing."""
    package = PEERS[name][0]
    return "" if importlib.util.find_spec(package) else package
