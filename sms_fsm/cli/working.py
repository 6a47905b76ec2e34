"""``work``: a worker that carries out what is due, until a signal stops it."""

from __future__ import annotations

from typing import Annotated

import typer

from sms_fsm.cli.log_lines import json_log_lines
from sms_fsm.cli.options import ClientId, CXoneUrl, DatabaseUrl, GraphOption, QueueId, Workers
from sms_fsm.cli.signals import stop_on_signals
from sms_fsm.config import Settings
from sms_fsm.engine import Engine
from sms_fsm.logs import get_logger


def work(
    *,
    poll_interval: Annotated[
        float,
        typer.Option(
            "--poll-interval",
            min=0.01,
            metavar="SECONDS",
            help="How long to rest when nothing is due.",
        ),
    ] = 0.5,
    workers: Workers = None,
    database_url: DatabaseUrl = None,
    graph: GraphOption = None,
    cxone_url: CXoneUrl = None,
    client_id: ClientId = None,
    queue_id: QueueId = None,
) -> None:
    """Carry out effects, timers and polls that are due, until a signal comes.

    As many of these as wanted may share one store, on as many hosts as wanted. The first SIGTERM
    or SIGINT finishes what is held and exits 0, the second exits at once. Logs are JSON lines on
    stderr.
    """
    settings = Settings.from_env(
        workers=workers,
        database_url=database_url,
        graph=graph,
        cxone_url=cxone_url,
        client_id=client_id,
        queue_id=queue_id,
    )
    log = get_logger(__name__)
    with json_log_lines(), stop_on_signals() as stop:
        with Engine.from_settings(settings) as engine:
            log.info("worker.started", workers=settings.workers)
            engine.work(stop, poll_interval=poll_interval)
        log.info("worker.stopped")
