"""Where a run comes from: versions, machine, seed, time."""

import importlib.metadata
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


_PACKAGES = ("nonlazy", "numpy", "jax", "jaxlib", "scipy", "xarray", "zarr")


def collect_provenance(
    *, experiment: str | None = None, seed: int | None = None, device: str | None = None, precision: str | None = None
) -> dict[str, Any]:
    """What is needed to tell how a run was made, in plain values that fit in JSON.

    **Arguments:** the experiment's name, the seed, the device and the floating-point precision, as their user knows
    them; None where they do not apply.

    **Returns:** these, with `started` (UTC, ISO 8601), `python`, `platform`, `versions` (by package) and
    `git_revision`: the commit of nonlazy's own source tree, with `+changes` where files differ from it, or None where
    nonlazy runs from no git tree.
    """
    return {
        "experiment": experiment,
        "seed": seed,
        "device": device,
        "precision": precision,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "versions": {name: _version(name) for name in _PACKAGES},
        "git_revision": _git_revision(),
    }


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return getattr(sys.modules.get(package), "__version__", None)


def _git_revision() -> str | None:
    # An installed copy may lie inside the git tree of another project, whose revision would say nothing: ask first
    # whether this very file is one of that tree's.
    here = Path(__file__).resolve()
    if _git(here.parent, "ls-files", "--error-unmatch", here.name) is None:
        return None
    revision = _git(here.parent, "rev-parse", "HEAD")
    changes = _git(here.parents[1], "status", "--porcelain", "--untracked-files=no", "--", ".")
    return f"{revision}+changes" if revision and changes else revision


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
