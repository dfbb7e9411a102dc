"""The core of an automatic active-learning loop: arrays in, an ordered queue out.

Pure functions of numpy arrays: no input or output, no environment, no global state.
"""

from active_learning.audit import audit_set, interleave, uniform_order
from active_learning.errors import (
    ActiveLearningError,
    InvalidInput,
    NotEnoughLabels,
    UnknownComponent,
    Unreadable,
)
from active_learning.loop import estimate_audit, fit, rank, restore
from active_learning.outcomes import (
    AuditEstimate,
    Figures,
    Fit,
    Model,
    Opinion,
    Queue,
    Verdict,
)
from active_learning.protocols import Featurizer, Learner, QueryStrategy, UnitFeaturizer
from active_learning.registry import (
    discover,
    featurizer_of,
    learner_of,
    strategy_named,
    unit_featurizer_of,
)
from active_learning.simulation import Round, Setup, simulate
from active_learning.types import (
    OUTSIDE,
    UNLABELED,
    Answer,
    Block,
    Candidates,
    Kind,
    Pool,
    Reason,
    Serving,
    Units,
)

__all__ = [
    "OUTSIDE",
    "UNLABELED",
    "ActiveLearningError",
    "Answer",
    "AuditEstimate",
    "Block",
    "Candidates",
    "Featurizer",
    "Figures",
    "Fit",
    "InvalidInput",
    "Kind",
    "Learner",
    "Model",
    "NotEnoughLabels",
    "Opinion",
    "Pool",
    "QueryStrategy",
    "Queue",
    "Reason",
    "Round",
    "Serving",
    "Setup",
    "UnitFeaturizer",
    "Units",
    "UnknownComponent",
    "Unreadable",
    "Verdict",
    "audit_set",
    "discover",
    "estimate_audit",
    "featurizer_of",
    "fit",
    "interleave",
    "learner_of",
    "rank",
    "restore",
    "simulate",
    "strategy_named",
    "uniform_order",
    "unit_featurizer_of",
]
