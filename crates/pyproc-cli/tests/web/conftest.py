"""What the tests of the gateway's pages and of its description share: gateways, a browser."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import gateway
import pytest
from playwright.sync_api import sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser


@pytest.fixture(scope="session")
def typed() -> Iterator[str]:
    """The address of a gateway for the typed example."""
    with gateway.serve(gateway.TYPED, "--workers", "2") as base:
        yield base


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, without a window."""
    if not os.path.exists(gateway.CHROMIUM):
        pytest.skip("the pages in a browser: there is no chromium (apt-get install chromium)")
    with sync_playwright() as playwright:
        # Its sandbox does not work for root.
        arguments = ["--no-sandbox"] if os.getuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=gateway.CHROMIUM, args=arguments)
        yield browser
        browser.close()
