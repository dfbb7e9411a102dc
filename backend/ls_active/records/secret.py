"""Secrets kept in the local data folder: the server's own, and the token that /setup brought."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import threading
from contextlib import suppress
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from ls_active.errors import StoreError
from ls_active.settings import Settings

SECRET_HEADER = "X-Active-Learning-Secret"  # noqa: S105 - the header's name


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


def keep_setup_token(settings: Settings, token: str, hostname: str) -> None:
    """Keep the token of a /setup where that is allowed and it came from our Label Studio.

    Anybody can say so: the token is only ever sent to ``LABEL_STUDIO_URL``, one that works is not
    replaced, and `drop_setup_token` forgets one that does not.
    """
    path = settings.local_dir / "setup-token"
    ours = urlsplit(settings.label_studio_url).netloc
    wanted = settings.allow_setup_token and not settings.label_studio_api_key.get_secret_value()
    if wanted and token and urlsplit(hostname).netloc == ours and not path.exists():
        with suppress(FileExistsError):
            _write(path, token)


def drop_setup_token(settings: Settings) -> None:
    """Forget the token of /setup, so that the next one is kept."""
    (settings.local_dir / "setup-token").unlink(missing_ok=True)


def api_key(settings: Settings) -> str:
    """Return the configured key, or the token of /setup where that is allowed, or nothing."""
    configured = settings.label_studio_api_key.get_secret_value()
    path = settings.local_dir / "setup-token"
    if configured or not settings.allow_setup_token or not path.exists():
        return configured
    return path.read_text()


def webhook_secret(settings: Settings, uid: str) -> str:
    """Return the secret that the webhook of a project carries, good for nothing else."""
    return hmac.new(server_secret(settings), uid.encode(), hashlib.sha256).hexdigest()


@cache
def _read_or_make(path: Path) -> bytes:
    if not path.exists():
        # Where another process of ours was first, its secret is the one.
        with suppress(FileExistsError):
            _write(path, secrets.token_hex(32))
    return path.read_bytes()


def _write(path: Path, text: str) -> None:
    """Create a file that only we can read, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}-{os.getpid()}-{threading.get_ident()}")
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(text)
    try:
        os.link(beside, path)
    finally:
        beside.unlink()
