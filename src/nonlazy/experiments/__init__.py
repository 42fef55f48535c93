"""Experiments as TOML files: those that nonlazy ships, and what reads and checks one's own."""

from nonlazy.experiments._experiment import Experiment as Experiment
from nonlazy.experiments._load import (
    load as load,
    names as names,
    read_toml as read_toml,
    text as text,
)
