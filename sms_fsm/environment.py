"""Settings as the environment holds them: text, to be read by `sms_fsm.config`."""

from __future__ import annotations

from pydantic_settings import BaseSettings, SettingsConfigDict


class Environment(BaseSettings):
    """The same fields as text, as the environment holds them; lists are comma-separated."""

    model_config = SettingsConfigDict(env_prefix="SMS_FSM_", env_file=".env", extra="ignore")

    database_url: str | None = None
    graph: str | None = None
    cxone_url: str | None = None
    client_id: str | None = None
    client_secret: str | None = None
    scopes: str | None = None
    queue_id: str | None = None
    skills: str | None = None
    max_segments: str | None = None
    overflow: str | None = None
    request_timeout_seconds: str | None = None
    lease_seconds: str | None = None
    settle_seconds: str | None = None
    backoff_base_seconds: str | None = None
    backoff_max_seconds: str | None = None
    archive_check_after_seconds: str | None = None
    dedupe_window_seconds: str | None = None
    token_key: str | None = None
    webhook_secret: str | None = None
    api_token: str | None = None
    workers: str | None = None
