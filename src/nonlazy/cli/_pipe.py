"""Output that may find no reader: `nonlazy figure 2 | head` must write its pictures all the same."""

import os
from collections.abc import Callable
from typing import Any, TextIO, TypeVar


_Value = TypeVar("_Value")


class PatientOutput:
    """A text stream that goes on into nothing once its reader has gone."""

    def __init__(self, stream: TextIO):
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """As of the stream."""
        return self._patiently(lambda: self._stream.write(text))

    def flush(self) -> None:
        """As of the stream."""
        self._patiently(self._stream.flush)

    def _patiently(self, act: Callable[[], _Value]) -> _Value:
        try:
            return act()
        except BrokenPipeError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)
            return act()
