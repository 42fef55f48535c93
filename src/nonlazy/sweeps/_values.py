"""The values of a key: a list, or a range."""

import math
from typing import Any, TypeGuard


_RANGE = ("from", "to", "steps", "scale")
# Beyond that somebody has mistyped a range.
MOST_POINTS = 100_000


def values_of(key: str, given: Any) -> tuple[list[Any], str | None]:
    """The values that a key takes, and what is wrong with them, if anything.

    A range `{from = 1e-3, to = 1.0, steps = 7, scale = "log"}` has both ends, and six significant digits;
    `{from = 0, to = 9}` are whole numbers.
    """
    if isinstance(given, dict) and "from" in given:
        return _range(key, given)
    if not isinstance(given, list):
        return [], f"{key} is {given!r}: give a list, [like, this], or a range, {{from = 0.1, to = 1.0, steps = 4}}"
    if not given:
        return [], f"{key} is an empty list: give at least one value"
    if len(given) > MOST_POINTS:
        return [], _too_many(key, len(given))
    seen = set()
    for value in given:
        known = _frozen(value)
        if known in seen:
            return [], f"{key} has {value!r} twice: every point is run once"
        seen.add(known)
    return list(given), None


def _too_many(key: str, count: int) -> str:
    said = str(count) if count < 10**18 else "more than 10^18"
    return f"{key} has {said} values: a sweep has at most {MOST_POINTS} points, which is more than a folder should hold"


def _frozen(value: Any) -> Any:
    """What is equal for equal values alone, and can be a member of a set."""
    if isinstance(value, list):
        return ("list", *map(_frozen, value))
    if isinstance(value, dict):
        return ("table", frozenset((key, _frozen(inner)) for key, inner in value.items()))
    # To Python True is 1, but not to a reader.
    return isinstance(value, bool), value


def _is_number(value: Any) -> TypeGuard[float]:
    try:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    # A whole number of hundreds of digits.
    except OverflowError:
        return False


def _range(key: str, given: dict[str, Any]) -> tuple[list[Any], str | None]:
    unknown = [name for name in given if name not in _RANGE]
    if unknown:
        return [], f"{key} has {unknown[0]!r} in its range: it can have {', '.join(_RANGE)}"
    start, stop, steps, scale = (given.get(name) for name in _RANGE)
    if not (_is_number(start) and _is_number(stop)):
        return [], f"{key}: a range goes from a number to a number"
    if scale not in (None, "linear", "log"):
        return [], f"{key} has scale {scale!r}: it can be 'linear' or 'log'"
    if steps is None:
        if not (isinstance(start, int) and isinstance(stop, int) and start < stop and scale is None):
            return [], f"{key}: a range needs steps, how many values it has; whole numbers from a < b need none"
        if stop - start >= MOST_POINTS:
            return [], _too_many(key, stop - start + 1)
        return list(range(start, stop + 1)), None
    if isinstance(steps, bool) or not isinstance(steps, int) or steps < 2 or start == stop:
        return [], f"{key}: steps is {steps!r}: a range has two values or more, and two ends"
    if steps > MOST_POINTS:
        return [], _too_many(key, steps)
    if not math.isfinite(stop - start) or (scale == "log" and start > 0 and not math.isfinite(stop / start)):
        return [], f"{key}: the ends {start} and {stop} are too far apart for a range"
    if scale == "log":
        if not (start > 0 and stop > 0):
            return [], f"{key}: a logarithmic range needs ends above 0"
        exact = [start * (stop / start) ** (k / (steps - 1)) for k in range(steps)]
    else:
        exact = [start + (stop - start) * k / (steps - 1) for k in range(steps)]
    values: list[Any] = [float(f"{value:.6g}") for value in exact]
    if isinstance(start, int) and isinstance(stop, int) and all(value == int(value) for value in values):
        values = [int(value) for value in values]
    if len(set(values)) < len(values):
        return [], f"{key}: {steps} values from {start} to {stop} do not differ in six digits"
    return values, None
