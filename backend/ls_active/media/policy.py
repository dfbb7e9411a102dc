"""What may be fetched, and how much of it."""

from __future__ import annotations

from dataclasses import dataclass

from ls_active.media.address import host_name

ANY_HOST = "*"


@dataclass(frozen=True)
class MediaPolicy:
    """What may be fetched, and how much of it.

    Attributes
    ----------
    hosts : tuple of str
        Host names, besides Label Studio's, that values may name; ``"*"`` for any.
    private : bool
        Whether these, and the storage that Label Studio sends us to, may be in a private network.
    aliases : tuple of str
        Further addresses of Label Studio, such as its LABEL_STUDIO_HOST.
    max_bytes : int
        Of one file.
    seconds : float
        For one file, from the look-up of its host to the last byte.
    concurrency : int
        Files fetched at once.
    cache_bytes : int
        Of the files kept on disk.

    Raises
    ------
    ValueError
        If one of `hosts` is no host name.
    """

    hosts: tuple[str, ...] = ()
    private: bool = False
    aliases: tuple[str, ...] = ()
    max_bytes: int = 50 * 2**20
    seconds: float = 20.0
    concurrency: int = 8
    cache_bytes: int = 2**30

    def __post_init__(self) -> None:
        names = (name if name == ANY_HOST else host_name(name) for name in self.hosts)
        object.__setattr__(self, "hosts", tuple(names))

    def allows(self, host: str) -> bool:
        """Say whether values may name this host."""
        return ANY_HOST in self.hosts or host.rstrip(".") in self.hosts
