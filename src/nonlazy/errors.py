"""What nonlazy raises when a request cannot be served, so that callers and the command line can tell it from a bug."""


class NonlazyError(Exception):
    """Base of every error that nonlazy raises on purpose. Its text names the value, the limit and what to do."""


class InvalidInput(NonlazyError, ValueError):
    """An argument, a configuration key or an array that cannot be used."""


class DataError(NonlazyError, OSError):
    """A data file that is missing, truncated, corrupt or of another format."""


class StoreError(NonlazyError, OSError):
    """A run on disk that cannot be read, written or continued."""


class SamplingError(NonlazyError, RuntimeError):
    """Sampling that had to stop; what was drawn before is intact."""


class TheoryError(NonlazyError, RuntimeError):
    """Equations of the theory whose solution was not found to the accuracy that is promised."""
