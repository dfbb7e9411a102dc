"""Maximum normalised log-probability."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from active_learning.scoring import check_proba
from active_learning.types import Candidates, Floats


class Mnlp:
    """Ask about tasks whose tokens, or classes, are on average the least sure.

    The mean keeps long texts from coming first. With a class a task it is least confidence.

    Notes
    -----
    Each token counts with its own most likely class, not with that of the likeliest path.

    References
    ----------
    Shen et al. (2018), Deep active learning for named entity recognition. ICLR.
    """

    name: ClassVar[str] = "mnlp"

    def score(self, candidates: Candidates) -> Floats:
        """Return one less the geometric mean of the largest probabilities of a task's questions."""
        sure = check_proba(candidates.proba).max(axis=1, initial=0.0)
        task_of = candidates.task_of
        counts = np.maximum(np.bincount(task_of, minlength=candidates.tasks), 1)
        # A distribution has a largest entry of at least one over its classes.
        logs = np.bincount(task_of, np.log(sure), minlength=candidates.tasks) / counts
        return np.asarray(np.clip(1 - np.exp(logs), 0.0, 1.0)[task_of])
