"""Settings that are missing, or that do not go together."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address
from urllib.parse import urlsplit

from sms_fsm.cli.doctor.finding import Finding, fine, warning, wrong
from sms_fsm.config import Settings
from sms_fsm.errors import SettingsError

_CALLS_OF_AN_EFFECT = 3
"""An opening looks for active and for archived matches before it creates."""


def settings_findings(settings: Settings) -> Iterator[Finding]:
    """What is needed to call CXone, times that fit each other, and the signing secret."""
    yield from _platform(settings)
    yield from _times(settings)
    yield _webhooks(settings)


def _platform(settings: Settings) -> Iterator[Finding]:
    try:
        settings.require_platform()
    except SettingsError as error:
        for missing in str(error).splitlines():
            name = missing.partition(":")[0]
            variable = f"SMS_FSM_{name.upper()}"
            yield wrong("settings", f"{name} is missing", f"set {variable} or put it into .env")
    else:
        yield fine("settings", "all that is needed to call CXone is there")
    if settings.cxone_url and settings.cxone_url.startswith("http://") and not _is_here(settings):
        said = "cxone_url is not encrypted: tokens and texts can be read on the way"
        yield warning("settings", said, "use https:// in SMS_FSM_CXONE_URL")


def _is_here(settings: Settings) -> bool:
    host = urlsplit(settings.cxone_url or "").hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _times(settings: Settings) -> Iterator[Finding]:
    lease, timeout = settings.lease_seconds, settings.request_timeout_seconds
    told = f"a lease lasts {lease:g} s, a call at most {timeout:g} s"
    mend = f"set SMS_FSM_LEASE_SECONDS to {_CALLS_OF_AN_EFFECT * timeout:g} or more"
    if lease <= timeout:
        yield wrong("lease", f"{told}: an effect is taken over while it is carried out", mend)
    elif lease < _CALLS_OF_AN_EFFECT * timeout:
        yield warning("lease", f"{told}: too short for an effect of several slow calls", mend)
    else:
        yield fine("lease", told)
    if settings.settle_seconds < timeout:
        said = "settle_seconds is shorter than a call: a late answer could be taken for none"
        yield warning("lease", said, f"set SMS_FSM_SETTLE_SECONDS to {timeout:g} or more")


def _webhooks(settings: Settings) -> Finding:
    if not settings.webhook_secrets:
        said = "there is none: whoever finds the endpoint can send callbacks"
        return warning("webhook secret", said, "set SMS_FSM_WEBHOOK_SECRET and sign callbacks")
    return fine("webhook secret", "callbacks must be signed")
