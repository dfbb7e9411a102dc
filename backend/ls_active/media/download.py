"""One file over HTTP, along its redirects.

An address comes from whoever may import a task, so it was chosen by a stranger. What is sent where
is decided anew at each redirect: our key only to Label Studio, and there only to the routes of its
files; connections only to hosts that are allowed, in the public Internet (`network`).
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

import httpcore
import httpx

from ls_active import __version__
from ls_active.media.address import LabelStudioAddress, origin_of, parse, shown_host
from ls_active.media.errors import MediaError, MediaProblem, network_error
from ls_active.media.network import CheckedNetwork, Network
from ls_active.media.patience import Patience
from ls_active.media.policy import MediaPolicy

MAX_REDIRECTS = 5
KEEP_ALIVE_SECONDS = 1.0
"""Shorter than servers wait, so that none closes a connection just as we use it again."""

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_HEADERS = {
    "User-Agent": f"ls-active/{__version__}",
    "Accept": "*/*",
    # Unpacked, a small answer may have any size; files of these kinds are packed already.
    "Accept-Encoding": "identity",
}
_KEY_HINT = "; may the user of our key see this file, and is this where Label Studio has files?"


@dataclass(frozen=True)
class _Hop:
    """One address on the way to a file.

    Attributes
    ----------
    at_home : bool
        Whether it and all before are Label Studio's own. Our key does not come back from abroad: a
        stranger's server could else choose what we read with it.
    granted : bool
        Whether Label Studio, asked for a file with our key, sent us here or to one before. Then it
        is the storage that an admin set up, and its host needs no leave of ours. A private address
        does, for whoever may add a storage to a project is no admin of our network.
    """

    url: httpx.URL
    at_home: bool
    granted: bool = False


class Downloader:
    """Reads files over HTTP.

    Parameters
    ----------
    label_studio : LabelStudioAddress
    headers : callable
        Returns the headers that authorise us there.
    policy : MediaPolicy
    network : Network
    """

    def __init__(
        self,
        label_studio: LabelStudioAddress,
        headers: Callable[[], Mapping[str, str]],
        policy: MediaPolicy,
        network: Network,
    ) -> None:
        self._label_studio = label_studio
        self._headers = headers
        self._policy = policy
        self._patience = Patience()
        self._network = CheckedNetwork(network, label_studio.origin[1:], private=policy.private)
        self._pool = httpcore.ConnectionPool(
            ssl_context=trusted_certificates(),
            max_connections=None,
            max_keepalive_connections=policy.concurrency,
            keepalive_expiry=KEEP_ALIVE_SECONDS,
            network_backend=self._network,
        )

    def close(self) -> None:
        """Close the connections."""
        self._network.close()
        self._pool.close()

    def check(self, url: httpx.URL) -> None:
        """Raise MediaError if a value may not name this address."""
        self._check(self._first(url))

    def read(self, url: httpx.URL) -> bytes:
        """Return the file at an address; raise MediaError if there is none to be had."""
        moment = time.monotonic() + self._policy.seconds
        hop = self._first(url)
        for _ in range(MAX_REDIRECTS + 1):
            self._check(hop)
            answer = self._ask_patiently(hop, moment)
            if isinstance(answer, bytes):
                return answer
            hop = answer
        raise MediaError(
            MediaProblem.TOO_MANY_REDIRECTS,
            f"{self._shown(hop)} is beyond {MAX_REDIRECTS} redirects; do they go in a circle?",
        )

    def _first(self, url: httpx.URL) -> _Hop:
        return _Hop(url, at_home=self._label_studio.owns(url))

    def _check(self, hop: _Hop) -> None:
        allowed = hop.granted or self._policy.allows(origin_of(hop.url)[1])
        if not (allowed or self._label_studio.owns(hop.url)):
            raise MediaError(
                MediaProblem.HOST_NOT_ALLOWED,
                f"{shown_host(hop.url)} is no host that media are read from; MEDIA_HOSTS lists"
                " those that are",
            )

    def _ask_patiently(self, hop: _Hop, moment: float) -> bytes | _Hop:
        host = shown_host(hop.url)
        self._patience.check(host)
        try:
            answer = self._ask(hop, moment)
        except MediaError as error:
            self._patience.heard(host, error)
            raise
        self._patience.heard(host)
        return answer

    def _ask(self, hop: _Hop, moment: float) -> bytes | _Hop:
        """Return the file at `hop`, or where it sends us on."""
        keyed = hop.at_home and self._label_studio.is_file(hop.url)
        headers = _HEADERS | {"Host": hop.url.netloc.decode("ascii")}
        if keyed:
            headers |= self._headers()
        address = httpcore.URL(
            scheme=hop.url.raw_scheme,
            host=hop.url.raw_host,
            port=hop.url.port,
            target=hop.url.raw_path,
        )
        timeouts = dict.fromkeys(("connect", "read", "write"), moment)
        try:
            with self._pool.stream(
                "GET", address, headers=list(headers.items()), extensions={"timeout": timeouts}
            ) as response:
                location = _header(response, b"location")
                if response.status in _REDIRECTS and location:
                    return self._next(hop, location, keyed=keyed)
                return self._body(response, hop)
        except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError) as error:
            raise network_error(error, self._shown(hop)) from None

    def _next(self, hop: _Hop, location: str, *, keyed: bool) -> _Hop:
        try:
            url = self._label_studio.homed(parse(str(hop.url.join(location))))
        except (ValueError, httpx.InvalidURL):
            # From None: the error may quote the address.
            raise MediaError(
                MediaProblem.BAD_ADDRESS,
                f"{self._shown(hop)} redirects to something that is no http(s) address",
            ) from None
        at_home = hop.at_home and self._label_studio.owns(url)
        return _Hop(url, at_home, granted=hop.granted or keyed)

    def _body(self, response: httpcore.Response, hop: _Hop) -> bytes:
        self._refuse(response, hop)
        content = bytearray()
        for piece in response.iter_stream():
            content += piece
            if len(content) > self._policy.max_bytes:
                raise self._too_big(hop)
        return bytes(content)

    def _refuse(self, response: httpcore.Response, hop: _Hop) -> None:
        """Raise MediaError if the head of an answer says that no file follows."""
        where, status = self._shown(hop), response.status
        if status in {404, 410}:
            raise MediaError(MediaProblem.NOT_FOUND, f"{where}: no such file ({status})")
        if status != 200:
            hint = _KEY_HINT if status in {401, 403} and self._label_studio.owns(hop.url) else ""
            raise MediaError(MediaProblem.HTTP_STATUS, f"{where} answered {status}{hint}", status)
        encoding = _header(response, b"content-encoding")
        if encoding.lower() not in {"", "identity"}:
            raise MediaError(
                MediaProblem.ENCODED,
                f"{where} sends the file packed ({encoding[:20]!a}), though asked not to; store it"
                " without Content-Encoding",
            )
        if int(_header(response, b"content-length") or 0) > self._policy.max_bytes:
            raise self._too_big(hop)

    def _too_big(self, hop: _Hop) -> MediaError:
        return MediaError(
            MediaProblem.TOO_BIG,
            f"{self._shown(hop)}: more than {self._policy.max_bytes:,} bytes",
        )

    def _shown(self, hop: _Hop) -> str:
        if not self._label_studio.owns(hop.url):
            return shown_host(hop.url)
        path = hop.url.raw_path.partition(b"?")[0].decode("ascii")
        return f"Label Studio's {path[:120]}"


@cache
def trusted_certificates() -> ssl.SSLContext:
    """Return what servers are verified with; SSL_CERT_FILE is heeded, as by our other calls.

    Reading them takes a tenth of a second, and every project has a downloader.
    """
    return httpx.create_ssl_context()


def _header(response: httpcore.Response, name: bytes) -> str:
    found = (value for key, value in response.headers if key.lower() == name)
    return next(found, b"").decode("utf-8", "replace")
