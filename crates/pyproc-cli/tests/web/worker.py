"""The functions that the tests of the pages call."""

import os

from pyproc_worker import expose, run_worker


@expose
def double(value: int) -> int:
    """Doubles a number."""
    return value * 2


@expose
def markup(text: str) -> str:
    """Answers with <b>markup</b>, which is no markup here."""
    return f"<img src=x onerror=alert(1)>{text}"


@expose
def fail():
    raise ValueError("the kettle is <i>empty</i>")


@expose
def die() -> None:
    os._exit(3)


@expose
def size(data: bytes) -> int:
    return len(data)


@expose
def large() -> dict[str, int]:
    return {"exact": 12345678901234567890}


@expose(name="größe/all")
def everything(value=None):
    return value


if __name__ == "__main__":
    run_worker()
