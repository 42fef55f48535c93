"""How long something takes, as a person says it."""


def duration(seconds: float) -> str:
    """A time in the words of a person."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
