"""The adapter to CXone: the guide's dialect over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sms_fsm.clock import Clock
from sms_fsm.config import Settings
from sms_fsm.cxone.auth import TokenProvider
from sms_fsm.cxone.client import CXoneClient
from sms_fsm.cxone.issuer import TokenIssuer
from sms_fsm.cxone.transport import Transport
from sms_fsm.errors import SettingsError
from sms_fsm.ports import TokenStore

if TYPE_CHECKING:
    from sms_fsm.cxone.vault import TokenVault

__all__ = ["CXoneClient", "TokenProvider", "connect"]


def connect(settings: Settings, *, clock: Clock, token_store: TokenStore | None) -> CXoneClient:
    """A client for the settings' tenant. Makes no call yet.

    Processes share tokens through ``token_store`` when there is a key for them, see
    `sms_fsm.cxone.vault.token_key`; it is looked for when the first token is needed.

    Raises:
        SettingsError: names what is missing.
    """
    settings.require_platform()
    if settings.cxone_url is None or settings.client_id is None or settings.client_secret is None:
        raise SettingsError("cxone_url, client_id and client_secret: missing")
    transport = Transport(settings.cxone_url)
    issuer = TokenIssuer(
        transport,
        client_id=settings.client_id,
        client_secret=settings.client_secret,
        scopes=settings.scopes,
        clock=clock,
    )
    tokens = TokenProvider(
        issuer, clock=clock, open_vault=lambda: _open_vault(settings, token_store)
    )
    return CXoneClient(transport, tokens, clock=clock)


def _open_vault(settings: Settings, token_store: TokenStore | None) -> TokenVault | None:
    if token_store is None:
        return None
    from sms_fsm.cxone.vault import TokenVault, token_key  # noqa: PLC0415 - only callers need it

    key = token_key(settings)
    return None if key is None else TokenVault(token_store, key)
