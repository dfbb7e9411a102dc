"""Where the file of a value is, and whether that is in Label Studio."""

from __future__ import annotations

import re
from typing import TypeAlias

import httpx

from ls_active.media.errors import MediaError, MediaProblem

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):", re.IGNORECASE)
_HOST = re.compile(r"[0-9a-z._:-]+")
_FILE_ROUTE = re.compile(
    r"/(data/upload/.+|data/local-files/?|storage-data/uploaded/?|(tasks|projects)/\d+/resolve/)"
)
_DEFAULT_PORTS = {"http": 80, "https": 443}

Origin: TypeAlias = tuple[str, str, int]


def parse(text: str) -> httpx.URL:
    """Return an absolute http(s) address.

    Raises
    ------
    MediaError
        If it is something else, or holds a user name: no browser would fetch such an image either.
    """
    scheme = _SCHEME.match(text)
    if scheme is None:
        raise _bad("it must start with http://, https://, data: or /data/")
    if scheme[1].lower() not in _DEFAULT_PORTS:
        raise MediaError(
            MediaProblem.UNSUPPORTED_SCHEME,
            f"{scheme[1][:20].lower()}: addresses are not read from here; let Label Studio resolve"
            " them: add the storage to the project, with pre-signed URLs or the proxy",
        )
    try:
        url = httpx.URL(text)
    except (httpx.InvalidURL, ValueError):
        # From None: the error quotes the address.
        raise _bad("it cannot be parsed") from None
    if url.userinfo:
        raise _bad("it must not hold a user name or password")
    if not _HOST.fullmatch(_host_of(url)):
        raise _bad("its host name is missing or has characters that no host name has")
    if not 0 < origin_of(url)[2] < 2**16:
        raise _bad("its port must be 1 to 65535")
    return url


def origin_of(url: httpx.URL) -> Origin:
    """Return scheme, host and port."""
    port = _DEFAULT_PORTS[url.scheme] if url.port is None else url.port
    return url.scheme, _host_of(url), port


def host_name(name: str) -> str:
    """Return a host name as it is compared: lower case, IDNA, no dot at the end.

    Raises
    ------
    ValueError
        If it is none; with a scheme, a port or a path it is none.
    """
    plain = name.strip()
    try:
        host = _host_of(httpx.URL(scheme="http", host=plain, path="/"))
    except (httpx.InvalidURL, ValueError):
        host = ""
    if not _HOST.fullmatch(host):
        raise ValueError(f"must be a host name such as images.example, got {name[:80]!r}")
    return host.rstrip(".")


def shown_host(url: httpx.URL) -> str:
    """Return host and port, short enough for a message."""
    return url.netloc.decode("ascii")[:100]


class LabelStudioAddress:
    """Tells Label Studio's own files from others.

    Parameters
    ----------
    base_url : str
        Where Label Studio answers us, a base path included.
    aliases : sequence of str
        Further addresses that it has for others. Where LABEL_STUDIO_HOST is set, Label Studio
        writes that one before its own files; they are read from `base_url` all the same.

    Attributes
    ----------
    origin : Origin
        Scheme, host and port: all that our key may be sent to.

    Raises
    ------
    ValueError
        If one of them is no address.
    """

    def __init__(self, base_url: str, aliases: tuple[str, ...] = ()) -> None:
        base = parse(base_url)
        self.origin = origin_of(base)
        self._root = f"{base.scheme}://{base.netloc.decode('ascii')}"
        self._path = _prefix(base)
        self._aliases = {origin_of(url): _prefix(url) for url in map(parse, aliases)}

    def locate(self, value: str) -> httpx.URL:
        """Return the absolute address of a value; raise MediaError if it has none."""
        if value.startswith("//"):
            return self.homed(parse(f"{self.origin[0]}:{value}"))
        if value.startswith("/"):
            return self._at_home(value, self._path)
        return self.homed(parse(value))

    def homed(self, url: httpx.URL) -> httpx.URL:
        """Return `url`, at the address where we reach Label Studio if it is there by another."""
        origin = origin_of(url)
        if origin == self.origin or origin not in self._aliases:
            return url
        return self._at_home(url.raw_path.decode("ascii"), self._aliases[origin])

    def owns(self, url: httpx.URL) -> bool:
        """Say whether `url` is at Label Studio's own origin."""
        return origin_of(url) == self.origin

    def is_file(self, url: httpx.URL) -> bool:
        """Say whether `url` is one of the routes by which Label Studio hands out files.

        Whoever may import a task chooses its values. Sent along elsewhere, our key would read the
        API for them.
        """
        path = url.raw_path.partition(b"?")[0].decode("ascii")
        return (
            self.owns(url)
            and path.startswith(f"{self._path}/")
            and _FILE_ROUTE.fullmatch(path.removeprefix(self._path)) is not None
            # `url.path` is decoded, as a proxy between us may do before it climbs.
            and ".." not in re.split(r"[/\\]", url.path)
        )

    def _at_home(self, target: str, prefix: str) -> httpx.URL:
        if prefix and target.startswith(f"{prefix}/"):
            target = target.removeprefix(prefix)
        return parse(f"{self._root}{self._path}{target}")


def _host_of(url: httpx.URL) -> str:
    return url.raw_host.decode("ascii")


def _prefix(url: httpx.URL) -> str:
    return url.raw_path.partition(b"?")[0].decode("ascii").rstrip("/")


def _bad(reason: str) -> MediaError:
    return MediaError(MediaProblem.BAD_ADDRESS, f"the value is no address of a file: {reason}")
