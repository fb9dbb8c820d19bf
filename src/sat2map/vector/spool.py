"""Arrays that are written once and read in parts: a nameless file, so that memory does not grow with the scene."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from sat2map.arrays import Array
from sat2map.errors import OutputError


class Spool:
    """One long array on the disk. Its file has no name, so that nothing is left of it, however the process ends.

    Args:
        folder: where there is space.
        dtype: of the array.

    Raises:
        OutputError: the folder cannot be written.
    """

    def __init__(self, folder: Path, dtype: Any) -> None:
        self._folder, self._dtype = folder, np.dtype(dtype)
        self._length = 0
        self._array: Array | None = None
        try:
            self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed by `__exit__`
        except OSError as error:
            raise OutputError("folder cannot be written to", folder, hint="choose another with `out`") from error

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: Any, trace: TracebackType | None) -> None:
        """Give the space back."""
        self._array = None
        self._file.close()

    def __len__(self) -> int:
        """Elements so far."""
        return self._length

    def append(self, values: Array) -> slice:
        """Write elements behind the last ones, and tell where they are.

        Raises:
            OutputError: the disk is full.
        """
        start, self._array = self._length, None
        with self._one_line():
            self._file.write(np.ascontiguousarray(values, self._dtype).data)
        self._length += len(values)
        return slice(start, self._length)

    def read(self, part: slice | Array) -> Array:
        """Elements by slice or by index, in memory.

        Raises:
            OutputError: the disk is full.
        """
        if not self._length:
            return np.empty(0, self._dtype)
        if self._array is None:
            with self._one_line():
                self._file.flush()
            self._array = np.memmap(self._file, self._dtype, "r", shape=(self._length,))
        return np.array(self._array[part], self._dtype)

    @contextmanager
    def _one_line(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise OutputError(
                f"intermediate results cannot be written ({error.strerror})", self._folder, hint="is the disk full?"
            ) from error
