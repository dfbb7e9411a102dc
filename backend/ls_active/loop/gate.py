"""Hold a version back that is significantly worse than the one in force."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ls_active.store import Store


class Gate:
    """The versions of one project that were fitted and are not to be served.

    Parameters
    ----------
    store : Store
    uid : str
    """

    def __init__(self, store: Store, uid: str) -> None:
        self._store = store
        self._uid = uid

    @property
    def held(self) -> dict[int, str]:
        """The versions that are held back, and why, in words."""
        document = self._store.read(self._uid, "gate") or {"held": {}}
        return {int(number): words for number, words in document["held"].items()}

    def judge(self, number: int, evaluation: Mapping[str, Any], *, behind: int) -> bool:
        """Hold a version back if its evaluation says so, and say whether it is.

        Parameters
        ----------
        behind : int
            Labels that it learned from and the version in force did not.
        """
        reasons = worse(evaluation, conclusive=True)
        if not reasons:
            return False
        waiting = (
            f"al-{number} is held back: {reasons}. While it waits, al-"
            f"{evaluation['compared_with']} orders the queue and has not learned from the last "
            f"{behind} labels; the next version is judged anew. To serve it all the same: "
            f"`ls-active rollback PROJECT {number}`"
        )
        # Of a file that was pruned nothing can be served.
        servable = set(self._store.loadable(self._uid))
        self._write({n: why for n, why in self.held.items() if n in servable} | {number: waiting})
        return True

    def release(self, number: int) -> None:
        """Let a version that is held back be served."""
        self._write({each: words for each, words in self.held.items() if each != number})

    def open(self) -> None:
        """Let every version be served."""
        if self.held:
            self._store.delete(self._uid, "gate")

    def _write(self, held: Mapping[int, str]) -> None:
        document = {"held": {str(number): words for number, words in sorted(held.items())}}
        self._store.write(self._uid, "gate", document)


def warning(number: int, evaluation: Mapping[str, Any] | None) -> str:
    """Say that a version is served although it is worse than the one before; else nothing."""
    reasons = worse(evaluation, conclusive=False) if evaluation else ""
    if not evaluation or not reasons:
        return ""
    return f"al-{number} may be worse than al-{evaluation['compared_with']}: {reasons}"


def worse(evaluation: Mapping[str, Any], *, conclusive: bool) -> str:
    """Say in which controls a version is significantly worse; nothing: in none.

    Parameters
    ----------
    conclusive : bool
        Only where there are random tasks enough to hold it back for.
    """
    return "; ".join(
        comparison["sentence"]
        for comparison in evaluation.get("comparisons", ())
        if comparison and comparison["worse"] and (comparison["conclusive"] or not conclusive)
    )
