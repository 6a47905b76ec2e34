"""Live conversations move to a new version: a logged event each, and everything goes on."""

from __future__ import annotations

import io
import json
import threading
from collections import Counter
from contextlib import closing
from functools import partial
from itertools import count
from pathlib import Path

import pytest
from versions import (
    BACK,
    FIRST,
    SENDING,
    MakeWorld,
    crowd,
    deploy,
    migrations,
    replayed,
    version,
    written,
)
from world import World

from sms_fsm import Engine, GraphError
from sms_fsm.engine import migrator
from sms_fsm.failpoints import listening
from sms_fsm.graph import load_graph_file
from sms_fsm.log import chained, sealed
from sms_fsm.registry import Registry
from sms_fsm.replay import Bucket, verify
from sms_fsm.store import open_database

TABLET = "+15557654321"
NAMES = Registry().names
FALLBACK = """\
  SendFallback:
    title: hand the text to the other channel
    retry_for: 24h
    on_failure: step_aside
"""


def states(world: World) -> Counter[tuple[int, str]]:
    """How many conversations are in each version and state."""
    found = world.engine.conversations(limit=1000)
    return Counter((one.graph_version, one.state) for one in found)


def test_a_move_is_an_event_that_says_from_where_to_where(world: World, tmp_path: Path) -> None:
    identity = world.opened()
    deploy(world, written(tmp_path, SENDING))

    assert world.engine.migrate().moved == 1

    (event,) = migrations(world, identity)
    assert (event.source, event.target, event.effects) == ("routed", "routed", ())
    assert event.data == {
        "from_version": 1,
        "from_hash": version(FIRST).behaviour_hash,
        "to_version": 2,
        "to_hash": version(SENDING).behaviour_hash,
        "states": dict(version(SENDING).migrations[0].states),
    }
    assert event.at == world.clock()
    assert world.conversation(identity).graph_version == 2


def test_what_follows_is_decided_on_the_new_version(world: World, tmp_path: Path) -> None:
    identity = world.opened()
    deploy(world, written(tmp_path, SENDING))
    world.engine.migrate()

    assert world.engine.reply(identity, "Hello!", key="k").state == "sending"
    world.engine.drain()
    assert world.state(identity) == "awaiting_delivery"
    assert replayed(world).clean


def test_what_waits_when_it_moves_is_carried_out_once(world: World, tmp_path: Path) -> None:
    identity = world.opened()
    world.engine.reply(identity, "Hello!", key="k")
    deploy(world, written(tmp_path, SENDING))

    world.engine.migrate()
    world.engine.drain()

    assert world.posted(identity) == ["hi", "Hello!"]
    world.says(world.message(identity, "k"), "delivered", "DELIVRD")
    assert world.state(identity) == "delivered"
    assert replayed(world).clean


def test_every_state_is_moved_by_the_map(world: World, tmp_path: Path) -> None:
    waiting = world.opened()
    world.replied(waiting)
    asleep = world.text(from_=TABLET).conversation
    world.engine.drain()
    world.engine.archive(str(asleep))
    begun = world.text(from_="+15550001111").conversation
    deploy(
        world, written(tmp_path, SENDING, ("      delivered: delivered", "      delivered: failed"))
    )

    world.engine.migrate()

    assert [world.state(str(one)) for one in (waiting, asleep, begun)] == [
        "awaiting_delivery",
        "archived",
        "new",
    ]
    assert set(states(world)) == {(2, "awaiting_delivery"), (2, "archived"), (2, "new")}


def test_a_renamed_state_is_followed(world: World, tmp_path: Path) -> None:
    identity = world.opened()
    renamed = written(tmp_path, SENDING)
    text = renamed.read_text().replace("routed", "queued").replace("      queued:", "      routed:")
    renamed.write_text(text.replace("already_queued", "already_routed"))
    deploy(world, renamed)

    world.engine.migrate()

    assert world.state(identity) == "queued"
    (event,) = migrations(world, identity)
    assert (event.source, event.target) == ("routed", "queued")
    assert replayed(world).clean


def test_running_it_again_moves_nobody(world: World, tmp_path: Path) -> None:
    identity = world.opened()
    deploy(world, written(tmp_path, SENDING))

    assert [world.engine.migrate().moved for _ in range(3)] == [1, 0, 0]
    assert len(migrations(world, identity)) == 1


def test_progress_is_told_up_to_the_end(world: World, tmp_path: Path) -> None:
    crowd(world, 450)
    deploy(world, written(tmp_path, SENDING))
    heard: list[tuple[int, int]] = []

    world.engine.migrate(lambda done, whole: heard.append((done, whole)))

    assert heard[0] == (100, 450)
    assert heard[-1] == (450, 450)
    assert heard == sorted(heard)


def test_an_engine_on_the_old_version_goes_on_with_those_that_moved(
    world: World, tmp_path: Path
) -> None:
    identity = world.opened()
    with closing(open_database(world.settings.database_url)) as database:
        migrator(database, load_graph_file(written(tmp_path, SENDING), NAMES), Registry()).run()

    assert world.engine.reply(identity, "Hello!", key="k").state == "sending"
    assert world.engine.reply(identity, "Bye!", key="l").state == "sending"
    world.engine.drain()
    assert world.state(identity) == "awaiting_delivery"


# Refusals


def test_all_reasons_are_told_before_anything_moves(world: World, tmp_path: Path) -> None:
    first = world.opened()
    deploy(world, written(tmp_path, SENDING))
    second = world.text(from_=TABLET).conversation
    third = written(
        tmp_path,
        BACK,
        ("      sending: routed\n", "      sended: routed\n"),
        (FALLBACK, ""),
        ("    do: [cancel_resend, send_fallback]\n", "    do: [cancel_resend]\n"),
    )
    deploy(world, third)

    with pytest.raises(GraphError) as refused:
        world.engine.migrate()

    codes = sorted(problem.code for problem in refused.value.problems)
    assert codes == ["G401", "G402", "G403", "G404", "G404"]
    assert {problem.file for problem in refused.value.problems} == {str(third)}
    assert migrations(world, first) == migrations(world, str(second)) == []


def test_a_version_that_nobody_runs_on_needs_no_map(world: World, tmp_path: Path) -> None:
    world.opened()
    deploy(world, written(tmp_path, SENDING))
    world.engine.migrate()
    fourth = written(tmp_path, BACK, ("version: 3", "version: 4"))
    deploy(world, fourth)

    assert world.engine.migrate().moved == 1


def test_a_way_back_to_a_lower_version_is_refused_with_the_way_that_works(
    world: World, tmp_path: Path
) -> None:
    deploy(world, written(tmp_path, SENDING))
    world.opened()
    deploy(world, written(tmp_path, FIRST))

    with pytest.raises(GraphError, match="give this graph a version above 2"):
        world.engine.migrate()


def test_a_reused_version_is_told_by_the_plan_too(world: World, tmp_path: Path) -> None:
    world.opened()
    changed = written(tmp_path, FIRST, ("after: 72h", "after: 48h"))
    with (
        closing(open_database(world.settings.database_url)) as database,
        pytest.raises(GraphError) as refused,
    ):
        migrator(database, load_graph_file(changed, NAMES), Registry()).plan()

    assert "version-reused" in [problem.code for problem in refused.value.problems]


def test_another_graph_is_left_alone(world: World, tmp_path: Path) -> None:
    identity = world.opened()
    deploy(world, written(tmp_path, SENDING, ("graph: sms-continuity", "graph: campaigns")))

    assert world.engine.migrate().moved == 0
    assert world.conversation(identity).graph_version == 1


# And back


def test_a_way_back_moves_those_that_had_moved(world: World, tmp_path: Path) -> None:
    crossed = world.opened()
    deploy(world, written(tmp_path, SENDING))
    world.engine.migrate()
    assert world.engine.reply(crossed, "Hello!", key="k").state == "sending"
    deploy(world, written(tmp_path, BACK))

    world.engine.migrate()

    assert world.state(crossed) == "routed"
    assert world.conversation(crossed).graph_version == 3
    world.engine.drain()
    assert world.state(crossed) == "awaiting_delivery"
    assert world.posted(crossed) == ["hi", "Hello!"]
    assert replayed(world).clean


def test_whoever_never_left_the_old_behaviour_need_not_come_back(
    world: World, tmp_path: Path
) -> None:
    stayed = world.opened()
    deploy(world, written(tmp_path, BACK))

    assert world.engine.migrate().moved == 0
    assert world.engine.reply(stayed, "Hello!", key="k").state == "routed"


def test_a_behaviour_of_two_versions_may_leave_by_the_map_of_either(
    world: World, tmp_path: Path
) -> None:
    world.opened()
    deploy(world, written(tmp_path, BACK))
    world.text(from_=TABLET)
    deploy(world, written(tmp_path, SENDING, ("version: 2", "version: 4")))

    assert world.engine.migrate().moved == 2
    assert {version for version, _ in states(world)} == {4}


# Crashes, other workers, traffic


class Killed(BaseException):
    """The process is gone."""


def test_what_a_crash_cuts_short_goes_on(world: World, tmp_path: Path) -> None:
    everybody = crowd(world, 450)
    deploy(world, written(tmp_path, SENDING))
    commits = count(1)

    def kill(point: str, _: str) -> None:
        if point == "commit.before" and next(commits) == 4:
            raise Killed

    with listening(kill), pytest.raises(Killed):
        world.engine.migrate()
    moved = [one for one in everybody if world.conversation(one).graph_version == 2]
    assert len(moved) == 200

    assert world.engine.migrate().moved == 250
    assert all(len(migrations(world, one)) == 1 for one in everybody)
    assert replayed(world).clean


def test_two_migrations_at_once_move_nobody_twice(world: World, tmp_path: Path) -> None:
    everybody = crowd(world, 500)
    deploy(world, written(tmp_path, SENDING))
    moved: list[int] = []
    with world.another_engine() as other:
        threads = [
            threading.Thread(target=lambda engine=engine: moved.append(engine.migrate().moved))
            for engine in (world.engine, world.engine, other)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert sum(moved) == len(everybody)
    assert all(len(migrations(world, one)) == 1 for one in everybody)


def test_two_pages_in_one_transaction_move_nobody_twice(world: World, tmp_path: Path) -> None:
    everybody = crowd(world, 5)
    with closing(open_database(world.settings.database_url)) as database:
        graph = load_graph_file(written(tmp_path, SENDING), NAMES)
        moving = migrator(database, graph, Registry())
        (leg,) = moving.plan()
        page = partial(moving._page, leg=leg, after=("", ""), size=10, wait=True)
        moved = moving._store.write(lambda uow: [page(uow)[0], page(uow)[0]])

    assert moved == [5, 0]
    assert all(len(migrations(world, one)) == 1 for one in everybody)


def test_a_busy_conversation_is_waited_for(
    make_world: MakeWorld, tmp_path: Path, database_url: str
) -> None:
    if database_url.startswith("sqlite"):
        pytest.skip("SQLite has one writer: nobody is busy beside it")
    world = make_world()
    everybody = crowd(world, 30)
    deploy(world, written(tmp_path, SENDING))
    repository = world.engine._intake._store
    held, release = threading.Event(), threading.Event()

    def hold(uow: object) -> None:
        uow.lock(everybody[7])  # type: ignore[attr-defined]  # the store's unit of work
        held.set()
        release.wait(10)

    holder = threading.Thread(target=repository.write, args=(hold,))
    holder.start()
    held.wait(10)
    waited: list[int] = []

    def heard(done: int, _: int) -> None:
        waited.append(done)
        release.set()

    assert world.engine.migrate(heard).moved == 30
    holder.join()
    assert waited[0] == 29


def test_it_ends_although_an_old_engine_goes_on_beginning_conversations(
    world: World, tmp_path: Path
) -> None:
    world.opened()
    with world.another_engine() as old:
        deploy(world, written(tmp_path, SENDING))
        numbers = count()

        def heard(done: int, whole: int) -> None:
            assert done <= whole
            number = next(numbers)
            customer = f"+1555{3_000_000 + number}"
            old.initiate(to=customer, from_="+18885550100", text="hi", key=f"k{number}")

        result = world.engine.migrate(heard)

    assert result.left == 1
    assert result.moved > 5
    assert world.engine.migrate().left == 0


def test_nothing_is_lost_under_traffic(world: World, tmp_path: Path) -> None:
    everybody = crowd(world, 120)
    world.engine.drain()
    deploy(world, written(tmp_path, SENDING))
    stop = threading.Event()
    failures: list[BaseException] = []

    def talk(engine: Engine, mine: list[str]) -> None:
        try:
            for number in range(100):
                engine.reply(mine[number % len(mine)], f"reply {number}", key=f"k{number}")
        except BaseException as error:
            failures.append(error)
            raise

    with world.another_engine() as other:
        threads = [
            threading.Thread(target=talk, args=(world.engine, everybody[:60])),
            threading.Thread(target=talk, args=(other, everybody[60:])),
            threading.Thread(target=other.work, args=(stop,), kwargs={"poll_interval": 0.01}),
        ]
        for thread in threads:
            thread.start()
        result = world.engine.migrate()
        stop.set()
        for thread in threads:
            thread.join()
        other.drain()

    assert failures == []
    assert (result.moved, result.left) == (120, 0)
    assert all(len(migrations(world, one)) == 1 for one in everybody)
    assert {number for number, _ in states(world)} == {2}
    assert replayed(world).clean
    assert world.simulator.judge().ok


# Replay


def test_an_altered_move_is_found(world: World, tmp_path: Path) -> None:
    identity = world.opened()
    deploy(world, written(tmp_path, SENDING))
    world.engine.migrate()
    world.engine.reply(identity, "Hello!", key="k")
    file = io.StringIO()
    world.engine.export_log(file)
    lines = file.getvalue().splitlines()
    move = next(n for n, line in enumerate(lines) if '"ConversationMigrated"' in line)
    lines[move] = lines[move].replace('"target":"routed"', '"target":"active"')

    report = verify(lines)
    assert [problem.line for problem in report.problems] == [move + 1]


def test_a_change_of_graph_without_a_move_is_found(world: World, tmp_path: Path) -> None:
    identity = world.opened()
    deploy(world, written(tmp_path, SENDING))
    file = io.StringIO()
    world.engine.export_log(file)
    lines, head = [], ""
    for line in file.getvalue().splitlines():
        record = json.loads(line)
        if record.get("seq", 0) > 2:
            record["graph"] = version(SENDING).behaviour_hash
        if "seq" in record:
            bare = {name: record[name] for name in record if name not in ("hash", "last", "of")}
            text = json.dumps(bare, separators=(",", ":"), sort_keys=True)
            head = chained(head, text)
            lines.append(sealed(text, head, last=record.get("last"), of=record.get("of")))
        else:
            lines.append(line)

    report = verify(lines)
    assert report.problems == ()
    assert [(one.seq, one.conversation) for one in report.divergences] == [(3, identity)]
    assert "graph" in report.divergences[0].differs


def test_a_candidate_replays_a_log_that_crossed(world: World, tmp_path: Path) -> None:
    identity = world.opened()
    world.replied(identity)
    deploy(world, written(tmp_path, SENDING))
    world.engine.migrate()
    world.replied(identity)

    report = replayed(world, version(SENDING))
    assert report.problems == ()
    assert report.conversations[Bucket.DIVERGED] == 1
    (first, *_) = report.divergences
    assert (first.event, first.expected, first.actual) == ("ReplyRequested", "routed", "sending")
    assert report.judged == report.events
