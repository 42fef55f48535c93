"""The commands: arguments to calls, and results to the terminal."""

from nonlazy.cli._app import main as main
