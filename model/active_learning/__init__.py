"""The core of an automatic active-learning loop: arrays in, an ordered queue out.

Pure functions of numpy arrays: no input or output, no environment, no global state.
"""

from active_learning.audit import audit_set, interleave, uniform_order
from active_learning.errors import (
    ActiveLearningError,
    InvalidInput,
    NotEnoughLabels,
    UnknownComponent,
)
from active_learning.loop import estimate_audit, fit, rank, restore
from active_learning.registry import discover, featurizer_for, strategy_named
from active_learning.types import (
    UNLABELED,
    AuditEstimate,
    Candidates,
    Featurizer,
    Figures,
    Fit,
    Model,
    Pool,
    QueryStrategy,
    Queue,
    Reason,
    Serving,
)

__all__ = [
    "UNLABELED",
    "ActiveLearningError",
    "AuditEstimate",
    "Candidates",
    "Featurizer",
    "Figures",
    "Fit",
    "InvalidInput",
    "Model",
    "NotEnoughLabels",
    "Pool",
    "QueryStrategy",
    "Queue",
    "Reason",
    "Serving",
    "UnknownComponent",
    "audit_set",
    "discover",
    "estimate_audit",
    "featurizer_for",
    "fit",
    "interleave",
    "rank",
    "restore",
    "strategy_named",
    "uniform_order",
]
