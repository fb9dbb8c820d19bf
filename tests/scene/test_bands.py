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
        # Landsat 5 and 7, whose band 4 is near infrared, and 6 is heat.
        (["SR_B1", "SR_B2", "SR_B3", "SR_B4", "SR_B5", "SR_B7"], (3, 2, 1)),
        (["B1", "B2", "B3", "B4", "B5", "B6_VCID_1", "B6_VCID_2", "B7", "B8"], (3, 2, 1)),
        # Landsat 5 or 8.
        (["B1", "B2", "B3", "B4", "B5", "B6", "B7"], (1, 2, 3)),
        (["SR_B2", "SR_B3", "SR_B4", "SR_B5", "SR_B7"], (3, 2, 1)),
        ([f"LC08_L2SP_191029_20200101_02_T1_SR_{b}" for b in ("B2", "B3", "B4", "B5", "B7")], (3, 2, 1)),
        ([f"LC81910292013212LGN00_{b}.TIF" for b in ("B1", "B2", "B3", "B4")], (4, 3, 2)),
        ([f"LE07_L1TP_191029_20000101_{b}" for b in ("B1", "B2", "B3", "B4")], (3, 2, 1)),
        ([f"T33UUU_20200101T101021_{b}_10m" for b in ("B02", "B03", "B04")], (3, 2, 1)),
        # Of nobody knows what.
        ([f"ratio_{b}" for b in ("B1", "B2", "B3", "B4", "B5", "B7")], (1, 2, 3)),
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


def test_bands_of_a_virtual_raster_are_named_by_its_files(tmp_path: Path) -> None:
    bands = random_bands(3)
    names = [f"LC08_L2SP_191029_20200101_02_T1_SR_{band}.TIF" for band in ("B2", "B3", "B4")]
    parts = []
    for i, (name, band) in enumerate(zip(names, bands, strict=True), start=1):
        write_raster(tmp_path / name, band[None], **PLACE)
        source = f'<SourceFilename relativeToVRT="1">{name}</SourceFilename><SourceBand>1</SourceBand>'
        parts.append(f'<VRTRasterBand dataType="Byte" band="{i}"><SimpleSource>{source}</SimpleSource></VRTRasterBand>')
    path = tmp_path / "stack.vrt"
    path.write_text(f'<VRTDataset rasterXSize="50" rasterYSize="40">{"".join(parts)}</VRTDataset>')
    assert bands_taken(path, bands) == (3, 2, 1)


@pytest.mark.parametrize(
    ("name", "is_told"), [("LC08_L2SP_191029_20200101_02_T1_SR_B4.TIF", True), ("grey_B4.tif", False)]
)
def test_one_band_of_a_satellite_is_told(tmp_path: Path, name: str, is_told: bool) -> None:
    with open_scene(write_raster(tmp_path / name, random_bands(1), **PLACE)) as scene:
        assert any("one band of a satellite's scene" in remark for remark in scene.remarks) == is_told
