"""Free ports of the loopback address."""

from __future__ import annotations

import socket

_SECONDS = 2.0


def free_port(wish: int = 0) -> int:
    """Return a port that can be used: the wish, if it can.

    Raises
    ------
    OSError
        If none can.
    """
    try:
        return try_port(wish)
    except OSError:
        return try_port(0)


def try_port(port: int) -> int:
    """Return the port if we can listen on it and are reached there; 0 stands for any.

    Raises
    ------
    OSError
        If it cannot be used, with the reason as `strerror`.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))
        probe.listen()
        probe.settimeout(_SECONDS)
        address = probe.getsockname()
        try:
            with socket.create_connection(address, _SECONDS) as caller:
                reached, sender = probe.accept()
                reached.close()
                ours = sender == caller.getsockname()
        except OSError:
            ours = False
        if not ours:
            # A container's published port can be taken without anybody listening on it.
            raise OSError(0, "connections to it are sent elsewhere by the firewall")
        return int(address[1])
