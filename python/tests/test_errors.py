"""Exceptions as the map that travels to the Rust side."""

from __future__ import annotations

import msgspec
import pytest

from pyproc_worker._errors import BadArgument, DeadlineExceeded, describe_error


def describe(error, phase="call"):
    return msgspec.msgpack.decode(describe_error(error, phase))


def raised(function):
    try:
        function()
    except BaseException as error:
        return error
    raise AssertionError("nothing was raised")


class Rude(Exception):
    def __str__(self):
        raise ValueError("no text")

    __repr__ = __str__


class Ruder(Exception):
    def __str__(self):
        raise SystemExit(3)


def test_type_message_and_traceback():
    error = describe(raised(lambda: {}["key"]))
    assert error["code"] == "python"
    assert error["type"] == "KeyError"
    assert error["message"] == "'key'"
    assert error["traceback"].startswith("Traceback (most recent call last):\n")
    assert 'lambda: {}["key"]' in error["traceback"]
    assert error["traceback"].endswith("KeyError: 'key'\n")
    assert describe(Rude())["type"] == "test_errors.Rude"


def test_our_own_frames_are_left_out(caller):
    f = caller(lambda a, b: 1 / 0)
    error = raised(lambda: f.function.target(f.function.decode_json(b"[1, 2]")))
    # As from the native loop, which has no frames: the test's own two are left out.
    error.__traceback__ = error.__traceback__.tb_next.tb_next
    assert "_binding.py" in error.__traceback__.tb_frame.f_code.co_filename
    assert "pyproc_worker" not in describe(error)["traceback"]
    assert "1 / 0" in describe(error)["traceback"]


def test_causes_and_groups_are_told():
    def cause():
        try:
            1 / 0
        except ZeroDivisionError as error:
            raise ValueError("outer") from error

    trace = describe(raised(cause))["traceback"]
    assert "ZeroDivisionError" in trace
    assert "direct cause" in trace
    group = ExceptionGroup("several", [ValueError("one"), KeyError("two")])
    assert "one" in describe(group)["traceback"]


def test_a_cycle_of_contexts_ends():
    one, two = ValueError("one"), ValueError("two")
    one.__context__, two.__context__ = two, one
    assert describe(one)["message"] == "one"


@pytest.mark.parametrize("phase", ["decode", "call", "encode"])
@pytest.mark.parametrize("error", [Rude(), Ruder(), Rude("x", object())])
def test_an_exception_without_text_is_described(error, phase):
    described = describe(error, phase)
    assert described["code"] in {"python", "bad_result"}


def test_surrogates_and_length():
    assert describe(ValueError("\udcff"))["message"] == "\\udcff"
    described = describe(ValueError("x" * 1_000_000))
    assert len(described["message"]) < 9_000
    assert "characters left out" in described["message"]
    assert len(describe_error(ValueError("ü" * 1_000_000), "call")) < 64 * 1024

    def deep(n):
        return deep(n - 1) + 1

    assert len(describe(raised(lambda: deep(-1)))["traceback"]) < 25_000


def test_a_function_that_raises_deadline_exceeded_itself_has_raised_an_exception():
    described = describe(DeadlineExceeded("no time left"))
    assert (described["code"], described["message"]) == ("python", "no time left")
    assert described["type"].endswith("DeadlineExceeded")


def test_base_exceptions_are_errors_of_their_call():
    assert describe(SystemExit(3))["type"] == "SystemExit"
    assert describe(KeyboardInterrupt())["type"] == "KeyboardInterrupt"


def test_results():
    assert describe(TypeError("a complex"), "encode") == {"code": "bad_result", "message": "a complex"}
    assert describe(BadArgument("$.a", "int", "str")) == {
        "code": "bad_argument",
        "path": "$.a",
        "expected": "int",
        "got": "str",
    }


def test_validation_errors_of_the_users_own_code_are_python_errors():
    error = raised(lambda: msgspec.json.decode(b'"x"', type=int))
    assert describe(error, "call")["code"] == "python"
    assert describe(error, "decode") == {"code": "bad_argument", "path": "$", "expected": "int", "got": "str"}


@pytest.mark.parametrize(
    ("kind", "body", "expected"),
    [
        (list[int], b'[1,"x"]', ("$[1]", "int", "str")),
        (dict[str, int], b'{"a":"b"}', ("$[...]", "int", "str")),
        (int, b"null", ("$", "int", "null")),
    ],
)
def test_paths(kind, body, expected):
    error = describe(raised(lambda: msgspec.json.decode(body, type=kind)), "decode")
    assert (error["path"], error["expected"], error["got"]) == expected
