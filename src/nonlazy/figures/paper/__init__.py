"""The figures of van Meegen & Sompolinsky (2025), one module each."""

from nonlazy.figures.paper._figure1 import FIGURE_1 as FIGURE_1
from nonlazy.figures.paper._figure2 import FIGURE_2 as FIGURE_2
