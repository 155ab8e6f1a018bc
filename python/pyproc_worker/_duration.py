"""Durations as people write them: `"250ms"`, `"10m"`, `90`."""

from __future__ import annotations

import math
import re
from typing import Final

_UNITS: Final = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
    "d": 86400.0,
}
_PART: Final = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(ns|us|µs|ms|s|m|h|d)")


def nanoseconds(duration: str | float) -> int:
    """Parses a duration.

    Args:
        duration: Seconds, or text with a unit (`ns`, `us`, `ms`, `s`, `m`, `h`, `d`), `"1h30m"` included.

    Raises:
        TypeError: If it is neither a number nor text.
        ValueError: If it is not a positive duration.
    """
    if isinstance(duration, str):
        seconds = _parse(duration)
    elif isinstance(duration, bool) or not isinstance(duration, (int, float)):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f'a timeout is seconds or text such as "10m", not `{type(duration).__qualname__}`')
    else:
        seconds = float(duration)
    if not math.isfinite(seconds) or not 0 < seconds < 1e9:
        raise ValueError(f"a timeout is a positive duration, not {duration!r}")
    return max(1, round(seconds * 1e9))


def _parse(text: str) -> float:
    seconds, end = 0.0, 0
    while match := _PART.match(text, end):
        seconds += float(match[1]) * _UNITS[match[2]]
        end = match.end()
    if end == 0 or text[end:].strip():
        raise ValueError(f'{text!r} is not a duration such as "250ms", "30s" or "10m"')
    return seconds
