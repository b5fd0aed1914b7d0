"""What HCSS calls parameters and classes, and the keywords that it writes them under.

The dictionary holds the pairs that files of the Herschel archive carry in their key cards. It
serves writing, and reading of files that lack those cards: where a file has them, they count.
"""

from __future__ import annotations

import re

from skypool.model.kinds import kind_of_class

__all__ = [
    "CLASSES",
    "DATASET_CLASSES",
    "HISTORY_CLASS",
    "class_of_kind",
    "dictionary_keyword",
    "dictionary_name",
]

_NAMES = {
    "ALGONUM": "algoNumber",
    "ALGORITH": "algorithm",
    "AOR": "aorLabel",
    "AOT": "aot",
    "APID": "apid",
    "AUTHOR": "author",
    "BAND": "band",
    "BLUEBAND": "blue",
    "BNDRADEC": "bandUsedForRaDec",
    "CALFILE": "calFileId",
    "CALFILEV": "calFileVersion",
    "CALVERS": "calVersion",
    "CAMERA": "camera",
    "CAMNAME": "camName",
    "COMPMODE": "compMode",
    "COMPNUM": "compNumber",
    "COMPVERS": "compVersion",
    "CREATOR": "creator",
    "CUSMODE": "cusMode",
    "CUS_MODE": "observingMode",
    "DATE": "creationDate",
    "DATE-END": "endDate",
    "DATE-OBS": "startDate",
    "DEC": "dec",
    "DEC_NOM": "decNominal",
    "DESC": "description",
    "DETCOL": "detCol",
    "DETECTOR": "arrayName",
    "DETROW": "detRow",
    "DITHER": "dither",
    "DPNAIFID": "naifid",
    "DXID": "dxid",
    "EQUINOX": "equinox",
    "FILENAME": "fileName",
    "FLUXEXTB": "fluxExtBlu",
    "FLUXEXTR": "fluxExtRed",
    "FLUXPNTB": "fluxPntBlu",
    "FLUXPNTR": "fluxPntRed",
    "FORMATV": "formatVersion",
    "GAIN": "PACS_PHOT_GAIN",
    "IBPVALPX": "infoPhotBlueNotFlaggedBad",
    "INFPBSAT": "infoPhotSciBlueSaturationRate",
    "INSTCONF": "instrumentConfiguration",
    "INSTMODE": "instMode",
    "INSTRUME": "instrument",
    "ISINTERL": "isInterlaced",
    "LEVEL": "level",
    "MAPPER": "mapper",
    "MISSCONV": "missionConfiguration",
    "MISSIONC": "missionConfig",
    "MODELNAM": "modelName",
    "NAIFID": "naifId",
    "NDTSAMPS": "nDataSamples",
    "OBJECT": "object",
    "OBREQVER": "obsRequestVersion",
    "OBSCNT": "obsCount",
    "OBSERVER": "observer",
    "OBSREQID": "obsRequestId",
    "OBSTYPE": "obsType",
    "OBS_ID": "obsid",
    "OBS_MODE": "obsMode",
    "ODNUMBER": "odNumber",
    "ODSTART": "odStartTime",
    "ORIGIN": "origin",
    "OVERHEAD": "overhead",
    "PBFSPUBF": "phot_blue_FailedSPUBuffer",
    "PHOTMODE": "PACS_PHOT_MODE",
    "PIXFRAC": "pixfrac",
    "PIXSIZE": "pixSize",
    "PMDEC": "pmDEC",
    "PMRA": "pmRA",
    "POINTMOD": "pointingMode",
    "POSANGLE": "posAngle",
    "PRFSPUBF": "phot_red_FailedSPUBuffer",
    "PROCMODE": "processingMode",
    "PRODNOTE": "productNotes",
    "PROPOSAL": "proposal",
    "QINVCORD": "ratioInvalidCoordsInTimeline",
    "QINVSAMP": "ratioInvalidSamplesInTimeline",
    "RA": "ra",
    "RADESYS": "raDeSys",
    "RA_NOM": "raNominal",
    "RELTMOFF": "relTimeOffset",
    "REPNUM": "repFactor",
    "RMTIMSET": "RemovedSetTime",
    "SAAMEAN": "solarAspectAngleMean",
    "SAARMS": "solarAspectAngleRms",
    "SCANDIR": "scanDirection",
    "SCANSPD": "scanSpeed",
    "SCANVEL": "scanVelocity",
    "SIGUNIT": "unit",
    "SLEWTIME": "slewTime",
    "SLICEKEY": "pacsSliceInfoUpdated",
    "SLICENUM": "sliceNumber",
    "SOURCE": "source",
    "SUBTYPE": "subType",
    "SUB_INST": "subinstrument",
    "TARGET": "target",
    "TARGTYPE": "targetType",
    "TELESCOP": "telescope",
    "TITLE": "title",
    "TSLEWMIN": "tslewmin",
    "TYPE": "type",
    "VELDEF": "velocityDefinition",
    "VERSION": "version",
    "VER_NOTE": "versionNotes",
    "VFRAME": "radialVelocity",
    "WAVELNTH": "wavelength",
}
_KEYWORDS = {name: keyword for keyword, name in _NAMES.items()}
# Keywords with a number: the bias voltages of PACS, and world coordinates and the observations of a
# map, whose names are their keywords in lower case.
_NUMBERED_KEY = re.compile(
    r"(?:(BOLV[DU])([BR])([1-9])"
    r"|(CTYPE|CUNIT|CRVAL|CRPIX|CDELT|CROTA)([1-9])|(CD|PC)([1-9])_([1-9])"
    r"|OBSID\d{3})\Z"
)
_NUMBERED_NAME = re.compile(
    r"(?:BOL_V([DU])_([BR])_([1-9])"
    r"|(?:ctype|cunit|crval|crpix|cdelt|crota)[1-9]|(?:cd|pc)[1-9]_[1-9]|obsid\d{3})\Z"
)
# Full names of classes; any other kind becomes a class of the package of products.
CLASSES = {
    "Product": "herschel.ia.dataset.Product",
    "TableProduct": "herschel.ia.dataset.Product",
    "ListContext": "herschel.ia.pal.ListContext",
    "MapContext": "herschel.ia.pal.MapContext",
    "ObservationContext": "herschel.ia.obs.ObservationContext",
    "QualityContext": "herschel.ia.obs.quality.QualityContext",
    "CalProduct": "herschel.ia.dataset.cal.CalProduct",
    "SimpleImage": "herschel.ia.dataset.image.SimpleImage",
    "RgbSimpleImage": "herschel.ia.dataset.image.RgbSimpleImage",
    "BrowseImageProduct": "herschel.ia.obs.BrowseImageProduct",
    "SimpleCube": "herschel.ia.dataset.image.SimpleCube",
    "SpectralSimpleCube": "herschel.ia.dataset.spectrum.SpectralSimpleCube",
    "Spectrum1d": "herschel.ia.dataset.spectrum.Spectrum1d",
    "Spectrum2d": "herschel.ia.dataset.spectrum.Spectrum2d",
    "SimpleSpectrum": "herschel.ia.dataset.spectrum.SimpleSpectrum",
    "PacsCube": "herschel.pacs.signal.PacsCube",
    "PacsRebinnedCube": "herschel.pacs.signal.PacsRebinnedCube",
    "Frames": "herschel.pacs.signal.Frames",
    "FilterTransmission": "herschel.pacs.cal.photometer.FilterTransmission",
    "HifiTimelineProduct": "herschel.hifi.pipeline.product.HifiTimelineProduct",
}
_PACKAGE = "herschel.ia.dataset."
# The ordinary classes of datasets, and that of the record of tasks.
DATASET_CLASSES = {
    "array": "herschel.ia.dataset.ArrayDataset",
    "table": "herschel.ia.dataset.TableDataset",
    "composite": "herschel.ia.dataset.CompositeDataset",
}
HISTORY_CLASS = "herschel.ia.dataset.history.HistoryDataset"


def dictionary_name(keyword: str) -> str | None:
    """Return the name of HCSS for a keyword; None where the dictionary has none."""
    name = _NAMES.get(keyword)
    if name is None:
        found = _NUMBERED_KEY.match(keyword)
        if found is not None:
            if found[1]:
                return f"BOL_V{found[1][-1]}_{found[2]}_{found[3]}"
            return keyword.lower()
    return name


def dictionary_keyword(name: str) -> str | None:
    """Return the keyword for a name of HCSS; None where the dictionary has none."""
    keyword = _KEYWORDS.get(name)
    if keyword is None:
        found = _NUMBERED_NAME.match(name)
        if found is not None:
            if found[1]:
                return f"BOLV{found[1]}{found[2]}{found[3]}"
            return name.upper()
    return keyword


def class_of_kind(kind: str) -> str:
    """Return the full name of the class that HCSS has for a kind."""
    name = CLASSES.get(kind, _PACKAGE + kind)
    # A kind whose class is another's would not come back.
    return name if kind_of_class(name) == kind else _PACKAGE + kind
