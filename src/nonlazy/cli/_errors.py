"""How a command ends: nonlazy's own errors as one paragraph, Ctrl-C with how to go on, bugs with their traceback."""

import functools
import traceback
from collections.abc import Callable
from typing import Annotated, Any

import typer

from nonlazy._regular_files import shown
from nonlazy._whole_files import FULL
from nonlazy.errors import NonlazyError, SamplingError


NOT_CONVERGED = 1
BAD_INPUT = 2
BUG = 3
INTERRUPTED = 130

Debug = Annotated[bool, typer.Option("--debug", help="On an error, print the traceback as well.")]


def guarded(command: Callable[..., Any]) -> Callable[..., Any]:
    """The command with its errors turned into messages and exit statuses; it must have a keyword `debug`."""

    @functools.wraps(command)
    def run(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except (typer.Exit, typer.Abort, KeyboardInterrupt):
            raise
        except NonlazyError as error:
            _say(str(error), kwargs.get("debug", False))
            raise typer.Exit(NOT_CONVERGED if isinstance(error, SamplingError) else BAD_INPUT) from None
        except Exception as error:
            if type(error).__module__.startswith("click") or type(error).__module__.startswith("typer"):
                raise
            outside = _fault_outside(error)
            if outside:
                _say(outside, kwargs.get("debug", False))
                raise typer.Exit(BAD_INPUT) from None
            _say(f"{type(error).__name__}: {error}\nThis is a bug in nonlazy. Please report it with this text.", True)
            raise typer.Exit(BUG) from None

    return run


def _fault_outside(error: Exception) -> str | None:
    """What to say of an error that the machine or a file makes, whatever nonlazy was doing; None for any other."""
    if isinstance(error, MemoryError):
        said = f" ({error})" if str(error) else ""
        return (
            f"the memory of this machine does not suffice{said}: ask for fewer inputs, neurons, draws or chains, or "
            "take a machine with more memory"
        )
    if isinstance(error, OSError) and error.filename is not None:
        return f"{shown(error.filename)}: {error.strerror or error}"
    if isinstance(error, OSError) and error.errno in FULL:
        return f"a file cannot be written: {error.strerror or error}; free some space, and give the same command again"
    return None


def _say(message: str, with_traceback: bool) -> None:
    from rich.console import Console
    from rich.text import Text

    if with_traceback:
        traceback.print_exc()
    Console(stderr=True).print(Text.assemble(("Error: ", "bold red"), message), soft_wrap=True)
