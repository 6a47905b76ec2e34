"""How far apart attempts at a failing token endpoint are."""

from __future__ import annotations

from datetime import datetime

from tenacity import RetryCallState, Retrying
from tenacity.wait import wait_exponential

from sms_fsm.errors import CXoneError

MOST_SECONDS = 300.0
_WAIT = wait_exponential(multiplier=1, min=1, max=MOST_SECONDS)


class Spacing:
    """1 s after the first failure, doubling to 300 s, for ever; a success starts over.

    A value that tells time but never waits. Whoever shares it guards it with a lock.
    """

    def __init__(self) -> None:
        self._failures = 0
        self._last: CXoneError | None = None
        self._since: datetime | None = None
        self._seconds = 0.0

    def rest(self, now: datetime) -> float:
        """Seconds until the next attempt is due; 0 when it is, or when time was set back."""
        if self._since is None:
            return 0.0
        passed = (now - self._since).total_seconds()
        return self._seconds - passed if 0 <= passed < self._seconds else 0.0

    def check(self, now: datetime) -> None:
        """Whether an attempt is due.

        Raises:
            CXoneError: the last failure once more, with the rest of the spacing.
        """
        rest = self.rest(now)
        if rest and self._last is not None:
            raise _spaced(self._last, rest)

    def failed(self, error: CXoneError, now: datetime) -> CXoneError:
        """Note a failure; gives it with the time until the next attempt."""
        self._failures += 1
        asked = min(error.retry_after_seconds or 0.0, MOST_SECONDS)
        self._seconds = max(_wait_after(self._failures), asked)
        self._last, self._since = error, now
        return _spaced(error, self._seconds)

    def succeeded(self) -> None:
        self._failures, self._last, self._since = 0, None, None


def _wait_after(failures: int) -> float:
    state = RetryCallState(Retrying(), None, (), {})
    state.attempt_number = failures
    return _WAIT(state)


def _spaced(error: CXoneError, seconds: float) -> CXoneError:
    return CXoneError(
        error.operation,
        status=error.status,
        code=error.code,
        retryable=True,
        retry_after_seconds=seconds,
    )
