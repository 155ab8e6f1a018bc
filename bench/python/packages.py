"""Prints which versions of the packages of requirements/bench.in and of their like are installed, as JSON."""

import importlib.metadata
import json
import sys

NAMES = (
    "fastapi",
    "granian",
    "grpcio",
    "litserve",
    "mosec",
    "msgspec",
    "numpy",
    "pandas",
    "pyzmq",
    "scikit-learn",
    "uvicorn",
)


def main() -> None:
    """Print; what is not installed is left out."""
    versions: dict[str, str] = {}
    for name in NAMES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    json.dump(versions, sys.stdout)


if __name__ == "__main__":
    main()
