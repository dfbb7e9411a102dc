"""`ls-active serve` with workers that can be told where to die: see `fragile_worker`.

``python -m tests.harness.fragile_serve CONTROL``, with the service's environment.
"""

from __future__ import annotations

import sys
from dataclasses import replace

from ls_active import stack
from ls_active.engine.supervisor import Process
from ls_active.settings import Settings, get_settings

_process = stack._process


def _fragile(role: str, settings: Settings, name: str = "") -> Process:
    process = _process(role, settings, name)
    if role != "worker":
        return process
    return replace(
        process, argv=[sys.executable, "-m", "tests.harness.fragile_worker", sys.argv[1]]
    )


if __name__ == "__main__":
    stack._process = _fragile
    sys.exit(stack.serve(get_settings()))
