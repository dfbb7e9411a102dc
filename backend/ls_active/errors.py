"""Every error the service raises on purpose, and the HTTP status it answers with.

::

    BackendError                          500  base; never raised itself
    ├── BadRequest                        400  a body, option or label config that cannot be used
    │   ├── BadLabelConfig                422  XML that is not a label config, or nothing learnable
    │   ├── BadOptions                    422  unknown or wrong options; lists the valid ones
    │   └── NoWorkingKey                  422  a new connection, and no key that Label Studio takes
    ├── Unauthorized                      401  wrong or missing credentials at our own door
    ├── Forbidden                         403  an action that none of our own pages asked for
    ├── NotConfirmed                      409  a change of the annotators' queue without a yes
    ├── NotYet                            409  an action that has nothing to work on so far
    ├── NotFound                          404  a project, version or route we do not have
    ├── PayloadTooLarge                   413  a body beyond the limit
    ├── RequestTooSlow                    408  a body that does not arrive
    ├── Busy                              503  too much is asked at once; ask again
    ├── QueueDown                         503  Redis does not answer
    ├── StoreError                        503  the data folder cannot be read or written
    ├── NotConfigured                     503  LABEL_STUDIO_URL or its key is missing
    ├── LockLost                          503  another worker took over; this job must stop
    └── LabelStudioError                  502  base of what Label Studio did to us
        ├── LabelStudioUnreachable        502  refused, timed out, 5xx, 429
        ├── LabelStudioUnauthorized       502  401 or 403
        ├── NotFoundInLabelStudio         502  404: the project or task is gone
        ├── LabelStudioRejected           502  another 4xx
        └── PublicationIncomplete         502  what was imported is not what is there
            └── PublicationReplaced       502  somebody named another version at once
"""

from __future__ import annotations

from typing import ClassVar


class BackendError(Exception):
    """Base of every deliberate error. ``str(error)`` is fit for the person who must act."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"


class BadRequest(BackendError):
    """Raised when a request cannot be used as it is."""

    status = 400
    code = "bad_request"


class BadLabelConfig(BadRequest):
    """Raised when a label config is not XML, is dangerous, or holds nothing to learn."""

    status = 422
    code = "bad_label_config"


class BadOptions(BadRequest):
    """Raised when options are unknown or out of range; the message lists the valid ones."""

    status = 422
    code = "bad_options"


class NoWorkingKey(BadRequest):
    """Raised when a project connects and we could not read it: no address, no key, a bad one."""

    status = 422
    code = "no_working_key"


class Unauthorized(BackendError):
    """Raised when our own credentials or the webhook's secret are wrong or missing."""

    status = 401
    code = "unauthorized"


class Forbidden(BackendError):
    """Raised when an action was asked for by something else than our own page."""

    status = 403
    code = "forbidden"


class NotConfirmed(BackendError):
    """Raised when what annotators are asked would change, and nobody said yes to that."""

    status = 409
    code = "not_confirmed"


class NotYet(BackendError):
    """Raised when an action has nothing to work on so far; the message says what is missing."""

    status = 409
    code = "not_yet"


class NotFound(BackendError):
    """Raised when a project, a version or a route does not exist here."""

    status = 404
    code = "not_found"


class PayloadTooLarge(BackendError):
    """Raised when a body is beyond the limit."""

    status = 413
    code = "payload_too_large"


class RequestTooSlow(BackendError):
    """Raised when a body does not arrive in time."""

    status = 408
    code = "request_too_slow"


class Busy(BackendError):
    """Raised when there is no answer in time, or too much to hold is asked at once."""

    status = 503
    code = "busy"


class QueueDown(BackendError):
    """Raised when Redis does not answer."""

    status = 503
    code = "queue_down"


class StoreError(BackendError):
    """Raised when the data folder cannot be read or written."""

    status = 503
    code = "store_error"


class NotConfigured(BackendError):
    """Raised when a setting that is needed for this is missing."""

    status = 503
    code = "not_configured"


class LockLost(BackendError):
    """Raised in a job whose project was taken over by another worker."""

    status = 503
    code = "lock_lost"


class LabelStudioError(BackendError):
    """Base of everything Label Studio answered, or failed to."""

    status = 502
    code = "label_studio_error"


class LabelStudioUnreachable(LabelStudioError):
    """Raised when Label Studio refuses, times out, or answers 5xx or 429."""

    code = "label_studio_unreachable"


class LabelStudioUnauthorized(LabelStudioError):
    """Raised on 401 and 403: the key is wrong, of the wrong kind, or may not do this."""

    code = "label_studio_unauthorized"


class NotFoundInLabelStudio(LabelStudioError):
    """Raised on 404: the project, task or row is gone."""

    code = "not_found_in_label_studio"


class LabelStudioRejected(LabelStudioError):
    """Raised on any other 4xx.

    Attributes
    ----------
    http_status : int
        What Label Studio answered with.
    """

    code = "label_studio_rejected"

    def __init__(self, message: str, http_status: int = 400) -> None:
        super().__init__(message)
        self.http_status = http_status


class PublicationIncomplete(LabelStudioError):
    """Raised when, after three tries, what was imported is not what Label Studio holds."""

    code = "publication_incomplete"


class PublicationReplaced(PublicationIncomplete):
    """Raised when the project names another version right after it was made to name ours."""

    code = "publication_replaced"
