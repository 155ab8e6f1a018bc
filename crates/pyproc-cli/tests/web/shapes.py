"""Signatures of every shape, for the validator of /openapi.json."""

import dataclasses
import datetime
import enum
from typing import Annotated, Any, Generic, Literal, NamedTuple, NotRequired, TypedDict, TypeVar

import msgspec
import numpy as np
import numpy.typing as npt

from pyproc_worker import expose, run_worker

T = TypeVar("T")


class Tree(msgspec.Struct):
    children: "list[Tree]" = []


class Page(msgspec.Struct, Generic[T]):
    items: list[T]


class Cat(msgspec.Struct, tag="cat"):
    lives: int = 9


class Dog(msgspec.Struct, tag="dog"):
    name: str


@dataclasses.dataclass
class Problem:
    x: float


class Options(TypedDict):
    deep: NotRequired[bool]


class Pair(NamedTuple):
    left: int
    right: str = "x"


class Colour(enum.Enum):
    RED = "red"


class Foreign:
    pass


@expose
def tree(root: Tree) -> Page[Tree]:
    return Page([root])


@expose
def pets(one: Cat | Dog, others: list[Cat | Dog] | None = None, *, colour: Colour = Colour.RED) -> dict[str, Cat | Dog]:
    return {"one": one}


@expose
def clash(problem: Problem) -> Problem:
    """Its type has the name of one of the gateway's."""
    return problem


@expose
def union() -> list[Tree | Problem | Foreign]:
    return []


@expose
def times(when: datetime.datetime, day: datetime.date, span: datetime.timedelta) -> tuple[datetime.time, int]:
    return when.time(), 1


@expose
def mean(values: npt.NDArray[np.float64]) -> np.float64:
    return values.mean()


@expose
def double(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return values * 2


@expose
def choose(which: Annotated[Literal["a", "b"], msgspec.Meta(description="which")] = "a") -> Pair:
    return Pair(1)


@expose
def options(*, options: Options, raw: bytes = b"") -> bytes:
    return raw


@expose
def rest(first, *more, **names):
    return first


@expose
def everything(*more: int) -> Any:
    return more


@expose
def foreign(model: Foreign, other: "Nowhere") -> Foreign:  # noqa: F821
    return model


@expose(name="a name/with {braces} & ünïcode")
def named() -> None:
    return None


if __name__ == "__main__":
    run_worker()
