"""What is rendered is what was looked at."""

from __future__ import annotations

import renders
import snapshots


def test_renders_are_as_they_were() -> None:
    wanted = snapshots.wanted()
    kept = {path: path.read_text() for path in snapshots.FOLDER.glob("*.yaml")}
    differing = sorted(path.name for path in wanted.keys() | kept.keys() if wanted.get(path) != kept.get(path))
    assert not differing, "look at what `make snapshots` changes, and commit it if it is right"


def test_every_render_has_a_name_of_its_own() -> None:
    names = [render.name for render in [*renders.charts(), *renders.overlays()]]
    assert len(names) == len(set(names))
