"""Who may press a button: pages of our own origin, with a token that only they can read.

A browser sends basic auth along with whatever page asks it to, and a service on the loopback
address has no password at all. So an action needs a signed token from one of our pages, the
browser's own word that the page was ours, and a Host that no stranger's name server can point here.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import time
from collections.abc import Mapping
from urllib.parse import urlsplit

from ls_active.errors import Forbidden
from ls_active.records.secret import server_secret
from ls_active.settings import Settings

TOKEN_SECONDS = 12 * 3600
"""How long a page that stays open can be used."""

TOKEN_HEADER = "X-Active-Learning-Token"  # noqa: S105 - the header's name

_PURPOSE = b"dashboard token"

SECURITY_HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""Of every page: no inline script or style, nothing from elsewhere, in nobody's frame."""


class Door:
    """Makes and checks tokens.

    Parameters
    ----------
    settings : Settings
        The server secret signs; without basic auth the Host is checked.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._public = urlsplit(settings.public_url).netloc.lower()
        self._open = not settings.basic_auth_user

    def token(self) -> str:
        """Return a token that is good for twelve hours."""
        return self._signed(str(int(time.time())))

    def check_host(self, headers: Mapping[str, str]) -> None:
        """Let a request pass whose Host no stranger can have pointed here.

        Raises
        ------
        Forbidden
            Where no password guards the page: a name with a dot is a name of the public Internet.
        """
        host = headers.get("host", "").lower()
        if self._open and host != self._public and not _is_local_name(host):
            raise Forbidden(
                f"no password guards this page, so it answers to addresses only, not to {host!r}: "
                "set PUBLIC_URL to this address, or BASIC_AUTH_USER and BASIC_AUTH_PASS"
            )

    def check_action(self, headers: Mapping[str, str], token: str) -> None:
        """Let an action pass that one of our own pages asks for.

        Raises
        ------
        Forbidden
            It comes from elsewhere, or its token is missing, forged or old.
        """
        self.check_origin(headers)
        made_at = token.partition(".")[0]
        fresh = made_at.isdecimal() and 0 <= time.time() - int(made_at[:18]) < TOKEN_SECONDS
        if not (fresh and hmac.compare_digest(token.encode(), self._signed(made_at).encode())):
            raise Forbidden("the page is too old, or not ours: load it again, then press once more")

    def check_origin(self, headers: Mapping[str, str]) -> None:
        """Let a request pass that no page of another site sent.

        Raises
        ------
        Forbidden
            The browser says so. It would add the password, or reach what needs none here.
        """
        if not self._same_origin(headers):
            raise Forbidden("a page of another site sent this; only our own may")

    def _same_origin(self, headers: Mapping[str, str]) -> bool:
        """Believe the browser; what sends neither header is no browser."""
        if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            return False
        origin = headers.get("origin")
        if origin is None:
            return True
        # A reverse proxy may have changed Host: then PUBLIC_URL says what browsers see.
        ours = {headers.get("host", "").lower(), self._public} - {""}
        return _netloc(origin) in ours

    def _signed(self, made_at: str) -> str:
        message = _PURPOSE + made_at.encode()
        digest = hmac.new(server_secret(self._settings), message, hashlib.sha256).hexdigest()
        return f"{made_at}.{digest}"


def _netloc(address: str) -> str:
    try:
        return urlsplit(address).netloc.lower()
    except ValueError:
        return ""


def _is_local_name(host: str) -> bool:
    """Whether a Host is an address, or a name that only this network knows."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return "." not in name.rstrip(".") or name.endswith(".localhost")
    return True
