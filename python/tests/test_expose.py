"""The decorator and the function table."""

from __future__ import annotations

import functools
import json
import math

import msgspec
import pytest

from pyproc_worker._duration import nanoseconds
from pyproc_worker._errors import ExposeError, NoFunctionError, TargetError
from pyproc_worker._expose import Registry, expose, exposure_of, registry
from pyproc_worker._function import load
from pyproc_worker._target import load_target


class Features(msgspec.Struct):
    value: float


@pytest.fixture(autouse=True)
def _empty_registry():
    registry._exposures.clear()
    yield
    registry._exposures.clear()


def test_bare_and_with_options():
    @expose
    def one(req):
        """Says one."""
        return 1

    @expose(name="second", timeout="10m", body="whole")
    async def two(req, other=None):
        return 2

    assert one(None) == 1
    table = load(registry.exposures())
    assert [f.name for f in table] == ["one", "second", "health"]
    assert [f.number for f in table] == [0, 1, 2]
    assert [f.is_async for f in table] == [False, True, False]
    assert [f.timeout_ns for f in table] == [None, 600 * 10**9, None]
    assert table[0].doc == "Says one."
    assert table[0].signature == "(req)"
    assert table[1].body_mapping == "the whole body as `req`"


def test_health_answers_and_a_users_own_wins():
    health = load([])[0]
    assert health.call_empty()["status"] == "healthy"
    assert health.target({})["pid"] > 0

    @expose(name="health")
    def mine():
        return "mine"

    assert [f.call_empty() for f in load(registry.exposures())] == ["mine"]


def test_two_functions_of_one_name():
    @expose
    def predict(req):
        return 1

    with pytest.raises(ExposeError, match="two functions are exposed as `predict`") as error:

        @expose(name="predict")
        def other(req):
            return 2

    assert "test_expose.py" in str(error.value)
    assert str(error.value).endswith('rename one of them with @expose(name="...")')


def test_a_module_that_is_imported_twice_does_not_clash_with_itself():
    mine = Registry()
    for _ in range(2):

        def f():
            return 1

        mine.add(exposure_of(f))
    assert len(mine.exposures()) == 1


def test_generators_are_refused():
    def generator():
        yield 1

    async def stream():
        yield 1

    for function in (generator, stream, functools.partial(generator)):
        with pytest.raises(ExposeError, match="is a generator, which cannot be exposed yet; return a list instead"):
            exposure_of(function, name="g")


def test_what_cannot_be_exposed():
    with pytest.raises(ExposeError, match="only functions can be exposed, not `int`"):
        expose(3)
    with pytest.raises(ExposeError, match="cannot be the name of an exposed function"):
        expose(lambda: 1)
    with pytest.raises(ExposeError, match="cannot be the name"):
        exposure_of(math.sqrt, name="")
    with pytest.raises(ValueError, match="body is"):
        expose(body="half")
    with pytest.raises(TypeError):
        expose(nmae="x")


def test_coroutines_behind_wrappers_are_coroutines():
    async def work(req):
        return req

    @functools.wraps(work)
    async def wrapped(*args):
        return await work(*args)

    class Callable:
        async def __call__(self, req):
            return req

    assert exposure_of(work).is_async
    assert exposure_of(wrapped).is_async
    assert exposure_of(functools.partial(work), name="p").is_async
    assert exposure_of(Callable(), name="c").is_async
    assert not exposure_of(math.hypot).is_async


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10m", 600 * 10**9),
        ("250ms", 250 * 10**6),
        ("1h30m", 5400 * 10**9),
        ("1.5s", 1_500_000_000),
        ("7us", 7000),
        ("1d", 86400 * 10**9),
        (90, 90 * 10**9),
        (0.001, 10**6),
    ],
)
def test_durations(text, expected):
    assert nanoseconds(text) == expected


@pytest.mark.parametrize("text", ["", "10", "10 minutes", "m", "-1s", "1s x", 0, -1, math.nan, math.inf, "0s"])
def test_what_is_no_duration(text):
    with pytest.raises(ValueError, match=r"duration"):
        nanoseconds(text)


@pytest.mark.parametrize("value", [True, None, [1]])
def test_what_is_no_number_is_no_duration(value):
    with pytest.raises(TypeError, match="a timeout is seconds or text"):
        nanoseconds(value)


def test_schemas():
    @expose
    def predict(req: Features) -> dict[str, int]:
        return {}

    @expose
    def add(a: int, b: int = 2) -> int:
        return a + b

    @expose
    def size(body: bytes) -> object:
        return len(body)

    one, two, three, _ = load(registry.exposures())
    assert json.loads(one.parameters)["$defs"]["Features"]["properties"] == {"value": {"type": "number"}}
    assert json.loads(one.returns) == {"type": "object", "additionalProperties": {"type": "integer"}}
    schema = json.loads(two.parameters)["anyOf"][0]
    assert schema["properties"] == {"a": {"type": "integer"}, "b": {"type": "integer", "default": 2}}
    assert schema["required"] == ["a"]
    assert json.loads(two.returns) == {"type": "integer"}
    assert json.loads(three.parameters) == {"type": "string", "contentMediaType": "application/octet-stream"}
    assert three.returns == "{}"


def test_targets():
    (hypot,) = load_target("math:hypot")
    assert (hypot.name, hypot.target([3, 4])) == ("hypot", 5.0)
    (upper,) = load_target("builtins:str.upper")
    assert (upper.name, upper.target("a")) == ("str.upper", "A")
    with pytest.raises(TargetError, match=r"^module `math` has no function `hypott`; did you mean `hypot`\?$"):
        load_target("math:hypott")
    with pytest.raises(TargetError, match="`pi` of module `math` is not a function"):
        load_target("math:pi")
    with pytest.raises(NoFunctionError, match="math exposes no function: put @expose above one, or name one"):
        load_target("math")
    with pytest.raises(
        TargetError, match=r"^there is no module `no_such_module_anywhere` in /.* or among the packages of /"
    ):
        load_target("no_such_module_anywhere")


def test_a_target_keeps_what_its_author_said(tmp_path, monkeypatch):
    source = "from pyproc_worker import expose\n@expose(name='n', timeout=3)\ndef f(req): return req\n"
    (tmp_path / "some_worker_module.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    (f,) = load_target("some_worker_module:f")
    assert (f.name, f.timeout_ns) == ("n", 3 * 10**9)
    assert [f.name for f in load_target("some_worker_module")] == ["n", "health"]
