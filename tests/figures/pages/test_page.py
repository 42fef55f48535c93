"""Pages of runs and figures: what stands in them, that they need nothing else, and that a browser shows it."""

import shutil
import subprocess
from html.parser import HTMLParser

import pytest

from nonlazy import figures
from nonlazy.errors import InvalidInput, StoreError
from nonlazy.figures.pages import page, write_page
from tests.figures.test_figure2 import tiny
from tests.figures.test_produce import definition


class Parsed(HTMLParser):
    """Tags that are open, what refers elsewhere, and the text."""

    def __init__(self, text: str):
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []
        self.text, self.pictures = "", 0
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        if tag not in ("meta", "img"):
            self.open.append(tag)
        self.pictures += tag == "img"
        self.links += [value for name, value in attrs if name in ("src", "href") and not value.startswith("data:")]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    experiment = tiny("linear").changed(
        {"sampling": {"draws": 8}, "experiment": {"title": "A <b>small</b> & quick run"}}
    )
    run = figures.sample_experiment(experiment, folder, progress=False)
    return folder, run


@pytest.fixture(scope="module")
def figure_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("figure")
    figures.produce(definition(("linear",)), True, folder, progress=False)
    return folder


def test_the_page_of_a_run_needs_nothing_else(run_folder):
    folder, run = run_folder
    found = Parsed(page(folder))
    assert not found.open and not found.links and found.pictures == 1
    # Titles are text, whatever they look like.
    assert "A <b>small</b> & quick run" in found.text
    for said in (str(run.posterior), "Coding scheme: ", "U[0, 0]", "log density *", "nonlazy run experiment.toml",
                 "width = 40", run.provenance["versions"]["nonlazy"]):  # fmt: skip
        assert said in found.text
    assert page(folder / "run.zarr") == page(folder)


def test_the_page_of_a_figure_has_its_table_and_claims(figure_folder):
    found = Parsed(page(figure_folder))
    assert not found.open and not found.links and found.pictures == 1
    for said in ("QUICK SIZE", "mean readout, a", "none, it says", "a note", "nonlazy figure test --quick", "0.05",
                 "In all three networks the outputs match the one-hot targets.", "holds", "width = 40"):  # fmt: skip
        assert said in found.text


def test_pages_are_written_whole_or_not_at_all(run_folder, tmp_path):
    folder, _ = run_folder
    file = write_page(folder)
    assert file == folder / "report.html" and file.read_text(encoding="utf-8") == page(folder)
    assert write_page(folder / "run.zarr") == file
    moved = tmp_path / "mine.zarr"
    shutil.copytree(folder / "run.zarr", moved)
    assert write_page(moved) == tmp_path / "mine.html"
    shutil.rmtree(moved)
    with pytest.raises(InvalidInput, match="is a folder"):
        write_page(folder, tmp_path)
    with pytest.raises(StoreError, match="cannot be written"):
        write_page(folder, tmp_path / "no" / "mine.html")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.html"]


def test_a_damaged_run_has_no_page(run_folder, tmp_path):
    store = tmp_path / "run.zarr"
    shutil.copytree(run_folder[0] / "run.zarr", store)
    chunk = next(path for path in (store / "posterior" / "readout" / "c").rglob("*") if path.is_file())
    content = bytearray(chunk.read_bytes())
    content[5] ^= 1
    chunk.write_bytes(content)
    with pytest.raises(StoreError, match="readout"):
        write_page(store)
    assert not (tmp_path / "report.html").exists()


def test_what_is_neither_run_nor_figure_is_refused(tmp_path):
    with pytest.raises(StoreError, match="holds no run, figure or sweep"):
        page(tmp_path)
    (tmp_path / "figure-1.json").write_text("{", encoding="utf-8")
    with pytest.raises(StoreError, match="cannot be read"):
        page(tmp_path)
    with pytest.raises(InvalidInput, match="is a file"):
        page(tmp_path / "figure-1.json")


BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine")
def test_a_browser_without_a_network_shows_the_page(figure_folder, tmp_path):
    file = write_page(figure_folder, tmp_path / "page.html")
    assert BROWSER is not None
    isolated = ["--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={tmp_path / 'profile'}"]
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", *isolated, "--dump-dom", file.as_uri()]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    found = Parsed(shown)
    assert found.pictures == 1 and "mean readout, a" in found.text and "A test" in found.text
