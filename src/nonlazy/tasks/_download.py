"""Downloads with a checksum and a progress bar."""

from dataclasses import dataclass
from pathlib import Path

from nonlazy.errors import DataError


@dataclass(frozen=True)
class RemoteFile:
    """A file at its official places.

    **Fields:** `name`: in the cache. `urls`: tried in order. `checksum`: `"sha256:..."` or `"md5:..."`.
    """

    name: str
    urls: tuple[str, ...]
    checksum: str


def fetch(file: RemoteFile, folder: Path, advice: str) -> Path:
    """The path of a file in the cache, downloaded first where it is not there with the right checksum.

    The download goes to a temporary file that takes its name only once its checksum is right: nothing else ever stands
    in the cache.

    **Arguments:** `file`; `folder`: the cache's folder for it; `advice`: the end of the message where it fails.

    **Raises:** `nonlazy.errors.DataError` where no place gives the right file, with what happened at each.
    """
    import pooch
    import requests

    failures = []
    for url in file.urls:
        try:
            return Path(pooch.retrieve(url, file.checksum, fname=file.name, path=folder, progressbar=True))
        except requests.exceptions.RequestException as error:
            failures.append(f"{url}: {_reason(error)}")
        except ValueError:
            failures.append(
                f"{url}: the file has another checksum than {file.checksum}: interrupted, or not the original"
            )
        except OSError as error:
            raise DataError(
                f"{file.name} cannot be kept in the cache folder {folder} ({error.strerror or error}): {advice}"
            ) from error
    raise DataError(f"{file.name} could not be downloaded; nothing was kept. {'; '.join(failures)}. {advice}")


def _reason(error: Exception) -> str:
    response = getattr(error, "response", None)
    if response is not None:
        return f"the server answers {response.status_code} {response.reason}"
    return f"no answer ({type(error).__name__})"
