"""`make snapshots`: writes what everything renders to now. The tests only compare."""

from __future__ import annotations

from pathlib import Path

import renders

FOLDER = Path(__file__).parent / "snapshots"


def wanted() -> dict[Path, str]:
    """Every snapshot, with what it should hold."""
    return {FOLDER / f"{render.name}.yaml": render.text() for render in [*renders.charts(), *renders.overlays()]}


def main() -> None:
    """Writes what differs, removes what nothing renders any more."""
    FOLDER.mkdir(exist_ok=True)
    snapshots = wanted()
    for path in FOLDER.glob("*.yaml"):
        if path not in snapshots:
            path.unlink()
            print(f"removed: {path.name}")
    for path, text in snapshots.items():
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
            print(f"written: {path.name}")


if __name__ == "__main__":
    main()
