"""Connections that end at the very address that was checked.

A name is looked up once, when the connection is made; what was found is checked and connected to.
Looked up again after the check, a name can point elsewhere (DNS rebinding). HTTP and TLS go on as
if to the name: Host, SNI and the certificate are about it. Proxies of the environment are not used:
behind one nobody can tell which address is connected to.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpcore

from ls_active.media.errors import MediaError, MediaProblem

CONNECT_SECONDS = 5.0
"""For one address; a host may have several, and the first be dead."""

LOOK_UPS = 8
"""Names looked up at once."""

_SPECIAL = tuple(
    ipaddress.ip_network(block)
    for block in (
        "192.0.0.0/24",  # IETF protocol assignments: a router's own services
        "168.63.129.16/32",  # Azure answers its virtual machines here
        "2001::/23",  # Teredo and other tunnels
        "2002::/16",  # 6to4
    )
)
_IPV6_UNICAST = ipaddress.IPv6Network("2000::/3")  # All that was ever given out.
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def is_public(address: str) -> bool:
    """Say whether an IP address is one of the public Internet.

    `ipaddress` alone takes multicast, IPv4 in IPv6 and unassigned blocks for global, and what it
    takes for global differs between Python versions.
    """
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False  # A look-up may answer `0`, which connects to this machine.
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped or ip in _NAT64:
            ip = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        elif ip not in _IPV6_UNICAST:
            return False
    special = any(ip in block for block in _SPECIAL)
    return ip.is_global and not ip.is_multicast and not special


class Network:
    """Names to addresses, addresses to connections."""

    def resolve(self, host: str, port: int) -> Sequence[str]:
        """Return the IP addresses of a host."""
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return list(dict.fromkeys(str(item[4][0]) for item in found))

    def connect(self, address: str, port: int, seconds: float) -> httpcore.NetworkStream:
        """Return a TCP connection to an IP address."""
        return httpcore.SyncBackend().connect_tcp(address, port, timeout=seconds)


class CheckedNetwork(httpcore.NetworkBackend):
    """A backend of httpcore that refuses private addresses, and whose timeouts are moments.

    httpcore hands every timeout on as it got it, and begins anew with each piece that arrives: a
    server that drips would never time out. So here a timeout is a moment of `time.monotonic`, by
    which everything must be done.

    Parameters
    ----------
    network : Network
    own : tuple of (str, int)
        Host and port that may have any address: Label Studio's.
    private : bool
        Whether all others may, too.
    """

    def __init__(self, network: Network, own: tuple[str, int], *, private: bool) -> None:
        self._network = network
        self._own = own
        self._private = private
        # Looking up a name knows no timeout: it is waited for from outside.
        self._threads = ThreadPoolExecutor(LOOK_UPS, thread_name_prefix="media-look-up")

    def close(self) -> None:
        """Begin no further look-ups."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,  # noqa: ARG002 - httpcore's signature
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,  # noqa: ARG002
    ) -> httpcore.NetworkStream:
        """Return a connection to the first address of `host` that may be and that answers."""
        failure: httpcore.ConnectError | httpcore.ConnectTimeout | None = None
        for address in self._checked(host, port, timeout):
            try:
                seconds = min(CONNECT_SECONDS, _left(timeout))
                return _Stream(self._network.connect(address, port, seconds))
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure or httpcore.ConnectError("it has no address")

    def _checked(self, host: str, port: int, moment: float | None) -> list[str]:
        found = self._look_up(host, port, moment)
        if self._private or (host, port) == self._own:
            return found
        public = [address for address in found if is_public(address)]
        if found and not public:
            raise MediaError(
                MediaProblem.PRIVATE_ADDRESS,
                f"{host[:100]} is in a private network, where media are not read from"
                " (media_private would allow it)",
            )
        return public

    def _look_up(self, host: str, port: int, moment: float | None) -> list[str]:
        future = self._threads.submit(self._network.resolve, host, port)
        try:
            return list(future.result(_left(moment)))
        except TimeoutError as error:
            future.cancel()
            raise httpcore.ConnectTimeout("its name was not found in time") from error
        except (OSError, ValueError) as error:
            raise httpcore.ConnectError("no such host") from error


class _Stream(httpcore.NetworkStream):
    """A connection whose timeouts are moments."""

    def __init__(self, inner: httpcore.NetworkStream) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, _left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, _left(timeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, _left(timeout)))

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


def _left(moment: float | None) -> float:
    """Return the seconds until a moment; without one there are none."""
    seconds = (moment or 0.0) - time.monotonic()
    if seconds <= 0:
        raise httpcore.ReadTimeout("the time is over")
    return seconds
