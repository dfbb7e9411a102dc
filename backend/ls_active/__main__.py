"""``python -m ls_active`` is ``ls-active``."""

from ls_active.cli import main

main()
