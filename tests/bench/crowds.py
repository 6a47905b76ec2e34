"""Large stores, made by SQL: many conversations, a long log, a full outbox."""

from __future__ import annotations

from bench.stores import connected

_NUMBERS = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {0}) ",
    "postgresql": "WITH n(i) AS (SELECT generate_series(1, {0})) ",
}
# The columns of the first conversation, with some of them made anew for each number.
_CONVERSATION = (
    "INSERT INTO conversation (id, customer, business, isolation, profile, conversation_id, state, "
    "graph_version, graph_hash, seq, data, log_hash, timer_due_at, state_since, created_at) "
    "{numbers} SELECT 'x' || i, '+1555' || (2000000 + {first} + i), c.business, c.isolation, "
    "c.profile, 'conv-x' || i, c.state, c.graph_version, c.graph_hash, c.seq, "
    "replace(c.data, c.conversation_id, 'conv-x' || i), c.log_hash, "
    "c.timer_due_at, c.state_since, c.created_at "
    "FROM n, (SELECT * FROM conversation ORDER BY customer LIMIT 1) c"
)
_LOG = (
    "INSERT INTO event_log (conversation, seq, at, record, hash) "
    "{numbers} SELECT e.conversation, 1 + i, e.at, e.record, e.hash FROM n, "
    "(SELECT e.* FROM event_log e JOIN conversation c ON c.id = e.conversation "
    "ORDER BY c.customer LIMIT 1) e"
)
_TEXTS = (
    "INSERT INTO message (conversation, seq, data, body) "
    "{numbers} SELECT m.conversation, 1 + i, m.data, m.body FROM n, "
    "(SELECT m.* FROM message m JOIN conversation c ON c.id = m.conversation "
    "ORDER BY c.customer LIMIT 1) m"
)
_SEQ = (
    "UPDATE conversation SET seq = {count} + 1 "
    "WHERE id = (SELECT id FROM conversation ORDER BY customer LIMIT 1)"
)
# Nine of ten are done, one waits for a day: what an outbox holds after months.
_EFFECTS = (
    "INSERT INTO outbox (id, conversation, name, state, position, data, message, timer, due_at, "
    "token, attempts, failures, looked_up, interrupted) "
    "{numbers} SELECT 'x' || i, c.id, 'PostMessage', "
    "CASE WHEN i % 10 = 0 THEN 'pending' ELSE 'done' END, NULL, c.data, 1, {no}, {tomorrow}, "
    "1, 1, 0, {no}, {no} "
    "FROM n, (SELECT id, data FROM conversation ORDER BY customer LIMIT 1) c"
)


def with_conversations(url: str, count: int, already: int) -> None:
    """So many more conversations, of customers with the next numbers."""
    _run(url, [_CONVERSATION], count, first=str(already - 1))


def with_log(url: str, count: int) -> None:
    """So many more events and texts of the first customer's conversation."""
    _run(url, [_LOG, _TEXTS, _SEQ], count)


def with_effects(url: str, count: int) -> None:
    """So many effects that are not due."""
    _run(url, [_EFFECTS], count)


def _run(url: str, statements: list[str], count: int, first: str = "") -> None:
    dialect = url.partition(":")[0]
    names = {
        "numbers": _NUMBERS[dialect].format(count),
        "count": str(count),
        "first": first,
        "no": "0" if dialect == "sqlite" else "false",
        "tomorrow": (
            "strftime('%Y-%m-%dT%H:%M:%S.000000+00:00', 'now', '+1 day')"
            if dialect == "sqlite"
            else "now() + interval '1 day'"
        ),
    }
    with connected(url) as connection:
        for statement in statements:
            connection.execute(statement.format(**names))
        connection.commit()
        if dialect == "postgresql":
            connection.autocommit = True
            connection.execute("VACUUM ANALYZE")
