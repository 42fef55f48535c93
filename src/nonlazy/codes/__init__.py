"""From activations and labels to codes and coding schemes; takes arrays, knows no posterior."""

from nonlazy.codes._coding_scheme import (
    CodingScheme as CodingScheme,
    Kind as Kind,
)
from nonlazy.codes._detect import detect as detect
