"""Files of an evaluation: metrics.json, images and report, checked before the work and written whole or not at all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from PIL import Image

from sat2map.errors import OutputError, import_extra
from sat2map.evaluate.evaluation import Evaluation
from sat2map.evaluate.protocol import ScoredImage
from sat2map.files import (
    check_folder_to_make,
    check_output_folder,
    full_disk_named,
    refuse_existing,
    refuse_input_within,
    replacing,
)

METRICS_FILE, PREDICTION, TRUTH = "metrics.json", "prediction", "truth"


def check_folder(folder: Path, *, save_images: bool, overwrite: bool, inputs: Iterable[Path] = ()) -> None:
    """Refuse a folder that results cannot be written to.

    Raises:
        OutputError: it is a file, cannot be made or written to, results exist in it and `overwrite` is false, or the
            images would replace the inputs.
    """
    check_folder_to_make(folder)
    names = (METRICS_FILE, *((PREDICTION, TRUTH) if save_images else ()))
    refuse_existing(*(folder / name for name in names), overwrite=overwrite)
    if save_images:
        for name in (PREDICTION, TRUTH):
            refuse_input_within(folder / name, inputs)


def check_report(report: Path, *, overwrite: bool) -> None:
    """Refuse a report that cannot be written.

    Raises:
        OutputError: it is no HTML file, its folder is missing, or it exists and `overwrite` is false.
        MissingExtraError: matplotlib is not installed.
    """
    import_extra("matplotlib", "report")
    if report.suffix.lower() not in (".html", ".htm"):
        raise OutputError("a report is HTML", report, hint=f"give {report.with_suffix('.html')}")
    check_output_folder(report.parent)
    refuse_existing(report, overwrite=overwrite)


@contextmanager
def results_folder(out: Path | None) -> Iterator[Path | None]:
    """Give a temporary folder inside `out`; its contents move into `out` if all goes well."""
    if out is None:
        yield None
        return
    is_new = not out.exists()
    out.mkdir(parents=True, exist_ok=True)
    try:
        with full_disk_named(out), tempfile.TemporaryDirectory(dir=out, prefix=".evaluate-") as work:
            yield Path(work)
            # Folders first: where metrics.json is, the images are complete.
            for made in sorted(Path(work).iterdir(), key=lambda path: path.is_file()):
                _replace(made, out / made.name)
    except BaseException:
        if is_new:
            with suppress(OSError):
                out.rmdir()
        raise


def _replace(made: Path, destination: Path) -> None:
    if destination.is_dir():
        shutil.rmtree(destination)
    made.replace(destination)


def save_images(folder: Path, image: ScoredImage) -> None:
    """Write prediction and true map of an image into two folders."""
    for name, image_hwc in ((PREDICTION, image.prediction_hwc), (TRUTH, image.truth.bicubic_hwc)):
        (folder / name).mkdir(exist_ok=True)
        path = folder / name / f"{Path(image.name).stem}.png"
        # `1.jpg` and `1.png` of one folder are two images.
        Image.fromarray(image_hwc).save(path if not path.exists() else folder / name / f"{image.name}.png")


def write_report(report: Path, evaluation: Evaluation, verdict: str = "") -> None:
    """Write an evaluation as one HTML file, with a verdict at its top.

    Raises:
        OutputError: the file cannot be written.
    """
    from sat2map.evaluate.report import choose, draw_examples, labels, render

    pairs, predictors = evaluation.pairs, evaluation.predictors
    metrics = evaluation.metrics | {"frontier": evaluation.frontier}
    ranking = choose(evaluation.scores, pairs.groups)
    predictions = dict(zip(labels(metrics), predictors, strict=True))
    direction = predictors[0].description["direction"]
    examples = draw_examples(ranking, pairs.paths, predictions, direction=direction, size_px=pairs.size_px)
    with replacing(report) as work:
        work.write_text(render(metrics, ranking.metric, examples, verdict), encoding="utf-8")
