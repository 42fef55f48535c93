"""Gaussian averages of an activation and of its derivatives, in closed form where it is an error function."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.special import ndtr

from nonlazy.errors import InvalidInput


Moments = tuple[Float[np.ndarray, " P"], ...]


@dataclass(frozen=True)
class ErrorFunctionAverages:
    """Averages over z ~ N(m, v) of phi(z) = offset + height Phi(z / width), with Phi the normal distribution function.

    The noise of z only widens the step: <phi> = offset + height Phi(m / sqrt(width^2 + v)), and <phi^(n)> is its n-th
    derivative in m.
    """

    width: float
    height: float
    offset: float

    @property
    def threshold(self) -> float:
        """Halfway between the two ends of phi: a class whose mean activation lies above it is active."""
        return self.offset + 0.5 * self.height

    def mean(
        self, m: Float[np.ndarray, "*shape"], v: Float[np.ndarray, "*shape"] | Float[np.ndarray, " P"] | float
    ) -> Float[np.ndarray, "*shape"]:
        """<phi>."""
        return self.offset + self.height * ndtr(m / np.sqrt(self.width**2 + v))

    def derivatives(self, m: Float[np.ndarray, " P"], v: Float[np.ndarray, " P"]) -> Moments:
        """<phi>, <phi'>, .., <phi^(5)>, each `(P,)`."""
        q = np.sqrt(self.width**2 + v)
        x = m / q
        density = self.height * np.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)
        return (
            self.offset + self.height * ndtr(x),
            density / q,
            -x * density / q**2,
            (x**2 - 1) * density / q**3,
            -(x**3 - 3 * x) * density / q**4,
            (x**4 - 6 * x**2 + 3) * density / q**5,
        )

    def slope(
        self, m: Float[np.ndarray, "*shape"], v: Float[np.ndarray, "*shape"] | float
    ) -> Float[np.ndarray, "*shape"]:
        """<phi'>."""
        q = np.sqrt(self.width**2 + v)
        return self.height * np.exp(-0.5 * (m / q) ** 2) / (math.sqrt(2 * math.pi) * q)


def averages_of(name: str) -> ErrorFunctionAverages:
    """The averages of an activation of `nonlazy.activations`.

    **Raises:** `nonlazy.errors.InvalidInput` where no closed form is known.
    """
    if name == "sigmoid":
        return ErrorFunctionAverages(width=math.sqrt(2 / math.pi), height=1.0, offset=0.0)
    if name == "erf":
        return ErrorFunctionAverages(width=math.sqrt(0.5), height=2.0, offset=-1.0)
    raise InvalidInput(
        f"activation is {name!r}: on general data the theory has the Gaussian averages of 'sigmoid' and 'erf' in "
        "closed form, and of no other activation; sample this network instead, with nonlazy.sample"
    )
