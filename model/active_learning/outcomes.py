"""The nouns of the core: what comes out of a round of active learning."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from numpy.typing import NDArray

from active_learning.types import Answer, Features, Floats, Ints, Reason


class Bin(NamedTuple):
    """Answers of about the same confidence.

    `confidence` is their mean, `right` the share of right ones with its 95 % interval, `n` how many
    they are.
    """

    confidence: float
    right: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class Figures:
    """How good a model is on a set of labels, with a 95 % interval.

    Attributes
    ----------
    basis : str
        What the labels are: ``"audit"`` (a uniform sample: an honest estimate for the pool) or
        ``"chosen"`` (all labels, the tasks we chose: not an estimate of anything else).
    n : int
        Tasks in it.
    measure : str
        What `value`, `low` and `high` are: accuracy, and what stands for it where an answer is
        more than a class. Higher is better.
    baseline : float
        The same measure for an answer that looks at no task.
    confusion : mapping of mapping
        For classes that exclude each other: the right class, what was said instead or rightly, and
        how often; pairs that never came are left out.
    calibration_error : float or None
        How far the confidence is off on average: see `evaluation.calibration_error`. Of a uniform
        sample only, from `evaluation.CALIBRATION_NEEDED` labels on.
    reliability : tuple of Bin
        How often answers of about the same confidence are right; of the same samples.
    of_task : tuple of float
        Of a uniform sample only: how good each answer was, in row order. Higher is better.
    """

    basis: str
    n: int
    value: float
    low: float
    high: float
    measure: str = "accuracy"
    baseline: float = 0.0
    log_loss: float | None = None
    recall: Mapping[str, float] = field(default_factory=dict)
    support: Mapping[str, int] = field(default_factory=dict)
    confusion: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    calibration_error: float | None = None
    reliability: tuple[Bin, ...] = ()
    of_task: tuple[float, ...] = ()


class Verdict(NamedTuple):
    """What a model answers for one task.

    `confidence` is in [0, 1]. `shares` are the probabilities behind the answer: one for a class,
    one a class of a set in the order of the classes, one a unit, none for a number.
    """

    answer: Answer
    confidence: float
    shares: tuple[float, ...] = ()


@dataclass(frozen=True, eq=False)
class Opinion:
    """What a model says of m tasks.

    Attributes
    ----------
    verdicts : tuple of Verdict, callable
        ``verdicts(rows)`` returns one a task, for the asked rows only.
    questions : (q, k) float or None
        A distribution a question, rows sum to 1; None where an answer is a number.
    starts : (m + 1,) int64 or None
        Task ``i`` has the questions ``starts[i]`` to ``starts[i + 1] - 1``; None: one a task.
    deviations : (m,) float or None
        How far off a number may be, one standard deviation.
    """

    verdicts: Callable[[Ints], tuple[Verdict, ...]]
    questions: Floats | None
    starts: Ints | None = None
    deviations: Floats | None = None


@dataclass(frozen=True, eq=False)
class Fit:
    """A fitted model and what its own labels say about it.

    Attributes
    ----------
    model : Model
        Fitted on all labels.
    chosen : Figures or None
        Out-of-fold, on the tasks we chose; None with too few labels to leave some out.
    out_of_fold : array or None
        What `Model.predict` bases its opinion on, for each label's task by a model that did not
        see it, in row order.
    """

    model: Model
    chosen: Figures | None
    out_of_fold: Floats | None

    @property
    def useful(self) -> bool:
        """Whether the model clearly beats an answer that looks at no task."""
        return self.chosen is not None and self.chosen.low > self.chosen.baseline


@dataclass(frozen=True)
class Results:
    """How a version did on each audit task, so that another can be compared on the same ones.

    Attributes
    ----------
    ids : tuple of int
        Task ids, ascending.
    values : tuple of float
        How good the answer was; higher is better. For a class: 1 right, 0 wrong.
    truths : tuple of int
        A checksum of the label: a task that was labelled anew since is not the same task.
    """

    ids: tuple[int, ...] = ()
    values: tuple[float, ...] = ()
    truths: tuple[int, ...] = ()


@dataclass(frozen=True)
class AuditEstimate:
    """An estimate of quality from tasks drawn at random, or what is missing for one.

    Attributes
    ----------
    labels : int
        Audit tasks with a label, in the longest fully resolved prefix of the audit order.
    skipped : int
        Resolved tasks of that prefix without a label.
    needed : int
        Labels from which on there are figures.
    figures : Figures or None
    results : Results
        Task by task; there a little earlier than the figures.
    """

    labels: int
    skipped: int
    needed: int
    figures: Figures | None
    results: Results = Results()


@dataclass(frozen=True)
class Choice:
    """Which strategy asks, and why: a clause that ends a sentence, empty where it was told to."""

    strategy: str
    why: str = ""

    def __str__(self) -> str:
        return f"{self.strategy}, {self.why}" if self.why else self.strategy


@dataclass(frozen=True, eq=False)
class Queue:
    """The head of the annotation queue, first asked first.

    Attributes
    ----------
    ids : (k,) int64
        Task ids in the order annotators should see them.
    rows : (k,) int64
        Their rows in the pool they were ranked from.
    scores : (k,) float64
        Acquisition scores in [0, 1], higher = ask first. Informative: the order is `ids`.
    reasons : tuple of Reason
        Why each task is where it is.
    verdicts : tuple of (tuple of Verdict), or None
        For each learned control, one verdict a task; None for a control without a model.
    choices : tuple of Choice or None
        For each learned control, what asks; None for a control without a model, unless none has
        one.
    """

    ids: Ints
    rows: Ints
    scores: Floats
    reasons: tuple[Reason, ...]
    verdicts: tuple[tuple[Verdict, ...] | None, ...]
    choices: tuple[Choice | None, ...] = ()

    @property
    def choice(self) -> Choice | None:
        """What asks for the first control that has a model."""
        return next(filter(None, self.choices), None)


class Model(Protocol):
    """A fitted, immutable head."""

    @property
    def classes(self) -> tuple[str, ...]:
        """What it tells apart; nothing for a number."""
        ...

    def predict(self, X: Features, starts: Ints | None = None) -> Opinion:
        """Judge tasks by features as the featurizer made them; a row a unit where `starts`."""
        ...

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return all state as plain numeric arrays (no objects, no strings)."""
        ...
