"""A task from any folder or tar archive of images, one folder a class."""

from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np

from nonlazy._regular_files import expanded, is_folder, is_regular, shown
from nonlazy.errors import DataError, InvalidInput
from nonlazy.tasks._archive import is_archive, read_members
from nonlazy.tasks._check import chosen_classes
from nonlazy.tasks._image_files import Decoding, checked_size, image_pool, is_image, shape_of
from nonlazy.tasks._images import Request, build, draw_both
from nonlazy.tasks._pool import Pool
from nonlazy.tasks._preprocess import Preprocess
from nonlazy.tasks._task import Task


TEST_SHARE = 5


def image_folder(
    path: str | PathLike[str],
    classes: Sequence[int | str] | None = None,
    P: int | None = None,
    P_test: int | None = None,
    size: int | tuple[int, int] | None = None,
    grey: bool = False,
    y_plus: float | int = 1.0,
    y_minus: float | int = 0.0,
    preprocess: Preprocess | str = "standardize",
    seed: int = 0,
) -> Task:
    """A task from a folder of images, or a tar archive of one: `<class>/<image>`, or `train/` and `test/` above that.

    Without `train` and `test`, the images are split at random by `seed`. Inputs come sorted by class, in the order of
    `classes`; an input is its pixels row by row, for colour images the red, green and blue plane one after the other.
    Hidden files and files without an image's suffix are passed over and counted in the provenance; images with
    transparency lose it. An archive is read in memory, never unpacked.

    **Arguments:**

    - `path`: the folder, or a `.tar`, `.tar.gz`, `.tgz`, `.tar.bz2` or `.tar.xz` archive.
    - `classes`: names of the class folders, or their positions in alphabetical order; None takes all.
    - `P`, `P_test`: numbers of training and test inputs, drawn by `seed`. None: the whole of `train` and of `test`;
      where they are not apart, a fifth of all images for the test (rounded down) and all that remain for training. 0
      for P_test makes a task without a test set.
    - `size`: `(height, width)`, or one number for a square, to which images are resized (bilinear); None demands that
      all images are alike.
    - `grey`: one channel instead of three.
    - `y_plus`, `y_minus`: one-hot target of an input's own class, and of the others.
    - `preprocess`: `"standardize"`: (pixel/255 - mean)/deviation with the mean and standard deviation of each channel
      over the training inputs; `"raw"`: pixel/255; `"unit-norm"`: |x|^2 = N0 for each input; `"centre"`: pixel/255
      minus its mean over the training inputs.
    - `seed`: 0 or more.

    **Returns:** a `nonlazy.tasks.Task`, one output a class, N0 = channels x height x width.

    **Raises:** `nonlazy.errors.InvalidInput` for arguments; `nonlazy.errors.DataError` for a folder or archive that is
    missing, damaged or of another layout, and for an image that cannot be read or has another shape, by its name.
    """
    request = Request(P, P_test, y_plus, y_minus, preprocess, seed)
    shape = checked_size(size)
    path = expanded(path)
    listing = _listing(path)
    chosen = chosen_classes(range(len(listing.classes)) if classes is None else classes, listing.classes, str(path))
    names = tuple(listing.classes[c] for c in chosen)
    wanted = {part: [entry for entry in entries if entry[0] in names] for part, entries in listing.parts.items()}
    decoding = Decoding(grey, shape or _common_shape(path, wanted), resize=shape is not None)
    pools = {
        part: image_pool([entry[1:] for entry in entries], [listing.classes.index(e[0]) for e in entries], decoding)
        for part, entries in wanted.items()
    }
    if "all" in pools:
        train, test, request = _split(pools["all"], request, path)
    else:
        train, test = pools["train"], pools["test"]
    drawn = draw_both(request, train, test, chosen, names)
    suffixes = {Path(entry[1]).suffix.lower() for entries in wanted.values() for entry in entries}
    return build(
        request,
        train,
        test,
        drawn,
        class_names=names,
        image_shape=decoding.shape if grey else (3, *decoding.shape),
        constants=None,
        name=path.name.split(".")[0],
        provenance={
            "builder": "image_folder",
            "arguments": {
                **request.arguments(),
                "P": P,
                "P_test": P_test,
                "path": str(path),
                "classes": list(names),
                "size": None if shape is None else list(shape),
                "grey": grey,
            },
            "source": f"{'archive' if path.is_file() else 'folder'} {path}",
            "split": "by seed" if "all" in pools else "train and test folders",
            "files_passed_over": listing.passed_over,
            "file_suffixes": sorted(suffixes),
        },
    )


@dataclass(frozen=True, eq=False)
class _Listing:
    """Class names in alphabetical order; images as (class, name, content) by part: "train" and "test", or "all"."""

    classes: tuple[str, ...]
    parts: dict[str, list[tuple[str, str, bytes | Path]]]
    passed_over: int


def _listing(path: Path) -> _Listing:
    files: dict[str, bytes | Path]
    if is_folder(path):
        files = {f.relative_to(path).as_posix(): f for f in sorted(path.rglob("*")) if f.is_file()}
    elif is_regular(path) and is_archive(path):
        members = []
        content = read_members(path, lambda name: members.append(name) or is_image(name))
        files = {name: content.get(name, b"") for name in sorted(members)}
    elif path.exists():
        raise DataError(f"{path}: is neither a folder nor a tar archive (.tar, .tar.gz, .tgz, .tar.bz2, .tar.xz)")
    else:
        raise DataError(f"{shown(path)}: there is no such folder or archive")
    found = {name: content for name, content in files.items() if is_image(name)}
    roots = {name.split("/")[0] for name in found if name.count("/")}
    # An archive often has one folder around everything.
    prefix = f"{roots.pop()}/" if len(roots) == 1 and any(name.count("/") >= 2 for name in found) else ""
    found = {name.removeprefix(prefix): content for name, content in found.items() if name.startswith(prefix)}
    apart = {name.split("/")[0] for name in found if name.count("/") == 2} >= {"train", "test"}
    parts: dict[str, list[tuple[str, str, bytes | Path]]] = {"train": [], "test": []} if apart else {"all": []}
    for name, content in found.items():
        folders = name.split("/")[:-1]
        if len(folders) == (2 if apart else 1):
            parts[folders[0] if apart else "all"].append((folders[-1], f"{path}: {prefix}{name}", content))
    classes = tuple(sorted({entry[0] for entries in parts.values() for entry in entries}))
    if not classes:
        raise DataError(f"{path}: no images in class folders; expected <class>/<image>, or train/ and test/ above that")
    read = sum(map(len, parts.values()))
    return _Listing(classes, parts, len(files) - read)


def _common_shape(path: Path, parts: dict[str, list[tuple[str, str, bytes | Path]]]) -> tuple[int, int]:
    first: dict[tuple[int, int], str] = {}
    for entries in parts.values():
        for _, name, content in entries:
            first.setdefault(shape_of(name, content), name)
            if len(first) == 2:
                (a, name_a), (b, name_b) = first.items()
                raise DataError(
                    f"images differ in size: {name_a} is {a[0]} x {a[1]} pixels (height x width), {name_b} is "
                    f"{b[0]} x {b[1]}: give size=(height, width) to resize them all"
                )
    return next(iter(first))


def _split(pool: Pool, request: Request, path: Path) -> tuple[Pool, Pool, Request]:
    """Disjoint training and test pools of the sizes asked for, by the request's seed."""
    total = pool.labels.size
    P_test = total // TEST_SHARE if request.P_test is None else request.P_test
    P = total - P_test if request.P is None else request.P
    if P < 1 or P + P_test > total:
        raise InvalidInput(
            f"{path}: P = {P} training and P_test = {P_test} test inputs were asked for; there are {total} images in "
            "the chosen classes"
        )
    order = np.random.default_rng(np.random.SeedSequence(request.seed).spawn(3)[2]).permutation(total)
    test, train = np.sort(order[:P_test]), np.sort(order[P_test : P_test + P])

    def part(of: np.ndarray) -> Pool:
        return Pool(pool.labels[of], lambda indices: pool.read(of[indices]))

    whole = Request(None, None if P_test else 0, request.y_plus, request.y_minus, request.preprocess, request.seed)
    return part(train), part(test), whole
