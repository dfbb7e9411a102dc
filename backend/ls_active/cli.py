"""The command line."""

from __future__ import annotations

import sys

from ls_active import stack
from ls_active.settings import get_settings


def main() -> None:
    """Run."""
    sys.exit({"serve": stack.serve, "worker": stack.work}[sys.argv[1]](get_settings()))
