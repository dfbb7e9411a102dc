"""Who may knock: basic auth for every route but ``GET /``, and one more key for the webhook.

Label Studio sends the basic auth of a connection along with every call but the webhooks, which it
sends with the headers of the webhook's row. That row holds a secret of the project, so that the
password never has to be stored in Label Studio.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import ipaddress
from collections.abc import Mapping

from ls_active.errors import Unauthorized
from ls_active.records.secret import SECRET_HEADER
from ls_active.settings import Settings


class Guard:
    """Checks credentials in constant time.

    Parameters
    ----------
    settings : Settings
        Without ``BASIC_AUTH_USER`` and ``BASIC_AUTH_PASS`` every door is open.
    """

    def __init__(self, settings: Settings) -> None:
        user, password = settings.basic_auth_user, settings.basic_auth_pass.get_secret_value()
        self._accepted = _spellings(f"{user}:{password}") if user or password else ()

    @property
    def closed(self) -> bool:
        """Whether credentials are asked for at all."""
        return bool(self._accepted)

    def admits(self, headers: Mapping[str, str]) -> bool:
        """Whether a request may use any route."""
        if not self.closed:
            return True
        given = _basic_credentials(headers.get("authorization") or "")
        # Every spelling is compared, whichever fits: stopping early would tell.
        matches = [hmac.compare_digest(given, accepted) for accepted in self._accepted]
        return True in matches

    def check(self, headers: Mapping[str, str]) -> None:
        """Let a request pass.

        Raises
        ------
        Unauthorized
            Basic auth is configured, and this request has none or the wrong one.
        """
        if not self.admits(headers):
            raise Unauthorized(
                "basic auth is required: give the connection in Label Studio the user and password "
                "of BASIC_AUTH_USER and BASIC_AUTH_PASS"
            )

    def may_be_webhook(self, headers: Mapping[str, str]) -> None:
        """Turn away a webhook with no credentials at all, before its body is read.

        Raises
        ------
        Unauthorized
            See above.
        """
        if not headers.get(SECRET_HEADER.lower()):
            self.check(headers)

    def check_webhook(self, headers: Mapping[str, str], secret: str | None) -> None:
        """Let a webhook of one project pass.

        Parameters
        ----------
        headers : mapping
            Of the request; looked up in lower case.
        secret : str or None
            What the project's webhook must carry; None: the event names no project.

        Raises
        ------
        Unauthorized
            The secret is wrong, even where no basic auth is configured: a webhook that carries one
            was set up by us, or by someone who should hear that it went stale.
        """
        given = headers.get(SECRET_HEADER.lower())
        if given and not (self.closed and self.admits(headers)):
            if secret is None or not _same(given, secret):
                raise Unauthorized(f"{SECRET_HEADER} is wrong; `ls-active doctor --fix` renews it")
            return
        self.check(headers)


def _spellings(credentials: str) -> tuple[bytes, ...]:
    """Return what clients send: requests, and so Label Studio, prefers Latin-1, curl UTF-8."""
    utf8, latin = credentials.encode(), credentials.encode("latin-1", "replace")
    return (utf8,) if utf8 == latin or latin.decode("latin-1") != credentials else (utf8, latin)


def _basic_credentials(header: str) -> bytes:
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return b""
    try:
        return base64.b64decode(encoded.strip(), validate=True)
    except (binascii.Error, ValueError):
        return b""


def _same(given: str, expected: str) -> bool:
    # compare_digest refuses non-ASCII text, and a header may hold any.
    return hmac.compare_digest(given.encode(), expected.encode())


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what listens there."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
