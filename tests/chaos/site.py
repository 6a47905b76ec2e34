"""What all processes of one run share: the store, the platform, the rules, the folder."""

from __future__ import annotations

import threading
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sms_fsm import Engine, FailedMessage, Settings, StoreUnavailable

SHIPPED_GRAPH = Path(__file__).parents[2] / "states.yaml"
BUSINESS = "+18885550100"

_HURRIED = (
    ("version: 1\n", "version: 2\n"),
    ("retry_after: [60s, 300s, 900s]", "retry_after: [1s, 2s, 3s]"),
    ("first: 300s", "first: 3s"),
    ("longest: 3600s", "longest: 6s"),
)


@dataclass(frozen=True, slots=True)
class Site:
    """One run's surroundings, as JSON can carry them.

    ``threads`` is the number of workers in each process; a call may take ``call_seconds``.
    """

    folder: str
    database_url: str
    cxone_url: str
    webhook_secret: str
    token_key: str
    threads: int
    conversations: int
    seed: int
    lease_seconds: float = 3.0
    settle_seconds: float = 3.0
    call_seconds: float = 1.0

    @property
    def path(self) -> Path:
        return Path(self.folder)

    def to_data(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def settings(self) -> Settings:
        return Settings(
            database_url=self.database_url,
            cxone_url=self.cxone_url,
            graph=self.path / "states.yaml",
            client_id="demo-client",
            client_secret="demo-secret",
            queue_id="queue_sms_support_01",
            webhook_secret=self.webhook_secret,
            token_key=self.token_key,
            workers=self.threads,
            request_timeout_seconds=self.call_seconds,
            lease_seconds=self.lease_seconds,
            settle_seconds=self.settle_seconds,
            backoff_base_seconds=0.2,
            backoff_max_seconds=2,
            archive_check_after_seconds=5,
        )

    def engine(self, stop: threading.Event | None = None) -> Engine:
        """An engine, as soon as the store is there.

        Raises:
            StoreUnavailable: it was not there before ``stop`` was set.
        """
        while True:
            try:
                return Engine.from_settings(self.settings, fallback=self._fall_back)
            except StoreUnavailable:
                if stop is None or stop.wait(0.1):
                    raise

    def _fall_back(self, message: FailedMessage) -> None:
        """The host's other channel: a file."""
        with (self.path / "fallbacks").open("a") as file:
            file.write(f"{message.conversation} {message.key}\n")


def write_hurried_graph(folder: Path) -> None:
    """The shipped graph with waits that fit into a test."""
    document = SHIPPED_GRAPH.read_text()
    for old, new in _HURRIED:
        assert document.count(old) == 1, old
        document = document.replace(old, new)
    (folder / "states.yaml").write_text(document)
