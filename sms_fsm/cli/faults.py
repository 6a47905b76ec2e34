"""Faults as the command line writes them: ``OPERATION:KIND,setting=value,…``."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from pydantic import TypeAdapter, ValidationError

from sms_fsm.cli.failures import CommandError
from sms_fsm.simulator import Fault

_SETTINGS = tuple(field.name for field in fields(Fault) if field.name not in ("operation", "kind"))


def fault_from(text: str) -> Fault:
    """The fault that a text asks for.

    Raises:
        CommandError: says what of it is wrong.
    """
    what, *settings = text.split(",")
    operation, colon, kind = what.partition(":")
    if not colon:
        raise CommandError(f"--fault {text}: expected OPERATION:KIND, such as postMessage:reset")
    given: dict[str, Any] = {"operation": operation.strip(), "kind": kind.strip()}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals or name.strip() not in _SETTINGS:
            expected = f"expected name=value with one of {', '.join(_SETTINGS)}"
            raise CommandError(f"--fault {text}: {setting}: {expected}")
        given[name.strip()] = value
    try:
        return TypeAdapter(Fault).validate_python(given)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = "".join(f"{part}: " for part in first["loc"])
        raise CommandError(f"--fault {text}: {place}{first['msg']}") from None
