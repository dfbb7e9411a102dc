"""Redis's errors as ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from redis.exceptions import RedisError, ResponseError

from ls_active.errors import QueueDown


@contextmanager
def queue_errors() -> Iterator[None]:
    """Raise QueueDown for whatever Redis does not do."""
    try:
        yield
    except ResponseError as error:
        raise QueueDown(f"Redis refuses: {error}") from error
    except RedisError as error:
        raise QueueDown(f"Redis does not answer: {type(error).__name__}") from error
