"""Which bands of a raster are red, green and blue, as their names and wavelengths tell it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

Bands = tuple[int, int, int]
"""Red, green and blue, counted from 1."""
Texts = Sequence[str | None]

OTHER_BANDS = frozenset({"edge", "near", "infrared", "nir", "swir", "coastal", "shortwave", "mask", "minus", "ratio"})
"""Words of descriptions that name a colour and mean another band."""
CENTRES_NM = (660.0, 555.0, 480.0)
"""Of red, green and blue light."""
FARTHEST_NM = 40.0
LONGEST_UM = 100.0
"""Wavelengths without a unit are micrometres below it, else nanometres."""
WAVELENGTH = re.compile(r"(?:([\d.]+)\s*(?:-|\u2013|to)\s*)?(\d+\.?\d*)\s*\(?(nm|nano|um|\u00b5m|\u03bcm|micro)", re.I)
NUMBERED = re.compile(r"(?:SR_)?B(\d+A?)", re.I)
"""Names of bands of Sentinel-2 and Landsat."""


def told_bands(dataset: Any) -> Bands | None:
    """The bands that a raster says are red, green and blue, by their names or their wavelengths; None: it does not.

    Args:
        dataset: a rasterio dataset, open for reading.
    """
    names = dataset.descriptions
    return bands_by_name(names) or bands_by_wavelength(_wavelengths_nm(dataset)) or bands_by_number(names)


def bands_by_name(names: Texts) -> Bands | None:
    """The bands whose descriptions say red, green and blue; None where one is missing or ambiguous.

    >>> bands_by_name(["coastal blue", "Blue (490 nm)", "Green", "Red", "Red edge"])
    (4, 3, 2)
    >>> bands_by_name(["blue", "green_i", "green", "red"])
    (4, 3, 1)
    """
    words = [re.findall("[a-z]+", (name or "").lower().replace("_", " ")) for name in names]
    found = []
    for colour in ("red", "green", "blue"):
        bands = [i for i, band in enumerate(words, start=1) if colour in band and not OTHER_BANDS & {*band}]
        if len(bands) > 1:
            bands = [i for i in bands if words[i - 1] == [colour]]
        if len(bands) != 1:
            return None
        found += bands
    return found[0], found[1], found[2]


def bands_by_wavelength(wavelengths_nm: Sequence[float | None]) -> Bands | None:
    """The bands nearest to red, green and blue light; None where there is none near one of them.

    >>> bands_by_wavelength([443, 490, 560, 665, 705, 842])
    (4, 3, 2)
    """
    found = []
    for centre_nm in CENTRES_NM:
        far = [(abs(nm - centre_nm), band) for band, nm in enumerate(wavelengths_nm, start=1) if nm is not None]
        if not far or min(far)[0] > FARTHEST_NM:
            return None
        found.append(min(far)[1])
    return found[0], found[1], found[2]


def bands_by_number(names: Texts) -> Bands | None:
    """The bands 4, 3 and 2 of Sentinel-2 or of Landsat 8 and 9; of earlier Landsats they are others.

    >>> bands_by_number(["B2", "B3", "B4", "B8"]), bands_by_number(["B2", "B3", "B4"])
    ((3, 2, 1), None)
    """
    matched = [NUMBERED.fullmatch((name or "").strip()) for name in names]
    of_number = {match[1].upper().lstrip("0"): band for band, match in enumerate(matched, start=1) if match}
    is_sentinel = any(match[1].startswith("0") for match in matched if match) or {"8", "8A", "11", "12"} & {*of_number}
    is_landsat_8 = "6" in of_number and all(match is None or match[0].upper().startswith("SR_") for match in matched)
    if not (is_sentinel or is_landsat_8) or not {"2", "3", "4"} <= {*of_number}:
        return None
    return of_number["4"], of_number["3"], of_number["2"]


def _wavelengths_nm(dataset: Any) -> list[float | None]:
    """Centre of each band: as GDAL tells it, as ENVI writes it, or as the band's description says."""
    found = []
    for band, name in enumerate(dataset.descriptions, start=1):
        um = dataset.tags(band, ns="IMAGERY").get("CENTRAL_WAVELENGTH_UM")
        texts = (um and f"{um} um", _own_wavelength(dataset.tags(band)), name)
        found.append(next((nm for text in texts if (nm := wavelength_nm(text)) is not None), None))
    return found


def _own_wavelength(tags: Mapping[str, str]) -> str:
    """Number and unit that ENVI writes of a band."""
    told = {key.lower(): value for key, value in tags.items()}
    number, unit = told.get("wavelength", ""), told.get("wavelength_units", "unknown")
    if unit.lower() == "unknown" and re.fullmatch(r"\d+\.?\d*", number):
        unit = "um" if float(number) < LONGEST_UM else "nm"
    return f"{number} {unit}"


def wavelength_nm(text: str | None) -> float | None:
    """The wavelength that a text tells; a range tells its middle.

    >>> [wavelength_nm(text) for text in ("B4, central wavelength 665 nm", "0.49 (Micrometers)", "0.45-0.52 um", "4")]
    [665.0, 490.0, 485.0, None]
    """
    match = WAVELENGTH.search(text or "")
    if match is None:
        return None
    ends = [float(number) for number in match.groups()[:2] if number]
    return round(sum(ends) / len(ends) * (1 if match[3].lower().startswith("n") else 1000), 3)
