"""Red, green and blue are the bands that a file says they are, in whatever way its maker says it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio

from sat2map.scene.bands import bands_by_wavelength
from sat2map.scene.source import open_scene
from sat2map.tiling import Window

from .rasters import PLACE, random_bands, write_raster

NM = (443, 490, 560, 665, 705, 842)


def bands_taken(path: Path, bands: np.ndarray) -> tuple[int, ...]:
    """Numbers of the bands that a scene is made of, by its pixels."""
    with open_scene(path) as scene:
        rgb = scene.read(Window(0, 0, 40, 50))
    return tuple(1 + [np.array_equal(rgb[..., c], band) for band in bands].index(True) for c in range(3))


@pytest.mark.parametrize(
    "said", ["as GDAL", "as ENVI", "in micrometres", "without a unit", "in descriptions", "in ranges"]
)
def test_bands_are_found_by_their_wavelengths(tmp_path: Path, said: str) -> None:
    bands = random_bands(6)
    path = write_raster(tmp_path / "a.tif", bands, photometric="minisblack", **PLACE)
    with rasterio.open(path, "r+") as dataset:
        for i, nm in enumerate(NM, start=1):
            match said:
                case "as GDAL":
                    dataset.update_tags(i, ns="IMAGERY", CENTRAL_WAVELENGTH_UM=str(nm / 1000))
                case "as ENVI":
                    dataset.update_tags(i, wavelength=str(nm), wavelength_units="Nanometers")
                case "in micrometres":
                    dataset.update_tags(i, wavelength=str(nm / 1000), wavelength_units="Micrometers")
                case "without a unit":
                    dataset.update_tags(i, wavelength=str(nm / 1000))
                case "in descriptions":
                    dataset.set_band_description(i, f"B{i}, central wavelength {nm} nm")
                case "in ranges":
                    dataset.set_band_description(i, f"{nm / 1000 - 0.02:.3f}-{nm / 1000 + 0.02:.3f} \u00b5m")
    assert bands_taken(path, bands) == (4, 3, 2)


def test_bands_of_envi_are_found_in_its_header(tmp_path: Path) -> None:
    bands = random_bands(6)
    with rasterio.open(
        tmp_path / "a.img", "w", driver="ENVI", height=40, width=50, count=6, dtype="uint8", **PLACE
    ) as file:
        file.write(bands)
    with (tmp_path / "a.hdr").open("a") as header:
        header.write(f"wavelength units = Nanometers\nwavelength = {{{', '.join(map(str, NM))}}}\n")
    assert bands_taken(tmp_path / "a.img", bands) == (4, 3, 2)


def test_infrared_and_radar_are_no_colours() -> None:
    assert bands_by_wavelength([705, 842, 1610, 2190]) is None
    assert bands_by_wavelength([None, 56000000.0]) is None


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["B02", "B03", "B04", "B08"], (3, 2, 1)),
        (["B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A"], (4, 3, 2)),
        (["SR_B1", "SR_B2", "SR_B3", "SR_B4", "SR_B5", "SR_B6", "SR_B7"], (4, 3, 2)),
        # Landsat 7, whose band 4 is near infrared.
        (["SR_B1", "SR_B2", "SR_B3", "SR_B4", "SR_B5", "SR_B7"], (1, 2, 3)),
        (["coastal_blue", "blue", "green_i", "green", "yellow", "red", "rededge", "nir"], (6, 4, 2)),
    ],
)  # fmt: skip
def test_bands_are_found_by_the_names_of_satellites(
    tmp_path: Path, names: list[str], expected: tuple[int, int, int]
) -> None:
    bands = random_bands(len(names))
    path = write_raster(tmp_path / "a.tif", bands, photometric="minisblack", **PLACE)
    with rasterio.open(path, "r+") as dataset:
        dataset.descriptions = names
    assert bands_taken(path, bands) == expected
