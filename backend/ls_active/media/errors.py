"""Why a file could not be read, in words that may be shown to anybody."""

from __future__ import annotations

from enum import StrEnum

import httpcore

from active_learning.errors import Unreadable

# 401 is about our key; 424 is how Label Studio says that the storage behind it failed.
_PASSING_STATUS = frozenset({401, 408, 424, 425, 429})


class MediaProblem(StrEnum):
    """What kind of thing was wrong; counted and shown by name."""

    BAD_ADDRESS = "bad address"
    BAD_DATA_URL = "bad data URL"
    UNSUPPORTED_SCHEME = "unsupported scheme"
    HOST_NOT_ALLOWED = "host not allowed"
    PRIVATE_ADDRESS = "private address"
    UNREACHABLE = "unreachable"
    TOO_MANY_REDIRECTS = "too many redirects"
    NOT_FOUND = "not found"
    HTTP_STATUS = "HTTP status"
    ENCODED = "encoded"
    BROKEN_OFF = "broken off"
    EMPTY = "empty"
    TOO_BIG = "too big"
    TOO_SLOW = "too slow"


_PASSING = frozenset({MediaProblem.UNREACHABLE, MediaProblem.BROKEN_OFF, MediaProblem.TOO_SLOW})


class MediaError(Unreadable):
    """Raised when one file cannot be read.

    The message names a host, and of a file in Label Studio the path; never a query, for those hold
    signatures, and never a key.

    Attributes
    ----------
    problem : MediaProblem
    status : int or None
        What the server answered with, where that is the problem.
    """

    def __init__(self, problem: MediaProblem, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.problem = problem
        self.status = status

    @property
    def transient(self) -> bool:
        """Whether the same file may be read another time: it says nothing against the file."""
        if self.status is not None:
            return self.status in _PASSING_STATUS or self.status >= 500
        return self.problem in _PASSING


def network_error(error: Exception, where: str) -> MediaError:
    """Return what an error of httpcore means for a file of `where`."""
    if isinstance(error, httpcore.TimeoutException):
        return MediaError(MediaProblem.TOO_SLOW, f"{where} did not send it in time")
    if isinstance(error, httpcore.ConnectError):
        return MediaError(
            MediaProblem.UNREACHABLE, f"{where} cannot be reached: {str(error)[:200]}"
        )
    # Without the error's own words: h11 quotes headers in them, and ours hold the key.
    return MediaError(MediaProblem.BROKEN_OFF, f"{where} broke off ({type(error).__name__})")
