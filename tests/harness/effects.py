"""What outlives a process, and the end of it at any moment."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


class Killed(BaseException):
    """The process ends here; nothing may catch it."""


@dataclass
class Effects:
    """Counts what outlives the process, and ends it before or after any of it.

    Attributes
    ----------
    names : list of str
        The effects so far.
    end_at : int or None
        The moment of the end: ``2 n`` is before effect n, ``2 n + 1`` after it.
    watch : callable
        Called at every moment.
    """

    names: list[str] = field(default_factory=list)
    end_at: int | None = None
    watch: Callable[[], object] = lambda: None
    moment: int = 0
    dead: bool = False

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        self._pass(name)
        yield
        self.names.append(name)
        self._pass(name)

    def _pass(self, name: str) -> None:
        # The dead do nothing any more, in `finally` neither.
        self.dead = self.dead or self.moment == self.end_at
        self.moment += 1
        if self.dead:
            raise Killed(name)
        self.watch()
