"""What a gradient costs by calculation: operations, memory, and what goes from device to device."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Size:
    """P inputs of r numbers, L hidden layers of N neurons, m outputs, in single precision."""

    P: int
    r: int
    N: int
    L: int
    m: int

    @property
    def operations(self) -> float:
        """Floating-point operations of the matrix products of one gradient."""
        return float(self.P) * (4 * self.N * self.r + 6 * self.N**2 * (self.L - 1) + 6 * self.N * self.m)

    @property
    def weights(self) -> int:
        """Coordinates of a chain, which is what the devices add up, but for the loss."""
        return self.N * self.r + (self.L - 1) * self.N**2 + self.m * self.N

    @property
    def message(self) -> float:
        """Bytes of the sum that the devices form once a gradient."""
        return 4.0 * (self.weights + 1)

    def sent(self, devices: int) -> float:
        """Bytes that each device sends for it, in a ring."""
        return 2 * (devices - 1) / devices * self.message
