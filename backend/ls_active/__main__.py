"""``python -m ls_active`` is ``ls-active``."""

from ls_active.cli.main import main

main()
