"""CXone: do the credentials give a token, with every scope, and who keeps it?"""

from __future__ import annotations

from collections.abc import Iterator

from sms_fsm import cxone
from sms_fsm.cli.doctor.finding import Finding, fine, warning, wrong
from sms_fsm.clock import system_clock
from sms_fsm.config import Settings
from sms_fsm.cxone.vault import token_key
from sms_fsm.errors import CXoneError

_REFUSED = (400, 401, 403)


def platform_findings(settings: Settings) -> Iterator[Finding]:
    """One call to the token endpoint, and what it grants. Nothing is stored."""
    yield _sharing(settings)
    client = cxone.connect(settings, clock=system_clock, token_store=None)
    try:
        missing = client.scopes_missing(timeout_seconds=settings.request_timeout_seconds)
    except CXoneError as error:
        yield _no_token(error)
        return
    finally:
        client.close()
    yield fine("credentials", "CXone gives a token")
    for scope in settings.scopes:
        if scope in missing:
            yield wrong("scope", f"{scope} is not granted", "grant it to the client in CXone")
        else:
            yield fine("scope", scope)


def _no_token(error: CXoneError) -> Finding:
    if error.status in _REFUSED:
        mend = "check SMS_FSM_CLIENT_ID and SMS_FSM_CLIENT_SECRET, and that the client is enabled"
    else:
        mend = "check SMS_FSM_CXONE_URL, and that this host can reach it"
    return wrong("credentials", f"no token: {error}", mend)


def _sharing(settings: Settings) -> Finding:
    if settings.token_key is not None:
        return fine("token", "shared by all processes, encrypted with SMS_FSM_TOKEN_KEY")
    if token_key(settings) is not None:
        return fine("token", "shared by processes of this user, encrypted with the keyring's key")
    said = "there is no token key: each process gets a token of its own and keeps it in memory"
    return warning("token", said, "set SMS_FSM_TOKEN_KEY to 32 url-safe base64 bytes (Fernet)")
