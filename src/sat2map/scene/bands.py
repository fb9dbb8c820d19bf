"""Which bands of a raster are red, green and blue, as their names and wavelengths tell it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any
from xml.etree import ElementTree

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
NUMBERED = re.compile(r"(?:(.+)[._ -])?B(\d+A?)(?:_\d+m)?(?:\.\w+)?", re.I)
"""Names of bands of satellites: what stands before, and the number."""
LANDSAT = re.compile(r"(?<![A-Z0-9])L[COTEM]0?([4-9])(?=_|\d{6})", re.I)
"""Which Landsat, in the name of a scene of it: LC08_L2SP_191029_..., LT51910292011..."""
SENTINEL_2 = re.compile(r"S2[A-D]_|T\d\d[A-Z]{3}_\d{8}T|HLS\.", re.I)
"""In names of scenes of Sentinel-2, and of those whose bands are numbered alike."""


def told_bands(dataset: Any) -> Bands | None:
    """The bands that a raster says are red, green and blue, by their names or their wavelengths; None: it does not.

    Args:
        dataset: a rasterio dataset, open for reading.
    """
    names = _names(dataset)
    by_wavelength = bands_by_wavelength(_wavelengths_nm(dataset))
    return bands_by_name(names) or by_wavelength or bands_by_number(names, PurePath(dataset.name).name)


def _names(dataset: Any) -> Texts:
    """Descriptions of the bands; where a virtual raster has none, the files that it takes them from."""
    names: list[str | None] = list(dataset.descriptions)
    xml = dataset.tags(ns="xml:VRT").get("xml:VRT")
    if xml is None:
        return names
    files = [band.findtext(".//SourceFilename") for band in ElementTree.fromstring(xml).iter("VRTRasterBand")]
    return [name or (file and PurePath(file).stem) for name, file in zip(names, files, strict=False)]


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


def bands_by_number(names: Texts, file: str = "") -> Bands | None:
    """The bands 4, 3 and 2 of Sentinel-2 or of Landsat 8 and 9, or 3, 2 and 1 of earlier Landsats.

    >>> bands_by_number(["B2", "B3", "B4", "B8"]), bands_by_number(["B2", "B3", "B4"])
    ((3, 2, 1), None)
    >>> bands_by_number(["SR_B1", "SR_B2", "SR_B3", "SR_B4", "SR_B5", "SR_B7"])  # Landsat 5 or 7
    (3, 2, 1)
    >>> bands_by_number(["B2", "B3", "B4"], "LC08_L2SP_191029_20200101.tif")
    (3, 2, 1)

    Args:
        names: of the bands.
        file: whose name may tell the satellite.
    """
    matched = [_numbered(name) for name in names]
    of_number = {match[2].upper().lstrip("0"): band for band, match in enumerate(matched, start=1) if match}
    landsats = {int(number) for text in (*names, file) for number in LANDSAT.findall(text or "")}
    is_padded = any(match[2].startswith("0") for match in matched if match)
    is_reflectance = all(match is None or (match[1] or "").upper() == "SR" for match in matched)
    if landsats:
        is_early, is_late = max(landsats) < 8, min(landsats) >= 8
    else:
        # Band 6 of earlier Landsats is heat, and has a longer name or a file of its own.
        is_early = {"1", "7"} <= {*of_number} and not is_padded and not {"6", "8A", "11", "12"} & {*of_number}
        is_late = is_padded or bool({"8", "8A", "11", "12"} & {*of_number})
        # Without the first band, an earlier Landsat has no blue.
        is_late |= is_reflectance and ("6" in of_number or "1" not in of_number)
    wanted = ("3", "2", "1") if is_early else ("4", "3", "2")
    if not (is_early or is_late) or not {*wanted} <= {*of_number}:
        return None
    red, green, blue = (of_number[number] for number in wanted)
    return red, green, blue


def _numbered(name: str | None) -> re.Match[str] | None:
    """The parts of a name of one band of a satellite; None: it is none."""
    match = NUMBERED.fullmatch((name or "").strip())
    if match is None:
        return None
    before = match[1] or ""
    is_known = before.upper() in ("", "SR", "TOA") or LANDSAT.search(before) or SENTINEL_2.search(before)
    return match if is_known else None


def is_one_of_many(file: str) -> bool:
    """Whether a file's name says that it holds one band of a scene of Landsat or Sentinel-2.

    >>> is_one_of_many("LC08_L2SP_191029_20200101_02_T1_SR_B4.TIF"), is_one_of_many("grey_B4.tif")
    (True, False)
    """
    match = _numbered(PurePath(file).name)
    return match is not None and match[1] is not None


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
