"""One self-contained HTML page of a run or of a figure: pictures, tables, diagnostics, provenance."""

from nonlazy.figures.pages._page import (
    page as page,
    write_page as write_page,
)
