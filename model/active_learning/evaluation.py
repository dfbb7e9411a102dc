"""How good a model is, on which labels, and how sure that is."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from active_learning.errors import InvalidInput
from active_learning.features import document_frequency, is_sparse, similarity
from active_learning.types import Features, Floats, Ints

NEAR_DUPLICATE = 0.95
"""Cosine from which two tasks count as the same question. 0.80 destroyed the gain of margin on
two data sets of four, 0.95 cost nothing on any."""

NARROW = 64
"""Columns in use below which different tasks come within that cosine by chance, and only equal
rows are the same question: on a table of four columns, chains of neighbours tied all of 569 rows
into one group, and nothing could be left out."""

SAMPLE = 1_000
"""Rows looked at to tell how many columns are in use."""

EQUAL = 1 - 1e-5
"""Cosine of equal rows, as float32 has it."""

GROUP_BLOCK = 512
"""Rows compared with all others at once."""

CALIBRATION_NEEDED = 100
"""Labels of a uniform sample from which the calibration error is told: at 50, that of a perfectly
calibrated model still looks like 0.05."""

Z95 = 1.959963984540054
"""Two-sided 95 % quantile of the standard normal."""


def wilson(successes: float, n: int) -> tuple[float, float]:
    """Return the 95 % interval of a share; ``(0, 1)`` for nothing.

    Of a mean of n numbers in [0, 1], given as their sum, it is never too narrow: none of the same
    mean vary more than zeros and ones.

    References
    ----------
    Wilson (1927), Probable inference, the law of succession, and statistical inference. JASA.

    Raises
    ------
    InvalidInput
        More successes than tries, or fewer than none.
    """
    if not -1e-9 <= successes <= n + 1e-9:
        raise InvalidInput(f"{successes} successes out of {n} are impossible")
    if n == 0:
        return 0.0, 1.0
    share = successes / n
    scale = 1 + Z95**2 / n
    centre = (share + Z95**2 / (2 * n)) / scale
    half = Z95 * np.sqrt(share * (1 - share) / n + Z95**2 / (4 * n**2)) / scale
    # The share itself is within, whatever rounding makes of the ends.
    return max(0.0, min(share, float(centre - half))), min(1.0, max(share, float(centre + half)))


def calibration_error(confidence: Floats, right: NDArray[Any]) -> float:
    """Return how far confidence is from the share of right answers, on average over tasks.

    The expected calibration error over as many bins of equal size as leave the share of right
    answers ascending: fixed bins are too wide for many labels, and for few they measure noise.

    Parameters
    ----------
    confidence : (n,)
        In [0, 1], of each answer.
    right : (n,)
        Whether it was right.

    Raises
    ------
    InvalidInput
        There is nothing, or the lengths differ.

    References
    ----------
    Roelofs et al. (2022), Mitigating bias in calibration error estimation. AISTATS.
    """
    n = len(confidence)
    if n == 0 or len(right) != n:
        raise InvalidInput(f"{n} confidences and {len(right)} answers make no calibration error")
    order = np.argsort(confidence, kind="stable")
    told, found = np.asarray(confidence)[order], np.asarray(right, dtype=np.float64)[order]
    error = abs(float(told.mean() - found.mean()))
    for bins in range(2, n + 1):
        starts = np.arange(bins) * n // bins
        sizes = np.diff(np.append(starts, n))
        shares = np.add.reduceat(found, starts) / sizes
        if np.any(np.diff(shares) < 0):
            break
        apart = np.abs(np.add.reduceat(told, starts) / sizes - shares)
        error = float(apart @ sizes) / n
    return error


def same_question(X: Features) -> float:
    """Return the cosine from which two rows of unit length count as the same question."""
    return EQUAL if _narrow(X) else NEAR_DUPLICATE


def near_duplicate_groups(
    X: Features, u: NDArray[np.uint64], *, cosines: Floats | None = None
) -> NDArray[np.uint64]:
    """Return a key a row, shape ``(n,)``, equal within a chain of near-duplicates.

    In a few columns, see `NARROW`, only rows that are equal have one key.

    The key is the smallest `u` among the members: unlike a running number it stays when other
    rows come or go, so a group stays in its fold from version to version.

    Parameters
    ----------
    X : (n, d)
        Rows of unit length.
    u : (n,)
        The audit order of the rows.
    cosines : (n, n), optional
        Their similarities, when they are at hand.
    """
    group = _equal(X) if _narrow(X) else _chained(X, cosines)
    keys = np.full(int(group.max(initial=-1)) + 1, np.iinfo(np.uint64).max, dtype=np.uint64)
    np.minimum.at(keys, group, u)
    return np.asarray(keys[group])


def _narrow(X: Features) -> bool:
    sample = X[:: max(X.shape[0] // SAMPLE, 1)]
    return int(np.count_nonzero(document_frequency(sample))) < NARROW


def _equal(X: Features) -> Ints:
    used = np.flatnonzero(document_frequency(X))
    rows = X[:, used].toarray() if is_sparse(X) else X[:, used]
    return np.asarray(np.unique(rows, axis=0, return_inverse=True)[1], dtype=np.int64).ravel()


def _chained(X: Features, cosines: Floats | None) -> Ints:
    """Return the group of each row: those of close pairs, and of pairs of pairs."""
    n = X.shape[0]
    group = np.arange(n, dtype=np.int64)
    for start in range(0, n, GROUP_BLOCK):
        rows = slice(start, start + GROUP_BLOCK)
        block = similarity(X[rows], X) if cosines is None else cosines[rows]
        left, right = np.nonzero(block >= NEAR_DUPLICATE)
        # Groups so far stand for their pairs: in a crowd, all pairs would not fit into memory.
        ends = group[left + start], group[right]
        graph = coo_array((np.ones(len(left), dtype=np.float32), ends), shape=(n, n))
        group = connected_components(graph, directed=False)[1].astype(np.int64)[group]
    return group


def folds(groups: NDArray[np.uint64], n_folds: int, seed: int = 0) -> Ints:
    """Return the fold of each row, in ``[0, n_folds)``: by hash, so it never moves."""
    unique, inverse = np.unique(groups, return_inverse=True)
    hashes = [hashlib.sha256(f"{seed}:{key}".encode()).digest()[:8] for key in unique]
    of_group = np.frombuffer(b"".join(hashes), dtype=">u8") % n_folds
    return np.asarray(of_group.astype(np.int64)[inverse])
