"""Files behind the values of a task: images, sound, series; fetched with care."""

from ls_active.media.errors import MediaError, MediaProblem
from ls_active.media.fetch import Media
from ls_active.media.policy import MediaPolicy

__all__ = ["Media", "MediaError", "MediaPolicy", "MediaProblem"]
