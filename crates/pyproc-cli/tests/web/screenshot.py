"""Takes the picture of the page that the README shows; run by scripts/screenshot."""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import threading
import time
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import gateway
from playwright.sync_api import sync_playwright

CALLS = {
    "quote": {"lines": [{"article": "teapot", "price": 2490, "quantity": 2}], "country": "AT"},
    "delivery": {"ordered": "2026-03-02", "country": "FR"},
    "check_iban": "DE89 3704 0044 0532 0130 00",
    "slug": {"title": "Teapots & Cups"},
}
SECONDS = 62


def main(path: str) -> None:
    with gateway.serve(gateway.TYPED, "--workers", "3") as base:
        until = time.monotonic() + SECONDS
        clients = [threading.Thread(target=load, args=(base, until, seed)) for seed in range(3)]
        for client in clients:
            client.start()
        # The picture shows the last minute, which takes a minute to make.
        time.sleep(SECONDS * 0.7)
        with urllib.request.urlopen(f"{base}/v1/status", timeout=gateway.PATIENCE) as response:
            os.kill(json.load(response)["pool"]["workers"][1]["pid"], signal.SIGKILL)
        gateway.call(base, "slug", {"title": "Teapots", "limit": 500})
        gateway.call(base, "quote", {"lines": [], "country": "AT"})
        take(base, path, until - 4)
        for client in clients:
            client.join()


def load(base: str, until: float, seed: int) -> None:
    chance = random.Random(seed)
    while (left := until - time.monotonic()) > 0:
        name = chance.choices(list(CALLS), [3, 2, 6, 4])[0]
        gateway.call(base, name, CALLS[name])
        # A day of customers in a minute: it grows, breathes, and never stands still.
        time.sleep(chance.random() * (0.004 + 0.03 * abs(left / SECONDS - 0.4)))


def take(base: str, path: str, moment: float) -> None:
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox"] if os.getuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=gateway.CHROMIUM, args=arguments)
        page = browser.new_page(viewport={"width": 1100, "height": 1000}, color_scheme="light")
        page.goto(base)
        page.get_by_label("Function", exact=True).select_option("check_iban")
        page.get_by_role("button", name="Call").click()
        page.get_by_label("Result").wait_for()
        page.wait_for_timeout(max(moment - time.monotonic(), 0) * 1000)
        page.screenshot(path=path, full_page=True)
        browser.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
