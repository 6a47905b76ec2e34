"""Every error that a caller of sms_fsm can meet.

    SmsFsmError
    ├── GraphError            a state graph that must not be used; carries every problem at once
    ├── SettingsError         a setting that is missing or malformed
    ├── UnknownConversation   no conversation has this id
    ├── UnknownEffect         no dead letter has this id
    ├── KeyReused             one key, two different contents
    ├── TransitionRefused     the graph forbids the command in this state
    ├── InvalidMessage        a text, status or field that cannot be taken
    │   └── InvalidAddress    a phone number that is none
    ├── OptedOut              the customer asked not to be texted
    ├── StoreUnavailable      the store is locked, full or gone: nothing was stored
    ├── LogError              an event log that cannot be read or was touched
    └── CXoneError            CXone answered with an error, or did not answer

None of them carries a message body, a phone number or a secret.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class SmsFsmError(Exception):
    """Base of all errors that sms_fsm raises on purpose."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a graph document: where, which rule, and how to mend it.

    ``line`` and ``column`` count from 1. ``code`` is stable across releases.
    """

    code: str
    message: str
    line: int = 1
    column: int = 1
    severity: str = "error"
    file: str = "<graph>"

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.code} {self.message}"


class GraphError(SmsFsmError):
    """The state graph is broken; ``problems`` lists everything that is wrong with it."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))

    @property
    def file(self) -> str:
        return self.problems[0].file

    @property
    def line(self) -> int:
        return self.problems[0].line

    @property
    def column(self) -> int:
        return self.problems[0].column

    @property
    def code(self) -> str:
        return self.problems[0].code


class SettingsError(SmsFsmError):
    """A setting is missing or malformed; the message names it and says what is expected."""


class UnknownConversation(SmsFsmError):
    """There is no conversation with this id in the store."""


class UnknownEffect(SmsFsmError):
    """There is no dead letter with this id in the store."""


class KeyReused(SmsFsmError):
    """The same key came with other content. A repeated call must repeat its content too."""


class TransitionRefused(SmsFsmError):
    """The graph does not allow this command now.

    ``guard`` is the name of the guard that said no, or None when the state has no such event.
    """

    def __init__(self, state: str, event: str, guard: str | None = None) -> None:
        self.state = state
        self.event = event
        self.guard = guard
        because = f"guard {guard} said no" if guard else "the graph has no such transition"
        super().__init__(f"{event} is refused in state {state}: {because}")


class InvalidMessage(SmsFsmError):
    """A message, delivery status or key that cannot be taken; names the field and the reason."""

    def __init__(self, field: str, reason: str) -> None:
        self.field = field
        self.reason = reason
        super().__init__(f"{field}: {reason}")


class InvalidAddress(InvalidMessage):
    """A phone number that cannot be one; the number itself is not repeated."""


class OptedOut(SmsFsmError):
    """The customer asked not to be texted from this business number."""


class StoreUnavailable(SmsFsmError):
    """The store is locked, full or unreachable. Nothing of this call was stored: call again."""


class LogError(SmsFsmError):
    """An event log line that cannot be read or does not fit its neighbours; names the line."""

    def __init__(self, line: int, reason: str) -> None:
        self.line = line
        self.reason = reason
        super().__init__(f"line {line}: {reason}")


class CXoneError(SmsFsmError):
    """CXone refused a call, or its answer never came or cannot be read.

    Args:
        operation: the operationId of the wire contract, such as ``postMessage``.
        status: the HTTP status, or None when there was no answer.
        code: the platform's error code, or ours (``timeout``, ``refused``, ``unreadable`` …).
        retryable: whether the same call may succeed later.
        ambiguous: whether the platform may have applied the call nonetheless.
        retry_after_seconds: how long the platform asked to wait.
    """

    def __init__(
        self,
        operation: str,
        *,
        status: int | None,
        code: str,
        retryable: bool,
        ambiguous: bool = False,
        retry_after_seconds: float | None = None,
    ) -> None:
        self.operation = operation
        self.status = status
        self.code = code
        self.retryable = retryable
        self.ambiguous = ambiguous
        self.retry_after_seconds = retry_after_seconds
        super().__init__(f"{operation}: {status if status is not None else 'no answer'} {code}")
