"""Every real Herschel file is read completely: compared with an independent decoder."""

from __future__ import annotations

import gzip

import numpy as np
import pytest
from fits_oracle import Stored
from hcss_decoder import decode, utc_of_fine_time

from skypool.formats.base import FIXED_TEXT
from skypool.model.arrays import Array
from skypool.model.composite import Composite
from skypool.model.provenance import provenance_of
from skypool.model.tables import Table


@pytest.fixture(scope="module")
def real_files(shared_data):
    lines = (shared_data / "manifest.tsv").read_text().splitlines()
    rows = [line.split("\t") for line in lines]
    found = [shared_data / "files" / row[0] for row in rows if "REAL HERSCHEL" in row[-1]]
    assert len(found) == 16
    return {path: (decode(path.read_bytes()), Stored(path.read_bytes(), path.name))
            for path in found}  # fmt: skip


def parameters(listed):
    return {entry[0]: (*entry[1:], "", "")[:3] for entry in listed}


def types(found):
    return {name: type(value[0]) for name, value in found.items()}


def test_all_are_typed_and_come_back_byte_for_byte(real_files):
    for path, (_, stored) in real_files.items():
        assert stored.imported.reason is None, path
        content = path.read_bytes()
        content = gzip.decompress(content) if path.suffix == ".gz" else content
        assert stored.rebuilt() == content
        assert stored.document["kind"] != "File"


def test_parameters_of_all_products(real_files):
    for path, (units, stored) in real_files.items():
        expected = units[0].parameters()
        found = parameters(stored.document["meta"])
        for name in FIXED_TEXT:
            expected.setdefault(name, ("Unknown", "", ""))
        assert found == expected, path
        assert types(found) == types(expected), path
        rest = [name for name in units[0].parameters() if name not in list(found)[:9]]
        assert list(found)[-len(rest) :] == rest


def walk(unit, units, datasets, path, visit):
    """Go down the tree of the file and that of the product together."""
    names = [units[child].text("EXTNAME") for child in unit.children()]
    assert list(datasets) == names, path
    for name, child in zip(names, unit.children(), strict=True):
        visit(path, units[child], datasets[name])
        if units[child].children():
            assert isinstance(datasets[name], Composite)
            walk(units[child], units, datasets[name], path, visit)


def test_trees_of_all_products(real_files):
    seen = []

    def visit(path, unit, dataset):
        seen.append(path)
        found = {name: (p.value, p.unit, p.description) for name, p in dataset.meta.items()}
        expected = unit.parameters()
        assert found == expected, path
        assert types(found) == types(expected)
        assert list(found) == list(expected)
        assert dataset.description == unit.text("INFO____")

    for path, (units, stored) in real_files.items():
        walk(units[0], units, stored.datasets, path, visit)
        assert seen.count(path) == len(units) - 1


def test_values_units_and_columns_of_all_datasets(real_files):
    def visit(path, unit, dataset):
        if isinstance(dataset, Array):
            expected = unit.array()
            assert dataset.dtype == expected.dtype, path
            assert np.array_equal(dataset, expected, equal_nan=expected.dtype.kind == "f")
            assert dataset.unit_text == unit.text("QTTY____")
        elif isinstance(dataset, Table):
            columns = unit.columns()
            assert dataset.colnames == list(columns)
            for name, (unit_text, words, values) in columns.items():
                assert dataset[name].info.unit == unit_text, (path, name)
                assert dataset[name].info.description == words
                assert dataset[name][:].tolist() == values

    for path, (units, stored) in real_files.items():
        walk(units[0], units, stored.datasets, path, visit)


def test_classes_of_all_products(real_files):
    for path, (units, stored) in real_files.items():
        classes = [unit.text("CLASS___") for unit in units]
        assert [unit.get("class") for unit in stored.recipe["hdus"]] == classes, path
        assert stored.document["kind"] == classes[0].rpartition(".")[2]


def test_what_was_done_to_make_them(real_files):
    with_history = 0
    for path, (units, stored) in real_files.items():
        by_name = {unit.text("EXTNAME"): unit for unit in units}
        found = provenance_of(stored.datasets)
        if "History" not in by_name:
            assert found is None
            continue
        with_history += 1
        tasks = by_name["HistoryTasks"].columns()
        given = by_name["HistoryParameters"].columns()
        assert [task.number for task in found.tasks] == tasks["ID"][2], path
        assert [task.name for task in found.tasks] == tasks["Name"][2]
        assert [task.build for task in found.tasks] == tasks["BuildVersion"][2]
        times = [utc_of_fine_time(us) for us in tasks["ExecDate"][2]]
        assert [task.time for task in found.tasks] == times
        assert list(found.script) == by_name["HistoryScript"].columns()["Lines"][2]
        assert found.output == by_name["HistoryScript"].parameters()["outvar"][0]
        for task in found.tasks:
            rows = [n for n, number in enumerate(given["TaskID"][2]) if number == task.number]
            assert [p.name for p in task.parameters] == [given["Name"][2][n] for n in rows]
            assert [p.value for p in task.parameters] == [given["Value"][2][n] for n in rows]
            assert [p.default for p in task.parameters] == [given["IsDefault"][2][n] for n in rows]
    assert with_history == 6


def test_the_year_and_spelling_of_units_of_the_archive(real_files):
    path = next(path for path in real_files if "hspirepsw" in path.name)
    found = parameters(real_files[path][1].document["meta"])
    assert found["obsid"] == (1342263815, "", "Observation identifier")
    assert found["ra"][:2] == (17.439346786113266, "deg")
    assert found["pmRA"][1] == "arcsec/year"
    assert found["level"][0] == "20"
    assert found["wavelength"][2] == "The reference wavelength at which the image is taken"
    path = next(path for path in real_files if "hpacs" in path.name)
    found = parameters(real_files[path][1].document["meta"])
    assert found["blue"][0] == "blue2"
    assert found["solarAspectAngleRms"][2] == "standard deviation of the Solar Aspect Angle"
    assert found["aorLabel"][2] == "AOR Label as entered in HSpot"
    assert len(units_of(found)) > 5


def units_of(found):
    return {unit for _, unit, _ in found.values() if unit}
