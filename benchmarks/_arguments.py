"""Arguments that are refused before anything is measured."""

import argparse
from collections.abc import Iterable
from typing import Any


def check_files(parser: argparse.ArgumentParser, arguments: Any, *names: str) -> None:
    """Refuses files to be written whose folder does not exist."""
    for name in names:
        path = getattr(arguments, name)
        if path is not None and not path.absolute().parent.is_dir():
            parser.error(f"--{name} is {path}: its folder does not exist")


def check_least(parser: argparse.ArgumentParser, arguments: Any, **least: int) -> None:
    """Refuses whole numbers, or lists of them, below the least that makes sense."""
    for name, limit in least.items():
        given = getattr(arguments, name)
        for value in given if isinstance(given, Iterable) else [given]:
            if value is not None and value < limit:
                parser.error(f"--{name.replace('_', '-')} is {value}: it must be at least {limit}")
