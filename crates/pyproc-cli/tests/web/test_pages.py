"""The pages at / and /docs in a real browser."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

import gateway
import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

WORKER = Path(__file__).with_name("worker.py")

expect.set_options(timeout=gateway.PATIENCE * 1000)


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    with gateway.serve(WORKER, "--workers", "2") as base:
        yield base


@contextlib.contextmanager
def opened(browser: Browser, url: str, *, expected: tuple[str, ...] = (), **options: object) -> Iterator[Page]:
    """A page without an error in its console, but for these, that asked nothing of another place."""
    context = browser.new_context(**options)
    context.set_default_timeout(gateway.PATIENCE * 1000)
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(url)
    yield page
    context.close()
    assert [text for text in said if not any(part in text for part in expected)] == []
    origin = "/".join(url.split("/")[:3])
    assert [url for url in asked if not url.startswith(f"{origin}/")] == []


def table(page: Page, name: str) -> list[str]:
    return page.locator(f"#{name} tbody tr").all_inner_texts()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1200, 360])
@pytest.mark.parametrize("path", ["/", "/docs"])
def test_pages_are_readable_light_and_dark_wide_and_narrow(browser, base, scheme, width, path):
    with opened(browser, base + path, color_scheme=scheme, viewport={"width": width, "height": 800}) as page:
        expect(page.locator("#data")).to_be_visible()
        expect(page.locator("form button").last).to_be_attached()
        assert page.evaluate("document.documentElement.scrollWidth") == width
        assert contrasts(page) == []


def contrasts(page: Page) -> list[str]:
    """Texts whose contrast with what is behind them is below 4.5, as WCAG's level AA asks."""
    return page.evaluate("""() => {
      const channel = (value) => (value <= 10 ? value / 3294 : ((value / 255 + 0.055) / 1.055) ** 2.4);
      const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
      const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
      const behind = (element) => {
        for (let it = element; it; it = it.parentElement) {
          const colour = numbers(getComputedStyle(it).backgroundColor);
          if (colour.length === 3 || colour[3] > 0) return colour;
        }
        return [255, 255, 255];
      };
      const visible = (it) => it.checkVisibility() && [...it.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
      return [...document.body.querySelectorAll("*")].filter(visible).filter((it) => {
        const [one, other] = [light(numbers(getComputedStyle(it).color)), light(behind(it))];
        return (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05) < 4.5;
      }).map((it) => `${it.tagName}: ${it.textContent}`);
    }""")


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_everything_that_can_be_filled_has_a_name(browser, base, path):
    with opened(browser, base + path) as page:
        expect(page.locator("form button").last).to_be_attached()
        nameless = page.evaluate("""() => [...document.querySelectorAll("input, select, textarea, button")]
          .filter((it) => !it.labels?.length && !it.textContent.trim() && !it.getAttribute("aria-label"))
          .map((it) => it.outerHTML)""")
        assert nameless == []


def test_workers_and_functions_are_shown(browser, base):
    with opened(browser, base) as page:
        expect(page.locator("#workers tbody tr")).to_have_count(2)
        assert all("up" in row for row in table(page, "workers"))
        expect(page.locator("#figures")).to_contain_text("ready")
        expect(page.locator("#functions")).to_contain_text("größe/all")


def test_a_killed_worker_appears_as_a_restart(browser):
    with gateway.serve(WORKER) as base, opened(browser, base) as page:
        restarts = page.locator("#figures div", has_text="Restarts").locator("dd")
        expect(restarts).to_have_text("0")
        status, problem = gateway.call(base, "die", None)
        assert (status, problem["code"]) == (502, "worker_died")
        expect(restarts).to_have_text("1")
        expect(page.locator("#workers")).to_contain_text("exited with status 3")
        expect(page.locator("#errors")).to_contain_text("502")
        expect(page.locator("#errors")).to_contain_text("exited with status 3 while it ran this call")


def test_a_call_gives_its_result(browser, base):
    with opened(browser, base) as page:
        page.get_by_label("Function", exact=True).select_option("double")
        assert page.get_by_role("textbox", name="JSON").input_value() == "1"
        page.get_by_role("textbox", name="JSON").fill("21")
        page.get_by_role("button", name="Call").click()
        expect(page.get_by_label("Result")).to_have_text("42")
        expect(page.locator("#try [role=status]")).to_contain_text("200")
        page.get_by_text("The same by curl").click()
        expect(page.locator("#try .curl")).to_have_text(f"curl --json '21' '{base}/v1/call/double'")


def test_a_call_that_fails_shows_its_sentence(browser, base):
    refused = ("422", "500")
    with opened(browser, base, expected=refused) as page:
        page.get_by_label("Function", exact=True).select_option("double")
        page.get_by_role("textbox", name="JSON").fill('"x"')
        page.keyboard.press("Control+Enter")
        status = page.locator("#try [role=status]")
        expect(status).to_contain_text("the argument is wrong: expected int, got str")
        page.get_by_label("Function", exact=True).select_option("fail")
        page.get_by_role("button", name="Call").click()
        expect(status).to_contain_text("the Python function raised ValueError: the kettle is <i>empty</i>")
        expect(page.locator("#errors")).to_contain_text("the kettle is <i>empty</i>")


def test_what_comes_back_is_text_and_exact(browser, base):
    with opened(browser, base) as page:
        page.get_by_label("Function", exact=True).select_option("markup")
        page.get_by_role("button", name="Call").click()
        expect(page.get_by_label("Result")).to_have_text('"<img src=x onerror=alert(1)>text"')
        page.get_by_label("Function", exact=True).select_option("large")
        page.get_by_role("button", name="Call").click()
        expect(page.get_by_label("Result")).to_have_text('{"exact":12345678901234567890}')


def test_a_file_is_sent_as_it_is(browser, base):
    with opened(browser, base) as page:
        page.get_by_label("Function", exact=True).select_option("size")
        data = bytes(range(256)) * 4
        page.get_by_label("File, sent as it is").set_input_files({"name": "x", "mimeType": "image/png", "buffer": data})
        page.get_by_role("button", name="Call").click()
        expect(page.get_by_label("Result")).to_have_text("1024")


def test_the_form_works_by_keyboard_alone(browser, base):
    with opened(browser, base) as page:
        page.get_by_label("Function", exact=True).focus()
        page.keyboard.type("double")
        page.keyboard.press("Tab")
        page.keyboard.press("Control+A")
        page.keyboard.type("4")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(page.get_by_label("Result")).to_have_text("8")


def test_a_token_is_asked_for_kept_and_forgotten(browser, tmp_path):
    tokens = tmp_path / "tokens"
    tokens.write_text("open-sesame\n")
    with gateway.serve(WORKER, "--token-file", str(tokens)) as base, opened(browser, base, expected=("401",)) as page:
        expect(page.locator("#message")).to_have_text("This gateway asks for a token.")
        expect(page.locator("#data")).to_be_hidden()
        field = page.get_by_label("Token of this gateway")
        expect(field).to_be_focused()
        field.fill("guess")
        field.press("Enter")
        expect(page.locator("#message")).to_have_text("the token is not known here")
        # As a text program quotes it.
        field.fill("\u201copen-sesame\u201d")
        field.press("Enter")
        expect(page.locator("#message")).to_contain_text("letters, digits and marks of ASCII")
        field.fill("open-sesame")
        field.press("Enter")
        page.get_by_label("Function", exact=True).select_option("double")
        page.get_by_role("button", name="Call").click()
        expect(page.get_by_label("Result")).to_have_text("2")

        page.get_by_role("link", name="API").click()
        expect(page.locator("article h3", has_text="double")).to_be_visible()
        page.get_by_role("button", name="Forget the token").click()
        expect(page.get_by_label("Token of this gateway")).to_be_visible()
        expect(page.locator("#operations article")).to_have_count(0)


def test_the_api_page_describes_and_calls(browser, typed):
    with opened(browser, f"{typed}/docs") as page:
        quote = page.locator("#call-quote")
        expect(quote).to_contain_text("Prices an order: goods, discount, shipping and the tax in it.")
        expect(quote).to_contain_text("POST /v1/call/quote")
        expect(quote.get_by_role("row", name="voucher_percent")).to_contain_text("integer, at least 0, at most 100")
        quote.get_by_role("link", name="Line").click()
        expect(page.locator("#type-Line")).to_be_in_viewport()
        quote.get_by_text("Try quote").click()
        quote.get_by_role("button", name="Call").click()
        expect(quote.get_by_label("Result")).to_contain_text('"total": 2980')
        expect(page.locator("#answers")).to_contain_text("502")


def test_another_program_in_the_same_place_has_its_own_form(browser, tmp_path):
    worker = tmp_path / "worker.py"
    worker.write_text(ONE_FUNCTION.format("before"))
    with contextlib.ExitStack() as first:
        base = first.enter_context(gateway.serve(worker, "--workers", "1"))
        # While nobody is there, the browser says so too.
        with opened(browser, base, expected=("ERR_CONNECTION_REFUSED",)) as page:
            chosen = page.get_by_label("Function", exact=True)
            expect(chosen).to_contain_text("before")
            first.close()
            expect(page.locator("#data")).to_have_class("old")
            worker.write_text(ONE_FUNCTION.format("after"))
            with gateway.serve(worker, "--workers", "1", "--listen", base.removeprefix("http://")):
                expect(chosen).to_contain_text("after")
                expect(page.locator("#data")).not_to_have_class("old")


ONE_FUNCTION = """
from pyproc_worker import expose, run_worker


@expose
def {}(value: int) -> int:
    return value


if __name__ == "__main__":
    run_worker()
"""
