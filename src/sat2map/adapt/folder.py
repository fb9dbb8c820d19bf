"""The folder of pairs and run: held by one process, and taken up again by the same request alone."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sat2map.adapt.request import AdaptRequest
from sat2map.errors import OutputError
from sat2map.evaluate.results import check_report
from sat2map.files import refuse_existing, replacing, try_lock
from sat2map.model.bundled import read_card
from sat2map.scene.identity import identity

JOB, LOCK, PAIRS, RUN = "job.json", "lock", "pairs", "run"


@contextmanager
def held_folder(request: AdaptRequest, *, overwrite: bool) -> Iterator[Path]:
    """The folder of pairs and run, held by this process alone; it stays, so that the same request goes on.

    Raises:
        OutputError: an output exists or has no folder, or the folder is of another request or at work.
    """
    folder = request.folder
    refuse_existing(request.out, overwrite=overwrite)
    check_report(request.report, overwrite=overwrite)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = try_lock(folder / LOCK)
    except OSError as error:
        raise OutputError("folder cannot be written to", folder, hint="choose another with `work`") from error
    if lock is None:
        raise OutputError("another run is at work in this folder", folder, hint="wait for it, or give another `work`")
    with lock:
        _check_job(folder, _job(request), overwrite=overwrite)
        yield folder


def _job(request: AdaptRequest) -> str:
    """All that the pairs and the weights follow from, as text."""
    files = [*map(Path, request.scenes), *request.vectors]
    values = {
        "files": identity(files), "style": request.style.model_dump(mode="json"), "ground": str(request.ground),
        "model": read_card(request.model).model_dump_json(), "align": request.align, "changes": request.changes,
        "size": request.size_px,
    }  # fmt: skip
    return json.dumps(values, sort_keys=True, indent=1, default=str)


def _check_job(folder: Path, job: str, *, overwrite: bool) -> None:
    file = folder / JOB
    others = [path for path in folder.iterdir() if path.name not in (JOB, LOCK)]
    if others and not (file.exists() and file.read_text("utf-8") == job):
        if not overwrite or not file.exists():
            raise OutputError(
                "folder holds other work than this", folder,
                hint="give another `work`; or `overwrite`, where it is of an earlier run of this command",
            )  # fmt: skip
        for path in (folder / PAIRS, folder / RUN):
            shutil.rmtree(path, ignore_errors=True)
    with replacing(file) as work:
        work.write_text(job, "utf-8")
