"""Looking: pages, searches and the log."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sms_fsm.errors import GraphError
from sms_fsm.graph import default_graph, load_graph_text
from sms_fsm.registry import Registry
from sms_fsm.store import queries

from .shelf import BUSINESS, NOW, Shelf


def _people(shelf: Shelf, number: int) -> None:
    for n in range(number):
        shelf.create(f"c-{n}", customer=f"+1555000000{n}", state="new" if n % 2 else "active")


def test_pages_of_conversations_leave_none_out(shelf: Shelf) -> None:
    _people(shelf, 5)
    pages: list[list[str]] = []
    after: str | None = None
    while page := shelf.queries.conversations(None, after, 2):
        pages.append([conversation.id for conversation in page])
        after = page[-1].id
    assert pages == [["c-0", "c-1"], ["c-2", "c-3"], ["c-4"]]


def test_conversations_of_one_state_are_listed(shelf: Shelf) -> None:
    _people(shelf, 5)
    assert [c.id for c in shelf.queries.conversations("active", None, 9)] == ["c-0", "c-2", "c-4"]


def test_the_newest_conversation_that_fits_all_is_found(shelf: Shelf) -> None:
    shelf.create("c-1", isolation="a", external_customer_id="crm-1")
    shelf.create("c-2", isolation="b", external_customer_id="crm-1")
    shelf.create("c-3", customer="+15550000003", external_customer_id="crm-3")
    find = shelf.queries.find
    found = (
        find(None, None, "crm-1"),
        find(None, BUSINESS, None),
        find("+15550000003", BUSINESS, "crm-3"),
    )
    assert [conversation.id for conversation in found if conversation] == ["c-2", "c-3", "c-3"]
    assert find("+15550000003", BUSINESS, "crm-1") is None


def test_a_conversation_that_is_not_there_is_none(shelf: Shelf) -> None:
    assert shelf.queries.conversation("nobody") is None
    assert shelf.queries.history("nobody") == []


def test_the_log_is_read_in_pages_without_a_gap(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "_PAGE", 3)
    for identity in ("c-1", "c-2"):
        shelf.create(identity, isolation=identity)
        for number in range(4):
            shelf.happens(identity=identity, name=f"{identity}-{number}")
    names = [record.split('"name":"')[1].split('"')[0] for record, _ in shelf.queries.log()]
    assert names == [f"{identity}-{n}" for identity in ("c-1", "c-2") for n in range(4)]
    assert len(list(shelf.queries.log(conversation="c-2"))) == 4
    assert shelf.queries.logged("c-2", 3).name == "c-2-2"


def test_the_log_since_a_time_begins_there(shelf: Shelf) -> None:
    shelf.create()
    for hours in range(4):
        shelf.happens(at=NOW + timedelta(hours=hours))
    assert len(list(shelf.queries.log(since=NOW + timedelta(hours=2)))) == 2


def test_a_graph_is_kept_and_found_by_its_behaviour(shelf: Shelf) -> None:
    graph = default_graph(Registry().names)
    shelf.repository.register_graph(graph, NOW)
    shelf.repository.register_graph(graph, NOW)
    found = shelf.repository.graph_document(graph.behaviour_hash)
    assert found == (graph.version, graph.document)
    assert shelf.repository.graph_document("other") is None
    assert [stored[:3] for stored in shelf.queries.graphs()] == [
        (graph.id, graph.version, graph.behaviour_hash)
    ]


def test_a_version_with_another_behaviour_is_refused(shelf: Shelf) -> None:
    graph = default_graph(Registry().names)
    shelf.repository.register_graph(graph, NOW)
    document = graph.document.replace("[60s, 300s, 900s]", "[60s]")
    changed = load_graph_text(document, Registry().names)
    assert changed.behaviour_hash != graph.behaviour_hash
    with pytest.raises(GraphError) as refused:
        shelf.repository.register_graph(changed, NOW)
    assert refused.value.code == "version-reused"
    assert len(shelf.queries.graphs()) == 1
