"""The figures of van Meegen & Sompolinsky (2025), one module each."""

from nonlazy.figures.paper._figure1 import FIGURE_1 as FIGURE_1
from nonlazy.figures.paper._figure2 import FIGURE_2 as FIGURE_2
from nonlazy.figures.paper._figure3 import FIGURE_3 as FIGURE_3
from nonlazy.figures.paper._figure4 import FIGURE_4 as FIGURE_4
from nonlazy.figures.paper._figure5 import FIGURE_5 as FIGURE_5
from nonlazy.figures.paper._figure6 import FIGURE_6 as FIGURE_6
from nonlazy.figures.paper._figure7 import (
    FIGURE_7 as FIGURE_7,
    FIGURE_7_FULL as FIGURE_7_FULL,
)
from nonlazy.figures.paper._figure7_size import check_device as check_device
