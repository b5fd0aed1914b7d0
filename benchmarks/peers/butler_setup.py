"""A Butler repository for products of any metadata: each of the 60 keys has to be declared."""

from __future__ import annotations

from typing import Any

from lsst.daf.butler import Butler, Config, DatasetType, DimensionConfig
from workload import INSTRUMENTS, LEVELS, small_metadata

_RECORDS = "lsst.daf.butler.registry.dimensions"


def _column(name: str, value: Any) -> dict[str, Any]:
    match value:
        case bool():
            return {"name": name, "type": "bool"}
        case int():
            return {"name": name, "type": "int"}
        case float():
            return {"name": name, "type": "float"}
        case _:
            return {"name": name, "type": "string", "length": 64}


def _dimensions() -> DimensionConfig:
    columns = [_column(*item) for item in small_metadata(0).items() if item[0] != "instrument"]
    elements = {
        "instrument": {
            "doc": "instrument",
            "keys": [{"name": "name", "type": "string", "length": 32}],
            "governor": True,
            "storage": {"cls": f"{_RECORDS}.governor.BasicGovernorDimensionRecordStorage"},
        },
        "product": {
            "doc": "product",
            "keys": [{"name": "id", "type": "int"}],
            "requires": ["instrument"],
            "metadata": columns,
            "storage": {"cls": f"{_RECORDS}.table.TableDimensionRecordStorage"},
        },
    }
    htm = {"class": "lsst.sphgeom.HtmPixelization", "max_level": 24}
    return DimensionConfig(
        Config(
            {
                "version": 0,
                "namespace": "bench",
                "skypix": {"common": "htm7", "htm": htm},
                "elements": elements,
                "topology": {"spatial": {}, "temporal": {}},
                "packers": {},
            }
        )
    )


def _config() -> Config:
    product = {"pytype": "butler_formatter.Product", "parameters": ["array", "box"]}
    return Config(
        {
            "storageClasses": {"Product": product},
            "datastore": {
                "cls": "lsst.daf.butler.datastores.fileDatastore.FileDatastore",
                "root": "<butlerRoot>",
                "records": {"table": "file_datastore_records"},
                "formatters": {"Product": "butler_formatter.ProductFormatter"},
                "templates": {"default": "{run}/{datasetType}/{instrument}_{product}_{run}"},
                "composites": {"default": False, "disassembled": {}},
            },
        }
    )


def make_repository(place: str, run: str) -> Butler:
    """Make a repository with one run to put into."""
    Butler.makeRepo(place, config=_config(), dimensionConfig=_dimensions())
    butler = Butler.from_config(place, writeable=True)
    for name in INSTRUMENTS:
        butler.registry.insertDimensionData("instrument", {"name": name})
    for name in (*LEVELS, "product"):
        dataset = DatasetType(
            name, ["instrument", "product"], "Product", universe=butler.dimensions
        )
        butler.registry.registerDatasetType(dataset)
    butler.collections.register(run)
    return butler
