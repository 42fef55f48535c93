"""The values of a key: a list, or a range."""

import math
from typing import Any, TypeGuard


_RANGE = ("from", "to", "steps", "scale")


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
    twice = next((value for k, value in enumerate(given) if _among(value, given[:k])), None)
    if twice is not None:
        return [], f"{key} has {twice!r} twice: every point is run once"
    return list(given), None


def _among(value: Any, others: list[Any]) -> bool:
    # To Python True is 1, but not to a reader.
    return any(value == other and isinstance(value, bool) == isinstance(other, bool) for other in others)


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


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
        return list(range(start, stop + 1)), None
    if isinstance(steps, bool) or not isinstance(steps, int) or steps < 2 or start == stop:
        return [], f"{key}: steps is {steps!r}: a range has two values or more, and two ends"
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
