"""What the modules compiled by Numba share."""

import inspect
from collections.abc import Callable
from typing import Any

import numba
from numba import types
from numba.extending import intrinsic


# Numbers that are worked on together. With 500 neurons, the arrays of a block of as many inputs take half of a second
# cache of 1 MiB.
BLOCK = 128

# Infinities and NaN are not ruled out: a trajectory may diverge, and has to be seen to.
MATH = frozenset(("nsz", "arcp", "contract"))
# For loops that add up and may do so in any order, fixed as they are compiled.
SUMS = MATH | {"reassoc"}


def compiled(fastmath: frozenset[str]) -> Callable[[Callable], Callable]:
    """A decorator for what Python calls: compiled at the first call, and kept on disk where there is a place for it."""

    def decorate(function: Callable) -> Callable:
        settings = {"fastmath": set(fastmath), "error_model": "numpy"}
        # Type checks that tests put around every function cannot be compiled.
        function = inspect.unwrap(function)
        try:
            return numba.njit(cache=True, **settings)(function)
        except RuntimeError:
            return numba.njit(**settings)(function)

    return decorate


def inlined(fastmath: frozenset[str]) -> Callable[[Callable], Callable]:
    """A decorator for what only compiled functions call.

    Nothing is left to call: such a function is compiled once apart and once with its caller, and the two round
    differently. Which of them a process gets would depend on whether its code comes from the disk.
    """
    compile = numba.njit(fastmath=set(fastmath), error_model="numpy", forceinline=True)
    return lambda function: compile(inspect.unwrap(function))


def _float_of_bits(_, bits):
    """The float32 with these 32 bits."""

    def lower(context, builder, signature, arguments):
        return builder.bitcast(arguments[0], context.get_value_type(types.float32))

    return types.float32(types.int32), lower


def _bits_of_float(_, value):
    """The 32 bits of a float32."""

    def lower(context, builder, signature, arguments):
        return builder.bitcast(arguments[0], context.get_value_type(types.int32))

    return types.int32(types.float32), lower


# Called with the arguments that follow the compiler's own.
float_of_bits: Any = intrinsic(_float_of_bits)
bits_of_float: Any = intrinsic(_bits_of_float)
