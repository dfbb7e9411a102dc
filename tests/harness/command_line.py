"""Our command line in this process: what it imports takes seconds, and is imported here already."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from ls_active.cli import main as cli
from ls_active.console import terminal
from ls_active.settings import get_settings

WIDTH = 200
"""Columns of the terminal it believes in: no words that tests look for are wrapped."""


@dataclass(frozen=True)
class Done:
    """What a command did."""

    returncode: int
    stdout: str
    stderr: str


def run_here(*arguments: str, env: Mapping[str, str]) -> Done:
    """Run a command with these settings, and give this process its own ones back."""
    out, err = io.StringIO(), io.StringIO()
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        for name, value in env.items():
            patch.setenv(name, value)
        patch.setattr(sys, "argv", ["ls-active", *arguments])
        patch.setattr(terminal._out, "width", WIDTH)
        get_settings.cache_clear()
        try:
            cli.main()
        except SystemExit as ended:
            code = ended.code
        else:
            code = 0
        finally:
            get_settings.cache_clear()
    return Done(
        code if isinstance(code, int) else int(code is not None), out.getvalue(), err.getvalue()
    )
