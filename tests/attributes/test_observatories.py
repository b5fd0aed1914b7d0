"""Core attributes of headers as observatories write them of which there are no files here."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from skypool.model.attributes.engine import load
from skypool.model.attributes.rules import SHIPPED, read_families

ENGINE = load()


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def image(shape=(10, 10), **meta):
    return {"is": "array", "shape": list(shape), "meta": [[key, meta[key]] for key in meta]}


def table(*columns, **meta):
    return {
        "is": "table",
        "columns": [{"name": name} for name in columns],
        "meta": [[key, meta[key]] for key in meta],
    }


CASES = {
    "spitzer": (
        {"TELESCOP": "Spitzer", "INSTRUME": "IRAC", "CHNLNUM": 1, "AORKEY": 3858176,
         "OBJECT": "M81", "DATE_OBS": "2004-05-01T04:30:09.123", "EXPTIME": 26.8,
         "RA_RQST": 148.9, "DEC_RQST": 69.06, "AOT_TYPE": "IracMap", "PROGID": 159,
         "OBSRVR": "Robert Kennicutt"},
        {"image": image()},
        {"telescope": "Spitzer", "instrument": "IRAC", "object": "M81", "obsid": "3858176",
         "start": at("2004-05-01T04:30:09.123"), "exposure": 26.8, "band": "IRAC1",
         "wavelength": 3.55e-6, "wavelength_min": 3.18e-6, "wavelength_max": 3.93e-6,
         "ra": 148.9, "dec": 69.06, "product_type": "image", "obs_mode": "IracMap",
         "proposal": "159", "observer": "Robert Kennicutt"},
    ),
    "tess": (
        {"TELESCOP": "TESS", "INSTRUME": "TESS Photometer", "OBJECT": "TIC 25155310",
         "TICID": 25155310, "SECTOR": 1, "CAMERA": 4, "CCD": 1, "RA_OBJ": 63.3739,
         "DEC_OBJ": -69.2268},
        {"LIGHTCURVE": table(
            "TIME", "PDCSAP_FLUX", EXPOSURE=20.0, TIMESYS="TDB", BJDREFI=2457000, BJDREFF=0.0,
            TIMEUNIT="d", TSTART=1325.29, TSTOP=1353.18, **{"DATE-OBS": "2018-07-25T19:00:27.000Z",
            "DATE-END": "2018-08-22T16:14:51.000Z"})},
        {"telescope": "TESS", "instrument": "TESS Photometer", "detector": "4.1",
         "object": "TIC 25155310", "obsid": "25155310-S1", "start": at("2018-07-25T19:00:27"),
         "end": at("2018-08-22T16:14:51"), "exposure": 1728000.0, "wavelength": 7.865e-7,
         "wavelength_min": 6e-7, "wavelength_max": 1e-6, "ra": 63.3739, "dec": -69.2268,
         "calib_level": 2, "product_type": "timeseries"},
    ),
    "kepler": (
        {"TELESCOP": "Kepler", "MISSION": "K2", "OBJECT": "EPIC 201367065", "KEPLERID": 201367065,
         "CAMPAIGN": 1, "CHANNEL": 53, "MODULE": 15, "OUTPUT": 1, "OBSMODE": "long cadence"},
        {"TARGETTABLES": table("TIME", "FLUX", TSTART=1977.26, BJDREFI=2454833, TIMEUNIT="d",
                               TIMESYS="TDB")},
        {"telescope": "Kepler", "detector": "15.1", "object": "EPIC 201367065",
         "obsid": "201367065-C1", "start": at("2014-06-01T18:13:16.816"), "wavelength": 6.4e-7,
         "wavelength_min": 4.2e-7, "wavelength_max": 9e-7, "calib_level": 2,
         "product_type": "timeseries", "obs_mode": "long cadence"},
    ),
    "sdss": (
        {"TELESCOP": "2.5m", "TAI": 4649900000.0, "EXPTIME": "53.907456", "FILTER": "r",
         "CAMCOL": 3, "RUN": 3836, "FRAME": 84, "CTYPE1": "RA---TAN", "CRVAL1": 180.5,
         "CTYPE2": "DEC--TAN", "CRVAL2": 1.25, "FLAVOR": "science"},
        {"image": image()},
        {"telescope": "SDSS 2.5 m", "instrument": "camera", "obsid": "3836-3-84",
         "start": at("2006-03-24T06:52:47"), "exposure": 53.907456, "band": "r",
         "wavelength": 6.166e-7, "wavelength_min": 5.42e-7, "wavelength_max": 6.99e-7,
         "ra": 180.5, "dec": 1.25, "calib_level": 2, "product_type": "image",
         "obs_mode": "science"},
    ),
    "xmm": (
        {"TELESCOP": "XMM", "INSTRUME": "EPN", "OBS_ID": "0112610101", "OBJECT": "M 83",
         "FILTER": "Medium", "SUBMODE": "PrimeFullWindow", "CONTENT": "PN EVENT LIST",
         "DATE-OBS": "2003-01-27T03:15:00", "DATE-END": "2003-01-27T11:35:00",
         "RA_OBJ": 204.2538, "DEC_OBJ": -29.8658, "OBSERVER": "Dr M Ehle"},
        {"EVENTS": table("TIME", "PI", EXTNAME="EVENTS", HDUCLAS1="EVENTS", EXPOSURE=21000.0)},
        {"telescope": "XMM-Newton", "instrument": "EPN", "object": "M 83", "obsid": "0112610101",
         "start": at("2003-01-27T03:15:00"), "end": at("2003-01-27T11:35:00"),
         "exposure": 21000.0, "band": "Medium", "wavelength_min": 8.266e-11,
         "wavelength_max": 8.266e-9, "ra": 204.2538, "dec": -29.8658, "calib_level": 2,
         "product_type": "events", "obs_mode": "PrimeFullWindow", "observer": "Dr M Ehle"},
    ),
    "swift": (
        {"TELESCOP": "SWIFT", "INSTRUME": "UVOTA", "OBS_ID": "00030353071", "FILTER": "UVW1",
         "OBJECT": "SN2005am", "TSTART": 133000000.0, "MJDREFI": 51910, "TIMESYS": "TT",
         "MJDREFF": 7.428703703703703e-4, "EXPOSURE": 150.0, "RA_OBJ": 139.05, "DEC_OBJ": -16.3},
        {"image": image()},
        {"telescope": "Swift", "instrument": "UVOTA", "object": "SN2005am", "obsid": "00030353071",
         "start": at("2005-03-20T08:26:40"), "exposure": 150.0, "band": "UVW1",
         "wavelength": 2.6e-7, "wavelength_min": 2.25e-7, "wavelength_max": 2.95e-7,
         "ra": 139.05, "dec": -16.3, "product_type": "image"},
    ),
    "galex": (
        {"MPSTYPE": "MIS", "MPSPLAN": "MISDR1_24278_0266", "BAND": 2, "EXPTIME": 1690.05,
         "OBJECT": "MISDR1_24278_0266", "RA_CENT": 20.1, "DEC_CENT": -9.4},
        {"image": image()},
        {"telescope": "GALEX", "instrument": "GALEX", "object": "MISDR1_24278_0266",
         "exposure": 1690.05, "band": "FUV", "wavelength": 1.528e-7, "wavelength_min": 1.344e-7,
         "wavelength_max": 1.786e-7, "ra": 20.1, "dec": -9.4, "product_type": "image",
         "obs_mode": "MIS"},
    ),
    "wise": (
        {"ORIGIN": "WISE Science Data Center (WSDC), IPAC, Caltech", "TELESCOP": "WISE",
         "COADDID": "1487m470_ac51", "BAND": 1, "MIDOBS": "2010-05-18T12:52:26.374Z",
         "CTYPE1": "RA---SIN", "CRVAL1": 148.7, "CTYPE2": "DEC--SIN", "CRVAL2": -47.0},
        {"image": image()},
        {"telescope": "WISE", "instrument": "WISE", "obsid": "1487m470_ac51",
         "start": at("2010-05-18T12:52:26.374"), "band": "W1", "wavelength": 3.353e-6,
         "wavelength_min": 2.754e-6, "wavelength_max": 3.872e-6, "ra": 148.7, "dec": -47.0,
         "calib_level": 3, "product_type": "image"},
    ),
    "lofar": (
        {"TELESCOPE": "LOFAR", "ANTENNA_SET": "HBA_DUAL", "OBSERVATION_ID": "55349",
         "OBSERVATION_START_UTC": "2012-04-22T10:00:00.000000000Z",
         "OBSERVATION_FREQUENCY_MIN": 110.0, "OBSERVATION_FREQUENCY_MAX": 190.0,
         "TOTAL_INTEGRATION_TIME": 600.0, "PROJECT_ID": "LC0_014", "TARGETS": "B0329+54",
         "FILTER_SELECTION": "HBA_110_190"},
        {},
        {"telescope": "LOFAR", "instrument": "HBA_DUAL", "object": "B0329+54", "obsid": "55349",
         "start": at("2012-04-22T10:00:00"), "exposure": 600.0, "band": "HBA_110_190",
         "wavelength_min": 299792458 / 190e6, "wavelength_max": 299792458 / 110e6,
         "proposal": "LC0_014"},
    ),
    "eso": (
        {"TELESCOP": "ESO-VLT-U4", "INSTRUME": "MUSE", "OBJECT": "SKY", "MJD-OBS": 57000.25,
         "EXPTIME": 900.0, "RA": 53.16, "DEC": -27.79, "EQUINOX": 2000.0,
         "ESO OBS TARG NAME": "UDF-01", "ESO OBS ID": 200368465, "ESO DPR CATG": "SCIENCE",
         "ESO INS MODE": "WFM-NOAO-N", "ESO OBS PROG ID": "094.A-0289(B)",
         "ESO OBS PI-COI NAME": "BACON", "ESO PRO CATG": "DATACUBE_FINAL"},
        {"DATA": image((5, 6, 7))},
        {"telescope": "ESO-VLT-U4", "instrument": "MUSE", "object": "UDF-01",
         "obsid": "200368465", "start": at("2014-12-09T06:00:00"), "exposure": 900.0,
         "ra": 53.16, "dec": -27.79, "calib_level": 2, "product_type": "cube",
         "obs_mode": "WFM-NOAO-N", "proposal": "094.A-0289(B)", "observer": "BACON"},
    ),
    "herschel": (
        {"telescope": "Herschel Space Observatory", "instrument": "SPIRE", "level": "2.5",
         "object": "M 83", "obsid": 1342186110, "type": "PMP350", "arrayName": "PMW"},
        {"image": image(), "coverage": image()},
        {"telescope": "Herschel", "instrument": "SPIRE", "detector": "PMW", "object": "M 83",
         "obsid": "1342186110", "band": "PMW", "wavelength": 3.5e-4, "wavelength_min": 2.97e-4,
         "wavelength_max": 4.05e-4, "calib_level": 3, "product_type": "image"},
    ),
    "hst": (
        {"TELESCOP": "HST", "INSTRUME": "WFC3", "DETECTOR": "IR", "FILTER": "F160W",
         "ROOTNAME": "ib6w62toq", "FILENAME": "ib6w62toq_flt.fits", "OBSTYPE": "IMAGING"},
        {"SCI": image(), "ERR": image(), "DQ": image()},
        {"telescope": "HST", "instrument": "WFC3", "detector": "IR", "obsid": "ib6w62toq",
         "band": "F160W", "wavelength": 1.537e-6, "wavelength_min": 1.4e-6,
         "wavelength_max": 1.7e-6, "calib_level": 2, "product_type": "image",
         "obs_mode": "IMAGING"},
    ),
    "jwst": (
        {"TELESCOP": "JWST", "INSTRUME": "NIRCAM", "DETECTOR": "NRCALONG", "FILTER": "F322W2",
         "PUPIL": "F323N", "EXPOSURE": 3, "EFFEXPTM": 42.5, "EXP_TYPE": "NRC_IMAGE",
         "FILENAME": "jw02739001001_02105_00003_nrcalong_i2d.fits", "TARGTYPE": "FIXED",
         "TARG_RA": 274.7, "TARG_DEC": -13.8},
        {"SCI": image()},
        {"telescope": "JWST", "instrument": "NIRCAM", "detector": "NRCALONG", "exposure": 42.5,
         "band": "F323N", "wavelength": 3.237e-6, "wavelength_min": 3.217e-6,
         "wavelength_max": 3.255e-6, "ra": 274.7, "dec": -13.8, "calib_level": 3,
         "product_type": "image", "obs_mode": "NRC_IMAGE"},
    ),
    "solar": (
        {"TELESCOP": "SDO/AIA", "INSTRUME": "AIA_3", "WAVELNTH": 171, "WAVEUNIT": "angstrom",
         "DATE-OBS": "2011-06-07T06:33:02.77", "EXPTIME": 2.0},
        {"image": image()},
        {"telescope": "SDO", "instrument": "AIA_3", "start": at("2011-06-07T06:33:02.77"),
         "exposure": 2.0, "wavelength": 1.71e-8, "product_type": "image"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("family", CASES)
def test_attributes(family):
    meta, datasets, expected = CASES[family]
    document = {
        "kind": "Product",
        "meta": [[key, meta[key]] for key in meta],
        "datasets": [[name, datasets[name]] for name in datasets],
    }
    assert ENGINE.family(document) == family
    found = ENGINE.attributes(document)
    assert found == {
        key: pytest.approx(value, rel=1e-9) if isinstance(value, float) else value
        for key, value in expected.items()
    }


def test_all_rule_files_are_read():
    names = {path.stem for path in SHIPPED.glob("*.toml")}
    assert {family.name for family in read_families()} == names
    assert read_families()[-1].name == "fits"
    # those that only others are based on are not tried
    assert {family.name for family in ENGINE.families} == names - {"ogip"}


def test_bands_are_between_their_ends():
    for family in read_families():
        for bands in family.bands:
            for name, (middle, shortest, longest) in bands.values.items():
                if shortest is not None:
                    assert shortest < middle < longest, (family.name, name)
