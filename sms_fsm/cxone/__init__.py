"""The adapter to CXone: the guide's dialect over HTTP."""

from __future__ import annotations

from sms_fsm.clock import Clock
from sms_fsm.config import Settings
from sms_fsm.cxone.auth import TokenProvider
from sms_fsm.cxone.client import CXoneClient
from sms_fsm.cxone.issuer import TokenIssuer
from sms_fsm.cxone.transport import Transport
from sms_fsm.cxone.vault import TokenVault, token_key
from sms_fsm.errors import SettingsError
from sms_fsm.ports import TokenStore

__all__ = ["CXoneClient", "TokenProvider", "connect", "token_key"]


def connect(settings: Settings, *, clock: Clock, token_store: TokenStore | None) -> CXoneClient:
    """A client for the settings' tenant. Makes no call yet.

    Processes share tokens through ``token_store`` when there is a key for them (`token_key`).

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
    tokens = TokenProvider(issuer, clock=clock, vault=_vault(settings, token_store))
    return CXoneClient(transport, tokens, clock=clock)


def _vault(settings: Settings, token_store: TokenStore | None) -> TokenVault | None:
    key = token_key(settings) if token_store is not None else None
    return None if token_store is None or key is None else TokenVault(token_store, key)
