"""Tasks from NumPy arrays and .npz files."""

from collections.abc import Sequence
from os import PathLike
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import ArrayLike

from nonlazy._numpy_files import numpy_fault, numpy_format
from nonlazy._regular_files import check_regular, expanded, shown
from nonlazy.errors import DataError, InvalidInput
from nonlazy.tasks._check import every_class_present
from nonlazy.tasks._targets import one_hot, target_values, whole_labels
from nonlazy.tasks._task import Task


NPZ_KEYS = ("X", "Y", "labels", "X_test", "Y_test", "labels_test", "class_names")


def from_arrays(
    X: ArrayLike,
    Y: ArrayLike | None = None,
    labels: ArrayLike | None = None,
    X_test: ArrayLike | None = None,
    Y_test: ArrayLike | None = None,
    labels_test: ArrayLike | None = None,
    *,
    y_plus: float | int = 1.0,
    y_minus: float | int = 0.0,
    class_names: Sequence[str] = (),
    name: str = "arrays",
) -> Task:
    """A task from arrays of the user's own. The arrays are copied, as float64; nothing is scaled or centred.

    **Arguments:**

    - `X`: training inputs, `(P, N0)`, one a row.
    - `Y`: targets, `(P, m)`, or `(P,)` for one output. None makes one-hot targets from `labels`.
    - `labels`: class of each input, `(P,)`, integers 0 .. C-1. None reads them from `Y`: the output with the larger of
      two values where the targets are one-hot; for one output the sign, + being class 0 and - class 1, as in
      `nonlazy.tasks.toy`.
    - `X_test`, `Y_test`, `labels_test`: the same for the test set; with targets and labels as for the training set.
    - `y_plus`, `y_minus`: target values where targets are made from labels.
    - `class_names`: a name a class; by default the class numbers.
    - `name`: how the task is called in tables and figures.

    **Returns:** a `nonlazy.tasks.Task`.

    **Raises:** `nonlazy.errors.InvalidInput` for shapes that do not fit, values that are not finite, arrays of objects
    or text, targets that tell no labels, and a class without a training input.
    """
    if X_test is None and (Y_test is not None or labels_test is not None):
        raise InvalidInput("Y_test and labels_test belong to X_test, which is missing")
    if X_test is not None and (Y is None) != (Y_test is None):
        given, missing = ("Y_test", "Y") if Y is None else ("Y", "Y_test")
        raise InvalidInput(f"{given} is given and {missing} is not: give the targets of both sets, or of neither")
    if X_test is not None and (labels is None) != (labels_test is None):
        given, missing = ("labels_test", "labels") if labels is None else ("labels", "labels_test")
        raise InvalidInput(f"{given} is given and {missing} is not: give the labels of both sets, or of neither")
    target_values(y_plus, y_minus)
    sets = [_Part("", X, Y, labels)]
    if X_test is not None:
        sets.append(_Part("_test", X_test, Y_test, labels_test))
    values = _target_levels([part.Y for part in sets if part.Y is not None])
    found = [part.read_labels(values) for part in sets]
    single = sets[0].Y is not None and sets[0].Y.shape[1] == 1 and labels is None
    names = tuple(str(n) for n in class_names) or (("+1", "-1") if single else ())
    outputs = sets[0].Y.shape[1] if labels is None and sets[0].Y is not None else 0
    C = len(names) or max(outputs, *(int(part.max(initial=0)) + 1 for part in found))
    if any(part.size and part.max() >= C for part in found):
        raise InvalidInput(f"labels reach {max(int(p.max()) for p in found)}; {C} class names were given")
    targets = [
        one_hot(part_labels, C, y_plus, y_minus) if part.Y is None else part.Y
        for part, part_labels in zip(sets, found, strict=True)
    ]
    arguments = {"labels": "from the targets" if labels is None else "given", "targets": "given"}
    if Y is None:
        arguments |= {"targets": "one-hot", "y_plus": float(y_plus), "y_minus": float(y_minus)}
    task = Task(
        sets[0].X,
        targets[0],
        found[0],
        *((sets[1].X, targets[1], found[1]) if len(sets) == 2 else ()),
        class_names=names or tuple(str(c) for c in range(C)),
        name=name,
        provenance={
            "builder": "from_arrays",
            "arguments": arguments,
            "source": "arrays",
            "preprocessing": {"method": "none"},
        },
    )
    every_class_present(np.bincount(found[0], minlength=C), task.class_names, "classes count from 0 without gaps")
    return task


def from_npz(
    path: str | PathLike[str],
    *,
    y_plus: float | int = 1.0,
    y_minus: float | int = 0.0,
    class_names: Sequence[str] = (),
    name: str | None = None,
) -> Task:
    """A task from a .npz file, as `numpy.savez` writes it, with the arrays that `from_arrays` takes under its names.

    **Arguments:**

    - `path`: the file. It holds `X` and `Y` or `labels`, and may hold `X_test`, `Y_test`, `labels_test` and
      `class_names`, nothing else.
    - `y_plus`, `y_minus`: as for `from_arrays`.
    - `class_names`: a name a class, instead of those in the file.
    - `name`: how the task is called; None calls it as the file.

    **Returns:** a `nonlazy.tasks.Task`.

    **Raises:** `nonlazy.errors.DataError` for a file that is missing, damaged or holds pickled objects, which are never
    loaded; `nonlazy.errors.InvalidInput` as `from_arrays`.
    """
    path = expanded(path)
    try:
        check_regular(path)
        # The file is opened here, because numpy leaves it open where it turns out to be damaged.
        with path.open("rb") as stream:
            if numpy_format(stream) is None:
                raise DataError(
                    f"{path}: not a readable .npz file of plain arrays (it is no NumPy file): write it with numpy.savez"
                )
            archive = np.load(stream, allow_pickle=False)
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise DataError(f"{path}: holds one array, not several by name: write it with numpy.savez")
            unknown = sorted(set(archive.files) - set(NPZ_KEYS))
            if unknown:
                raise DataError(f"{path}: holds {', '.join(unknown)}; a task has {', '.join(NPZ_KEYS)}")
            if "X" not in archive.files:
                raise DataError(f"{path}: holds no X, the training inputs")
            arrays: dict[str, Any] = {key: archive[key] for key in archive.files}
    except DataError:
        raise
    except FileNotFoundError:
        raise DataError(f"{shown(path)}: there is no such file") from None
    # A damaged archive raises almost anything: BadZipFile, KeyError, NotImplementedError, zlib.error, MemoryError.
    except Exception as error:
        raise DataError(f"{path}: not a readable .npz file of plain arrays ({numpy_fault(error)})") from error
    stored_names = tuple(str(n) for n in np.atleast_1d(arrays.pop("class_names", ())))
    task = from_arrays(
        **arrays, y_plus=y_plus, y_minus=y_minus, class_names=class_names or stored_names, name=name or path.stem
    )
    provenance = {**task.provenance, "builder": "from_npz", "source": f"file {path}"}
    return Task(
        task.X, task.Y, task.labels, task.X_test, task.Y_test, task.labels_test, task.class_names, task.name, provenance
    )


class _Part:
    """The training or the test arrays, copied and checked; `suffix` is that of their names."""

    def __init__(self, suffix: str, X: ArrayLike, Y: ArrayLike | None, labels: ArrayLike | None):
        if Y is None and labels is None:
            raise InvalidInput(f"Y{suffix} and labels{suffix} are both missing: give the targets or the classes")
        self.suffix = suffix
        self.X = _numbers(f"X{suffix}", X)
        if self.X.ndim != 2:
            raise InvalidInput(f"X{suffix} has shape {self.X.shape}: it must be (inputs, N0), one input a row")
        self.Y = None if Y is None else _numbers(f"Y{suffix}", Y)
        if self.Y is not None and self.Y.ndim == 1:
            self.Y = self.Y[:, None]
        self.labels = None if labels is None else whole_labels(f"labels{suffix}", labels)
        for what, array in (("Y", self.Y), ("labels", self.labels)):
            if array is not None and array.shape[0] != self.X.shape[0]:
                raise InvalidInput(
                    f"X{suffix} has {self.X.shape[0]} inputs, {what}{suffix} {array.shape[0]}: they must be as many"
                )

    def read_labels(self, levels: Float[np.ndarray, " levels"]) -> Int[np.ndarray, " P"]:
        """The labels given, or those that the targets tell; `levels` are the values of all targets."""
        if self.labels is not None:
            return self.labels
        assert self.Y is not None
        how = f"Y{self.suffix} does not tell the classes: give labels{self.suffix}=... (integers 0 .. C-1)"
        if self.Y.shape[1] == 1:
            if (self.Y == 0).any():
                raise InvalidInput(f"{how}; one output tells them by its sign, and {int((self.Y == 0).sum())} are 0")
            return np.where(self.Y[:, 0] > 0, 0, 1).astype(np.int64)
        if levels.size != 2:
            raise InvalidInput(f"{how}; one-hot targets have two values, these have {levels.size}")
        own = self.Y == levels[1]
        wrong = np.flatnonzero(own.sum(axis=1) != 1)
        if wrong.size:
            times = int(own[wrong[0]].sum())
            raise InvalidInput(f"{how}; a one-hot row has {levels[1]:g} once, row {wrong[0]} has it {times} times")
        return np.argmax(own, axis=1).astype(np.int64)


def _target_levels(targets: Sequence[Float[np.ndarray, "_ m"]]) -> Float[np.ndarray, " levels"]:
    return np.unique(np.concatenate([Y.ravel() for Y in targets])) if targets else np.empty(0)


def _numbers(name: str, values: ArrayLike) -> Float[np.ndarray, "..."]:
    found = np.asarray(values)
    if found.dtype.kind not in "biuf":
        raise InvalidInput(f"{name} holds {found.dtype} values: it must hold real numbers")
    numbers = np.array(found, dtype=np.float64, order="C")
    if not np.isfinite(numbers).all():
        raise InvalidInput(f"{name} holds {int((~np.isfinite(numbers)).sum())} values that are not finite")
    return numbers
