"""The page in a real browser: Debian's Chromium, driven by Playwright."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest
from world import World

from sms_fsm.simulator import Fault

from .operators import NAME
from .serving import TOKEN, Client

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

_CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
_MISSING = (
    "the package playwright is missing"
    if find_spec("playwright") is None
    else None
    if _CHROMIUM
    else "chromium is missing: apt-get install chromium"
)
pytestmark = pytest.mark.skipif(_MISSING is not None, reason=str(_MISSING))

_QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_FRESH_MS = 2_000
_PATIENCE_MS = 20_000


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_CHROMIUM, args=_QUIET)
        yield browser
        browser.close()


@pytest.fixture
def database_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """One store is enough here: what differs between the two is tested without a browser."""
    return f"sqlite:///{tmp_path_factory.mktemp('store')}/store.db"


@pytest.fixture
def page(browser: Browser, service: Client) -> Iterator[Page]:
    """Somebody logged in; errors in the browser's console fail the test."""
    page = browser.new_page(base_url=service.url, viewport={"width": 1280, "height": 900})
    page.set_default_timeout(_PATIENCE_MS)
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto("/")
    page.get_by_label("Your name").fill(NAME)
    page.get_by_label("API token").fill(TOKEN)
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Conversations").wait_for()
    yield page
    page.close()
    assert complaints == []


def test_an_operator_logs_in_finds_a_conversation_and_opens_it(page: Page, world: World) -> None:
    identity = world.opened("where is my parcel?")
    page.get_by_role("searchbox").fill("+1 555 123 4567")
    page.get_by_role("button", name="Find").click()
    page.locator("a.row").click()
    page.get_by_text("where is my parcel?").wait_for()
    assert page.url.endswith(f"/c/{identity}")
    assert "5551234567" not in page.content()


def test_a_change_of_state_shows_within_two_seconds_and_without_a_reload(
    page: Page, world: World
) -> None:
    identity = world.opened()
    page.goto(f"/c/{identity}")
    page.evaluate("window.same = true")
    page.get_by_role("heading", name="routed").wait_for()
    message = world.replied(identity)
    page.get_by_role("heading", name="awaiting_delivery").wait_for(timeout=_FRESH_MS)
    lit = page.locator(".picture svg [id=state-awaiting_delivery] path").first
    assert lit.get_attribute("fill") == "#4338ca"
    world.says(message, "delivered")
    page.get_by_role("heading", name="delivered").wait_for(timeout=_FRESH_MS)
    assert page.evaluate("window.same") is True


def test_what_somebody_types_survives_a_change(page: Page, world: World) -> None:
    identity = world.opened()
    world.simulator.fault(Fault("postMessage", kind="status", status=400, times=1))
    world.replied(identity, "Hello!")
    page.goto(f"/c/{identity}")
    page.get_by_label("Why").fill("the queue is ba")
    world.text("are you there?")
    page.get_by_text("are you there?").wait_for()
    page.get_by_label("Why").press_sequentially("ck")
    assert page.get_by_label("Why").input_value() == "the queue is back"


def test_a_dead_letter_is_retried_by_keyboard_alone(page: Page, world: World) -> None:
    identity = world.opened()
    world.simulator.fault(Fault("postMessage", kind="status", status=400, times=1))
    world.replied(identity, "Hello!")
    page.goto("/dead-letters")
    page.get_by_text("postMessage: 400").wait_for()
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.name") == "reason":
            break
    page.keyboard.type("the queue is back")
    page.keyboard.press("Enter")
    page.get_by_text("None. Everything").wait_for()
    world.engine.drain()
    assert world.posted(identity)[-1] == "Hello!"


def test_a_script_in_a_text_is_shown_and_not_run(page: Page, world: World) -> None:
    hostile = "<script>document.title = 'run'</script><img src=x onerror=\"document.title='run'\">"
    page.goto(f"/c/{world.opened(hostile)}")
    page.get_by_text(hostile).wait_for()
    world.text(hostile)
    page.locator(".text").nth(1).wait_for()
    assert page.title() != "run"


def test_a_lost_connection_is_shown(page: Page, world: World) -> None:
    page.goto(f"/c/{world.opened()}")
    page.route("**/live/*", lambda route: route.fulfill(status=204))
    page.locator("body:not(.stale)").wait_for()
    page.unroute("**/live/*")
    page.evaluate("() => { window.fetch = () => Promise.reject(new Error('away')) }")
    page.locator("body.stale").wait_for()


@pytest.mark.parametrize("width", [320, 375, 768])
def test_no_page_is_wider_than_the_screen(page: Page, world: World, width: int) -> None:
    identity = world.opened("a long word: " + "x" * 300)
    world.simulator.fault(Fault("postMessage", kind="status", status=400, times=1))
    world.replied(identity, "Hello!")
    page.set_viewport_size({"width": width, "height": 700})
    for path in ("/", f"/c/{identity}", "/dead-letters", "/carriers", "/graphs"):
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
