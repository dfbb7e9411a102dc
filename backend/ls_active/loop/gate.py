"""Hold a version back that is significantly worse than the one in force."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ls_active.records.store import Store


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

    def passed(self, number: int, evaluation: Mapping[str, Any] | None) -> bool:
        """Whether a version was judged, and may be served."""
        if evaluation is None:
            return False
        return number in self._released or not worse(evaluation, conclusive=True)

    def holds(self, number: int, evaluation: Mapping[str, Any] | None) -> bool:
        """Hold a version back if its evaluation says so, and say whether it is."""
        reasons = worse(evaluation, conclusive=True)
        if evaluation is None or not reasons or number in self._released:
            return False
        before = evaluation["compared_with"]
        in_force = self._store.evaluation(self._uid, before) or evaluation
        behind = evaluation["labels"] - in_force["labels"]
        waiting = (
            f"al-{number} is held back: {reasons}. While it waits, al-{before} orders the queue, "
            f"{_behind(behind)}; the next version is judged anew. To serve al-{number} all the "
            f"same: `ls-active rollback PROJECT {number}`"
        )
        # Of a file that was pruned nothing can be served.
        servable = set(self._store.loadable(self._uid))
        held = {n: why for n, why in self.held.items() if n in servable} | {number: waiting}
        self._write(held, self._released & servable)
        return True

    def words(self, number: int, mode: str) -> str:
        """Say what the gate found: of a newer version than `number`, which is in force, or of it.

        Parameters
        ----------
        mode : {"off", "warn", "on"}
        """
        if not number or mode == "off":
            return ""
        newer = [words for held, words in self.held.items() if held > number]
        evaluation = self._store.evaluation(self._uid, number)
        reasons = worse(evaluation, conclusive=False)
        if newer or evaluation is None or not reasons:
            return newer[-1] if newer else ""
        return f"al-{number} may be worse than al-{evaluation['compared_with']}: {reasons}"

    def release(self, number: int) -> None:
        """Let a version that is held back be served."""
        held = {each: words for each, words in self.held.items() if each != number}
        self._write(held, self._released | {number})

    def open(self) -> None:
        """Let every version be served."""
        if self.held:
            self._store.delete(self._uid, "gate")

    @property
    def _released(self) -> set[int]:
        document = self._store.read(self._uid, "gate") or {}
        return set(document.get("released", ()))

    def _write(self, held: Mapping[int, str], released: Collection[int] = ()) -> None:
        document = {
            "held": {str(number): words for number, words in sorted(held.items())},
            "released": sorted(released),
        }
        self._store.write(self._uid, "gate", document)


def _behind(labels: int) -> str:
    if labels <= 0:
        return "which knows labels that were changed since"
    return f"which has not learned from the last {labels} label{'' if labels == 1 else 's'}"


def worse(evaluation: Mapping[str, Any] | None, *, conclusive: bool) -> str:
    """Say in which controls a version is significantly worse; nothing: in none.

    Parameters
    ----------
    conclusive : bool
        Only where there are random tasks enough to hold it back for.
    """
    return "; ".join(
        comparison["sentence"]
        for comparison in (evaluation or {}).get("comparisons", ())
        if comparison and comparison["worse"] and (comparison["conclusive"] or not conclusive)
    )
