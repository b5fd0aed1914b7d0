"""Kinds of products and their sub-kinds.

A kind says how a product is built (`SimpleImage`, `ObservationContext`); what
HCSS, the Herschel software, calls its class. Matching a kind includes its
sub-kinds: an `ObservationContext` is found where a `MapContext` is asked for. A
kind that is not in the registry (another software's class) is a direct sub-kind
of `Product`, so nothing has to be declared before it can be stored.
"""

from __future__ import annotations

import re
from functools import lru_cache

__all__ = ["PARENTS", "ancestors", "is_context", "is_kind", "kind_of_class", "subkinds"]

# Sub-kind -> kind. Names are those of the HCSS classes without their package.
PARENTS: dict[str, str] = {
    # Products that skypool knows by their own structure.
    "File": "Product",
    "TableProduct": "Product",
    # Contexts: products whose content is references.
    "Context": "Product",
    "ListContext": "Context",
    "MapContext": "Context",
    "ObservationContext": "MapContext",
    "QualityContext": "MapContext",
    "BrowseContext": "MapContext",
    "LogObsContext": "MapContext",
    "HifiTimelineProduct": "MapContext",
    "ObservationCalibrationContext": "MapContext",
    "CalibrationContext": "MapContext",
    "AuxiliaryContext": "MapContext",
    "PacsCalContext": "MapContext",
    "PacsCal": "MapContext",
    "SpireCal": "MapContext",
    "SpireCalContext": "MapContext",
    "SpireMapContext": "MapContext",
    "SpireListContext": "ListContext",
    "Level0Context": "MapContext",
    "Level0_5Context": "MapContext",
    "Level1Context": "MapContext",
    "Level2Context": "MapContext",
    "Level2_5Context": "MapContext",
    "Level3Context": "MapContext",
    "PhotLevel0Context": "MapContext",
    "PhotLevel1Context": "MapContext",
    "SlicedFrames": "ListContext",
    "SlicedPacsCube": "ListContext",
    "SlicedPacsProduct": "ListContext",
    "SlicedPacsRebinnedCube": "ListContext",
    "SlicedPacsSpecTable": "ListContext",
    "SlicedSimpleCube": "ListContext",
    # Images and cubes.
    "SimpleImage": "Product",
    "RgbSimpleImage": "Product",
    "Stack": "Product",
    "BrowseImageProduct": "SimpleImage",
    "SimpleCube": "Product",
    "SpectralSimpleCube": "SimpleCube",
    "PacsCube": "SpectralSimpleCube",
    "PacsRebinnedCube": "SpectralSimpleCube",
    "SpirePreprocessedCube": "SpectralSimpleCube",
    # Results measured on images.
    "AperturePhotometryProduct": "TableProduct",
    "ContourProduct": "TableProduct",
    "HistogramProduct": "TableProduct",
    "ProfileProduct": "TableProduct",
    "SourceListProduct": "TableProduct",
    # Spectra.
    "Spectrum": "Product",
    "Spectrum1d": "Spectrum",
    "Spectrum2d": "Spectrum",
    "SimpleSpectrum": "Spectrum1d",
    "PacsSpectrum1d": "Spectrum1d",
    "PointSourceSpectrum": "Spectrum1d",
    "SpectralLineList": "TableProduct",
    "SpectrometerPointSourceSpectrum": "Spectrum1d",
    "SpectrometerDetectorSpectrum": "Spectrum",
    "HifiSpectrumDataset": "Spectrum2d",
    # Detector timelines and housekeeping.
    "TimelineProduct": "Product",
    "DetectorTimeline": "TimelineProduct",
    "PhotDetectorTimeline": "DetectorTimeline",
    "SpectrometerDetectorTimeline": "DetectorTimeline",
    "PointedPhotTod": "DetectorTimeline",
    "PointedPhotScan": "DetectorTimeline",
    "Frames": "TimelineProduct",
    "Ramps": "TimelineProduct",
    "HouseKeeping": "TimelineProduct",
    "NominalHousekeepingTimeline": "TimelineProduct",
    # Calibration and auxiliary products.
    "CalProduct": "Product",
    "PacsCalProduct": "CalProduct",
    "SpireCalProduct": "CalProduct",
    "HifiCalProduct": "CalProduct",
    "FilterTransmission": "PacsCalProduct",
    "AuxiliaryProduct": "Product",
    "PointingProduct": "AuxiliaryProduct",
    "OrbitEphemerisProduct": "AuxiliaryProduct",
    "HorizonsProduct": "AuxiliaryProduct",
    "SiamProduct": "AuxiliaryProduct",
    "TimeCorrelationProduct": "AuxiliaryProduct",
    "UplinkProduct": "AuxiliaryProduct",
    "QualityProduct": "Product",
    "QualityControlProduct": "QualityProduct",
    "TrendAnalysisProduct": "Product",
    "TelemetryProduct": "Product",
    "DataFrameProduct": "Product",
}

# A kind is a part of URNs, so it has neither a colon nor white space.
KIND_PATTERN = re.compile(r"[A-Za-z_][A-Za-z0-9_.$-]*\Z")


@lru_cache(maxsize=4096)
def ancestors(kind: str) -> tuple[str, ...]:
    """Return the kind itself and all kinds above it, nearest first.

    Parameters
    ----------
    kind
        Any kind; one that is not in the registry is below `Product`.

    Returns
    -------
    tuple of str
        Ends with `Product`.
    """
    found = [kind]
    while found[-1] != "Product":
        found.append(PARENTS.get(found[-1], "Product"))
    return tuple(found)


def is_kind(kind: str, wanted: str) -> bool:
    """Say whether *kind* is *wanted* or one of its sub-kinds."""
    return wanted in ancestors(kind)


def subkinds(wanted: str) -> frozenset[str]:
    """Return all registered kinds that match *wanted*, itself included.

    Kinds outside the registry match only themselves and `Product`, which matches
    every kind there is.
    """
    return frozenset(kind for kind in (*PARENTS, wanted) if is_kind(kind, wanted))


def is_context(kind: str) -> bool:
    """Say whether the content of products of this kind is references."""
    return is_kind(kind, "Context")


def kind_of_class(name: str) -> str:
    """Return the kind for the full name of a Java class, such as HCSS writes in `CLASS___`.

    Parameters
    ----------
    name
        For example `herschel.ia.dataset.image.SimpleImage`.

    Returns
    -------
    str
        For example `SimpleImage`; `Product` where the name cannot be a kind.
    """
    kind = name.strip().rpartition(".")[2].rpartition("$")[2]
    return kind if KIND_PATTERN.match(kind) else "Product"
