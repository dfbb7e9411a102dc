"""What a new featurizer, learner or query strategy has to be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Protocol, runtime_checkable

from numpy.typing import NDArray

from active_learning.outcomes import Choice, Figures, Fit, Model
from active_learning.types import Block, Candidates, Features, Floats, Ints, Kind, Pool


class Featurizer(Protocol):
    """Turns task values of one kind into rows of features, computed once per task."""

    name: ClassVar[str]
    version: ClassVar[int]
    """Raised whenever the same value would get other features: part of the cache key."""
    object_tags: ClassVar[tuple[str, ...]]
    """The Label Studio object tags whose values it reads."""
    block: ClassVar[Block]
    media: ClassVar[bool]
    """Whether `parse` wants the bytes of the file that the value names."""
    n_features: int

    def __init__(self, attributes: Mapping[str, str] = ...) -> None:
        """Take the attributes of the object tag."""
        ...

    def parse(self, value: Any) -> Any:
        """Return what `transform` takes.

        Raises
        ------
        Unreadable
            There is nothing to learn from in it.
        """
        ...

    def transform(self, parsed: Sequence[Any]) -> Features:
        """Return one float32 row a value, shape ``(len(parsed), n_features)``."""
        ...


class UnitFeaturizer(Protocol):
    """Cuts a value into units (tokens, windows) and describes each."""

    name: ClassVar[str]
    version: ClassVar[int]
    unit_tags: ClassVar[tuple[str, ...]]
    """The Label Studio object tags whose values it cuts."""
    media: ClassVar[bool]
    sparse: ClassVar[bool]
    """Whether its rows are."""
    n_features: int

    def __init__(self, attributes: Mapping[str, str] = ...) -> None:
        """Take the attributes of the object tag."""
        ...

    def parse(self, value: Any) -> Any:
        """Return what `cut` takes; see `Featurizer.parse`."""
        ...

    def cut(self, parsed: Any) -> tuple[Features, list[tuple[float, float]]]:
        """Return a row of features a unit, and where each starts and ends, as results count."""
        ...


class Learner(Protocol):
    """Fits one kind of answer."""

    name: ClassVar[str]
    kind: ClassVar[Kind]

    def lacks(self, pool: Pool) -> str:
        """Say what is missing for a first model; nothing: it can be fitted."""
        ...

    def fit(self, pool: Pool, *, previous: Model | None = None, seed: int = 0) -> Fit:
        """Fit on all labels of the pool."""
        ...

    def estimate(self, pool: Pool, rows: Ints, *, model: Model | None, seed: int) -> Figures | None:
        """Judge labelled `rows` of the pool, each by a model fitted on the labels of the others.

        None where no way to leave some out leaves enough to learn from.
        """
        ...

    def committee(self, pool: Pool, *, model: Model, seed: int) -> tuple[Model, ...]:
        """Return models like `model`, each fitted on bootstrapped labels; none for numbers."""
        ...

    def restore(self, arrays: Mapping[str, NDArray[Any]], classes: tuple[str, ...]) -> Model:
        """Rebuild a model from what its `to_arrays` returned.

        Raises
        ------
        InvalidInput
            The arrays are damaged or belong to other classes.
        """
        ...


class QueryStrategy(Protocol):
    """Scores candidates; higher = ask first."""

    name: ClassVar[str]

    def score(self, candidates: Candidates) -> Floats:
        """Return ``(q,)`` acquisition scores in [0, 1], one a question.

        A task stands where its best question does. A strategy that judges whole tasks gives all
        questions of a task the same score.
        """
        ...


@runtime_checkable
class Chooser(QueryStrategy, Protocol):
    """A strategy that leaves it to another one, by what it sees."""

    def choose(self, candidates: Candidates) -> Choice:
        """Return which, and why."""
        ...
