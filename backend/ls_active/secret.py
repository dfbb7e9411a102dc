"""The server's own secret, from the settings or made once and kept in the data folder."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from ls_active.errors import StoreError
from ls_active.settings import Settings


def server_secret(settings: Settings) -> bytes:
    """Return the secret that signs webhook secrets.

    Raises
    ------
    StoreError
        If it can neither be read nor written.
    """
    configured = settings.server_secret.get_secret_value()
    if configured:
        return configured.encode()
    path = settings.local_dir / "server-secret"
    try:
        return _read_or_make(path)
    except OSError as error:
        raise StoreError(f"cannot use {path}: {error.strerror or error}") from error


def _read_or_make(path: Path) -> bytes:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f".{path.name}-{os.getpid()}")
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_hex(32))
        try:
            os.link(beside, path)
        except FileExistsError:
            pass  # Another process of ours was first: its secret is the one.
        finally:
            beside.unlink()
    return path.read_bytes()
