"""Maps that another program made, scored as a model's are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from sat2map.arrays import UInt8
from sat2map.data.pairs import Direction, PairFile, is_image_file, read_image, same_name
from sat2map.errors import DataError
from sat2map.evaluate.metrics import scored_size
from sat2map.evaluate.predictor import Predictor
from sat2map.evaluate.protocol import decode_pairs

ENDINGS = ("", "_fake_B", "_fake", "_pred", "_prediction", "_map")
"""What programs add to the name of the image that a map is of."""
N_NAMED = 5


def predictions_predictor(folder: Path, paths: Sequence[PairFile], direction: Direction = "AtoB") -> Predictor:
    """Take the maps of a folder for predictions of pairs, by their names.

    Args:
        folder: of the maps; a map is named as its pair, or so with `_fake_B`, `_pred` or the like; endings may differ.
        paths: of the pairs.
        direction: of the pairs.

    Raises:
        DataError: there is no such folder, or pairs have no map in it.
    """
    if not folder.is_dir():
        raise DataError("no such folder of predictions", folder, hint="give the folder of the maps to score")
    by_stem: dict[str, list[Path]] = {}
    for file in sorted(filter(is_image_file, folder.iterdir())):
        by_stem.setdefault(same_name(file.stem), []).append(file)
    found, missing = {}, []
    for path in paths:
        stem = same_name(Path(path.name).stem)
        if files := next((by_stem[stem + end] for end in ENDINGS if stem + end in by_stem), None):
            found[path.name] = _the_one(files, path.name)
        else:
            missing.append(path.name)
    if missing:
        raise DataError(
            f"{len(missing)} of {len(paths)} pairs have no prediction in {folder}",
            ", ".join(missing[:N_NAMED]) + (", ..." if len(missing) > N_NAMED else ""),
            hint="a prediction is named as its pair; `every` scores a part of the pairs",
        )  # fmt: skip
    name = folder.resolve().name
    return Predictor(lambda image: image, {"model": name, "head": "predictions", "direction": direction}, files=found)


def _the_one(files: Sequence[Path], name: str) -> Path:
    """The file that is named as its pair in full, or else the only one."""
    same = [file for file in files if same_name(file.name) == same_name(name)]
    if not same and len(files) > 1:
        raise DataError(
            f"{len(files)} predictions are named as the pair {name}", ", ".join(file.name for file in files),
            hint="move all but one of them elsewhere",
        )  # fmt: skip
    return (*same, *files)[0]


def decode(predictor: Predictor, paths: Sequence[PairFile]) -> Iterator[tuple[str, UInt8, UInt8]]:
    """Name, what is to be predicted from, and target of each pair.

    Of predictions by another program, they themselves are what is predicted from.

    Raises:
        DataError: a file is no pair, or a prediction has other proportions than its pair.
    """
    for name, source, target in decode_pairs(paths, predictor.description["direction"]):
        yield name, predicted_from(predictor, name, source), target


def predicted_from(predictor: Predictor, name: str, source: UInt8) -> UInt8:
    """What a predictor predicts the map of a pair from: its image, or another program's map."""
    if predictor.files is None:
        return source
    image = read_image(predictor.files[name])
    height, width = source.shape[:2]
    if scored_size(image.shape[:2], min(height, width)) != (height, width):
        raise DataError(
            f"prediction is {image.shape[1]} x {image.shape[0]} px, of other proportions than its pair "
            f"({width} x {height})",
            predictor.files[name], hint="predict whole images, or cut the pairs alike",
        )  # fmt: skip
    return image
