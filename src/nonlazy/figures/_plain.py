"""Numbers and records as JSON knows them."""

import math
from typing import Any

import numpy as np


def plain(value: Any) -> Any:
    """`value` with arrays and tuples as lists, and numbers that JSON does not know as None."""
    if isinstance(value, dict):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
