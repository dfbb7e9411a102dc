"""Many runs in a short time: without what only costs time where nothing is measured."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from active_learning import loop


@contextmanager
def quick() -> Iterator[None]:
    """Write without waiting for the disk, compute in one thread, start in any order."""
    with threadpool_limits(1), pytest.MonkeyPatch.context() as patch:
        # A process that is killed loses nothing that was written.
        patch.setattr(os, "fsync", lambda handle: None)
        # Clustering is most of the time and none of the effects.
        patch.setattr(loop, "spread", _in_order)
        yield


def _in_order(X: Any, k: int, *, rng: np.random.Generator, asked: Any) -> Any:
    return np.setdiff1d(np.arange(X.shape[0]), asked)[:k]
