"""Arrays that are written once and read in parts: a nameless file, so that memory does not grow with the scene."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from sat2map.arrays import Array
from sat2map.errors import OutputError


class Spool:
    """One long array on the disk. Its file has no name, so that nothing is left of it, however the process ends.

    Args:
        folder: where there is space; None: where the system has its temporary files.
        dtype: of the array.

    Raises:
        OutputError: the folder cannot be written.
    """

    def __init__(self, folder: Path | None, dtype: Any) -> None:
        self._folder, self._dtype = folder or Path(tempfile.gettempdir()), np.dtype(dtype)
        self._length = 0
        # Reading moves the place where the file is written.
        self._lock = Lock()
        try:
            self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed by `__exit__`
        except OSError as error:
            raise OutputError("folder cannot be written to", self._folder, hint="choose another with `out`") from error

    def close(self) -> None:
        """Give the space back."""
        self._file.close()

    def __len__(self) -> int:
        """Elements so far."""
        return self._length

    def append(self, values: Array) -> slice:
        """Write elements behind the last ones, and tell where they are.

        Raises:
            OutputError: the disk is full.
        """
        start = self._length
        with self._one_line(), self._lock:
            self._file.write(np.ascontiguousarray(values, self._dtype).data)
        self._length += len(values)
        return slice(start, self._length)

    def read(self, part: slice | Array) -> Array:
        """Elements from one place to another, or by index, in memory.

        Raises:
            OutputError: the disk is full.
        """
        if not self._length:
            return np.empty(0, self._dtype)
        if isinstance(part, slice):
            with self._one_line(), self._lock:
                self._file.seek(part.start * self._dtype.itemsize)
                data = self._file.read((part.stop - part.start) * self._dtype.itemsize)
                self._file.seek(0, os.SEEK_END)
            return np.frombuffer(data, self._dtype)
        with self._one_line(), self._lock:
            self._file.flush()
            # Mapped for this once: what was touched counts as this process's memory.
            return np.asarray(np.memmap(self._file, self._dtype, "r", shape=(self._length,))[part])

    @contextmanager
    def _one_line(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise OutputError(
                f"intermediate results cannot be written ({error.strerror})", self._folder, hint="is the disk full?"
            ) from error
