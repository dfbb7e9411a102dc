"""The honest estimate: accuracy on a uniform sample of the pool, kept up by debt."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from active_learning.types import Bools, Ints, Pool

NEEDED = 30
"""Audit labels before a figure is shown: its 95 % interval is then some 0.3 wide."""

COMPARED = 10
"""Audit labels from which versions are compared by task: six that got worse are significant."""

ROUNDING = 1e-9
"""0.29 * 100 is 28.999999999999996 in floating point, and owes 29 tasks."""


def uniform_order(project_uid: str, seed: int, ids: Iterable[int]) -> NDArray[np.uint64]:
    """Return the place of each task in a fixed random order over present and future tasks.

    The first eight bytes of ``SHA-256(project_uid:seed:id)``: nothing has to be stored, and a task
    imported tomorrow is as likely to come first as one from today.
    """
    prefix = hashlib.sha256(f"{project_uid}:{seed}:".encode())

    def digest(task_id: int) -> bytes:
        whole = prefix.copy()
        whole.update(b"%d" % task_id)
        return whole.digest()[:8]

    digests = b"".join(map(digest, map(int, ids)))
    return np.frombuffer(digests, dtype=">u8").astype(np.uint64)


def interleave(
    ranked_rows: Ints,
    *,
    audit_rows: Ints,
    audit_share: float,
    n_resolved: int,
    audit_resolved: int,
    k: int,
) -> tuple[Ints, Bools]:
    """Put audit tasks where the debt is due.

    With n tasks resolved, place j (from 1) is an audit task iff ``floor(audit_share * (n + j))``
    exceeds the audit tasks resolved so far plus those placed before j. Counting labels instead of
    places keeps the share within one task of ``audit_share * n`` even when every label re-ranks.

    Parameters
    ----------
    ranked_rows, audit_rows : (r,), (a,)
        Rows in the order of the strategy, and in audit order. They may share rows; none is placed
        twice. When one list is used up, the other goes on.
    audit_share : float
        Share of the resolved tasks that are to be audit tasks, in [0, 1].
    n_resolved, audit_resolved : int
        Tasks resolved so far, and how many of them were audit tasks.
    k : int
        Places to fill.

    Returns
    -------
    rows : (≤ k,) int64
    is_audit : (≤ k,) bool
    """
    placed: dict[int, bool] = {}
    ranked, audit = _unplaced(ranked_rows, placed), _unplaced(audit_rows, placed)
    owed_before = audit_resolved
    for place in range(1, k + 1):
        due = np.floor(audit_share * (n_resolved + place) + ROUNDING) > owed_before
        row = next(audit, None) if due else None
        is_audit = row is not None
        if row is None:
            row = next(ranked, None)
        if row is None:
            row, is_audit = next(audit, None), True
        if row is None:
            break
        placed[row] = is_audit
        owed_before += is_audit
    return np.fromiter(placed, np.int64), np.fromiter(placed.values(), np.bool_)


def audit_set(pool: Pool, held: Collection[int] = ()) -> tuple[Ints, int]:
    """Return the rows of the audit set, and how many of its tasks nobody would answer.

    The audit set is the longest prefix of the audit order in which every task is resolved, by
    whatever route: stopping at the first gap is what keeps it a uniform sample.

    Parameters
    ----------
    held : collection of int
        Ids of tasks that wait for so long that they count as skipped.
    """
    order = np.argsort(pool.u, kind="stable")
    open_tasks = ~pool.resolved[order] & ~np.isin(pool.ids[order], list(held))
    prefix = order[: int(open_tasks.argmax())] if open_tasks.any() else order
    rows = prefix[np.isin(prefix, pool.labeled)]
    return rows, len(prefix) - len(rows)


def _unplaced(rows: Ints, placed: Collection[int]) -> Iterator[int]:
    return (row for row in rows.tolist() if row not in placed)
