"""Damaged copies of good files, and what reading one may do: give a value, or raise one of nonlazy's own errors."""

import copy
import os
import time
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, settings, strategies as st

from nonlazy.errors import NonlazyError


# Reading a file of some kilobytes takes milliseconds; so long is a hang even on a busy machine.
HANG_SECONDS = 20.0
# The hypothesis profile: the same examples each time and nothing kept between runs, unless a number of new ones is
# asked for: NONLAZY_FUZZ=5000 pytest tests/fuzzing.
_ASKED = os.environ.get("NONLAZY_FUZZ")
FEW = settings(
    max_examples=int(_ASKED or 60),
    deadline=None,
    derandomize=_ASKED is None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
# Where an example takes a good part of a second.
FEWER = settings(FEW, max_examples=int(_ASKED or 25))
# What headers and lengths are made of, where limits and signs lie.
TELLING = [b"\0", b"\xff", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x80\0\0\0", b"\0" * 8, b"-1", b"9" * 30, b"../"]


@st.composite
def damaged(draw: Any, good: bytes) -> bytes:
    """`good` with one to four damages: a part replaced, removed, put in, doubled, or the end cut off."""
    data = bytearray(good)
    # Half of all damages hit the first bytes, where formats keep what they are.
    places = st.one_of(st.integers(0, min(len(good), 200)), st.integers(0, len(good)))
    for _ in range(draw(st.integers(1, 4))):
        start = min(draw(places), len(data))
        piece = draw(st.one_of(st.sampled_from(TELLING), st.binary(min_size=1, max_size=6)))
        length = draw(st.integers(1, 40))
        match draw(st.sampled_from(["replace", "replace", "remove", "insert", "double", "cut"])):
            case "replace":
                data[start : start + len(piece)] = piece
            case "remove":
                del data[start : start + length]
            case "insert":
                data[start:start] = piece
            case "double":
                data[start:start] = data[start : start + length]
            case "cut":
                del data[start:]
    return bytes(data)


# What stands in the place of a value of TOML or JSON.
VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(10**30), 10**30),
        st.floats(),
        st.text(max_size=8),
        st.sampled_from([0, -1, 1e400, "all", "sigmoid", "\0", "toy", "../..", "/", "\ud800", "pickle"]),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=4), inner, max_size=2)),
    max_leaves=5,
)


@st.composite
def changed(draw: Any, good: Any, values: Any = VALUES) -> Any:
    """A copy of a document of dictionaries and lists, in which one to three members, anywhere, are another value, have
    another name, or are gone."""
    document = copy.deepcopy(good)
    for _ in range(draw(st.integers(1, 3))):
        at = document
        while True:
            places = list(at) if isinstance(at, dict) else list(range(len(at)))
            if not places:
                break
            place = draw(st.sampled_from(places))
            if isinstance(at[place], dict | list) and at[place] and draw(st.integers(0, 3)):
                at = at[place]
                continue
            match draw(st.sampled_from(["change", "change", "change", "remove", "rename"])):
                case "change":
                    at[place] = draw(values)
                case "rename" if isinstance(at, dict):
                    at[draw(st.text(max_size=6))] = at.pop(place)
                case _:
                    del at[place]
            break
    return document


def outcome(read: Callable[[], Any]) -> str:
    """`"read"` or `"refused"`; any other error passes through, and a hang fails."""
    begun = time.monotonic()
    try:
        read()
        return "read"
    except NonlazyError as error:
        assert str(error).strip(), "an error without a word"
        return "refused"
    finally:
        assert time.monotonic() - begun < HANG_SECONDS
