"""The decorator, and the list of what it has been put on."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar, overload

from pyproc_worker._duration import nanoseconds
from pyproc_worker._errors import ExposeError

if TYPE_CHECKING:
    from collections.abc import Callable

F = TypeVar("F", bound="Callable[..., Any]")

_NAME_LIMIT: Final = 255


@dataclass(frozen=True, slots=True)
class Exposure:
    """One function and what its author said about it.

    Attributes:
        function: The function.
        name: What callers name it by.
        timeout_ns: Its own limit in nanoseconds, None for the pool's.
        whole: Whether its one argument is the whole body.
        is_async: Whether it is a coroutine function.
    """

    function: Callable[..., Any]
    name: str
    timeout_ns: int | None
    whole: bool
    is_async: bool


class Registry:
    """The functions that a worker exposes, by name."""

    def __init__(self) -> None:
        self._exposures: dict[str, Exposure] = {}

    def add(self, exposure: Exposure) -> None:
        """Adds a function.

        Raises:
            ExposeError: If another one has its name.
        """
        other = self._exposures.get(exposure.name)
        if other is not None and _place(other.function) != _place(exposure.function):
            raise ExposeError(
                f"two functions are exposed as `{exposure.name}`: {_place(other.function)} and "
                f'{_place(exposure.function)}; rename one of them with @expose(name="...")',
            )
        self._exposures[exposure.name] = exposure

    def find(self, name: str) -> Exposure | None:
        """The function that callers know by this name."""
        return self._exposures.get(name)

    def exposures(self) -> list[Exposure]:
        """All functions, in the order in which they were exposed."""
        return list(self._exposures.values())


registry: Final = Registry()
"""The functions of this process."""


@overload
def expose(function: F, /) -> F: ...
@overload
def expose(
    function: None = None,
    /,
    *,
    name: str | None = None,
    timeout: str | float | None = None,
    body: Literal["whole"] | None = None,
) -> Callable[[F], F]: ...
def expose(
    function: F | None = None,
    /,
    *,
    name: str | None = None,
    timeout: str | float | None = None,
    body: Literal["whole"] | None = None,
) -> F | Callable[[F], F]:
    """Lets the Rust program call a function or coroutine function; the function itself is not changed.

    Args:
        function: The function, when the decorator is used without parentheses.
        name: What callers name it by, instead of its own name.
        timeout: The function's own limit, instead of the pool's: seconds, or text such as `"10m"`. Only
            past this limit is a worker that does not stop killed.
        body: `"whole"` gives the function the whole body as its one argument, whatever its signature.

    Raises:
        ExposeError: If it is not something that can be exposed, or another function has its name.
        TypeError: If a timeout is neither a number nor text.
        ValueError: If an option has no meaning.
    """
    limit = None if timeout is None else nanoseconds(timeout)
    if body not in {None, "whole"}:
        raise ValueError(f'body is "whole" or left out, not {body!r}')

    def add(function: F) -> F:
        registry.add(exposure_of(function, name=name, timeout_ns=limit, whole=body == "whole"))
        return function

    return add if function is None else add(function)


def exposure_of(
    function: Callable[..., Any],
    *,
    name: str | None = None,
    timeout_ns: int | None = None,
    whole: bool = False,
) -> Exposure:
    """Checks that something can be exposed, and says how.

    Raises:
        ExposeError: If it can not, or not under its name.
    """
    if not callable(function):
        raise ExposeError(f"only functions can be exposed, not `{type(function).__qualname__}`")
    name = str(getattr(function, "__name__", "")) if name is None else name
    if not name or name == "<lambda>" or len(name.encode()) > _NAME_LIMIT:
        raise ExposeError(
            f"{_shown(name)} of {_place(function)} cannot be the name of an exposed function; "
            f'give one of 1 to {_NAME_LIMIT} bytes with @expose(name="...")'
        )
    called: Any = inspect.unwrap(function)
    if not inspect.isroutine(called) and not inspect.isclass(called):
        called = getattr(called, "func", None) or called.__call__
    if inspect.isgeneratorfunction(called) or inspect.isasyncgenfunction(called):
        raise ExposeError(f"{_place(called)} is a generator, which cannot be exposed yet; return a list instead")
    is_async = inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(called)
    return Exposure(function, name, timeout_ns, whole, is_async)


def _shown(name: str) -> str:
    return repr(name) if len(name) <= _NAME_LIMIT else f"{name[:40]!r}... ({len(name.encode())} bytes)"


def _place(function: Callable[..., Any]) -> str:
    """Where a function is written, so that a module imported twice does not clash with itself."""
    inner: Any = inspect.unwrap(function)
    code = getattr(inner, "__code__", None)
    if code is not None:
        return f"`{inner.__qualname__}` ({code.co_filename}:{code.co_firstlineno})"
    return f"{getattr(inner, '__module__', '?')}.{getattr(inner, '__qualname__', repr(inner))}"
