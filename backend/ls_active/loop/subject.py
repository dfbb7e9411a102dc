"""What one run is about."""

from __future__ import annotations

from dataclasses import dataclass

from ls_active.label_studio.client import Project
from ls_active.labeling.inputs import Inputs
from ls_active.labeling.label_config import LabelConfig
from ls_active.labeling.plan import Plan
from ls_active.sync.cursor import Sync
from ls_active.sync.mirror import Mirror


@dataclass(frozen=True, eq=False)
class Subject:
    """One project as just read from Label Studio, and what of it is learned.

    `contested` means that somebody else steers the queue for now: publish nothing.
    """

    project: Project
    config: LabelConfig
    plan: Plan
    inputs: Inputs
    mirror: Mirror
    sync: Sync
    contested: bool
