"""The version of the installed package."""

from importlib import metadata


try:
    __version__ = metadata.version("nonlazy")
except metadata.PackageNotFoundError:  # A source tree on the path that was never installed.
    __version__ = "unknown"
