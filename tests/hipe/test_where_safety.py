"""A where-clause is calculated, never executed: it reaches neither files nor pools nor code."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from skypool import Pool
from skypool.errors import QueryError
from skypool.hipe import (
    FullQuery,
    MapContext,
    PoolManager,
    Product,
    ProductStorage,
    Query,
    SimpleImage,
    StorageQuery,
    saveProduct,
    simpleFitsWriter,
)

system = os.system
run = subprocess.run
np_save = np.save
_hidden = 3
mine = {"key": 3}
root = math.sqrt


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> ProductStorage:
    store = ProductStorage(Pool(tmp_path_factory.mktemp("safety") / "temp1"))
    image = SimpleImage("image", image=np.ones((2, 2)))
    image.meta["n"] = 9
    top = MapContext("top")
    top.refs["image"] = image
    store.save(top)
    return store


EVIL = [
    "__import__('os').system('touch {file}')",
    "eval('1')",
    "exec('x = 1')",
    "open('{file}', 'w')",
    "compile('1', '', 'eval')",
    "getattr(p, 'meta')",
    "globals()",
    "vars(p)",
    "os.system('touch {file}')",
    "system('touch {file}')",
    "run(['touch', '{file}'])",
    "subprocess.run(['touch', '{file}'])",
    "sys.exit()",
    "np.save('{file}', 1)",
    "np_save('{file}', 1)",
    "np.__loader__",
    "np.fromfile('{file}')",
    "math.__loader__",
    "saveProduct(p, 'other')",
    "simpleFitsWriter(p, '{file}')",
    "PoolManager.getPool('other')",
    "store.remove(p)",
    "Path('{file}').touch()",
    "p.__class__",
    "p.__class__.__mro__",
    "p._core",
    "p.meta.__class__",
    "().__class__.__bases__",
    "'{{0.__class__}}'.format(p)",
    "'%s'.__mod__(p)",
    "p.core_with(1, 2)",
    "p.to_core()",
    "p.refs['image'].storage.remove(p.refs['image'].urn)",
    "p.refs['image'].getStorage()",
    "p.refs['image'].parents",
    "p.refs['image'].become(1)",
    "p.meta.clear()",
    "p.meta.remove('n')",
    "p.meta.set('n', 1)",
    "p.meta['n'].setValue(1)",
    "p.setCreator('me')",
    "p.refs.clear()",
    "p['image'].setData([1])",
    "p['image'].data.perform(abs)",
    "mine.pop('key')",
    "mine.update(a=1)",
    "_hidden == 3",
    "[x.__class__ for x in [p]]",
    "(lambda: 1)()",
    "[lambda: 1][0]()",
    "{{1: 2}}[1]",
    "f'{{p}}'",
    "(y := 1)",
    "9 ** 9 ** 9",
    "'a' * 99999999",
    "[1] * 99999999",
    "p.creator.__len__()",
    "p.creator.format(1)",
    "p.creator.encode()",
    "(x for x in p).gi_frame",
    "abs.__self__",
    "max.__globals__",
    "is_unknown.__globals__",
]


def is_unknown(p: Product) -> bool:
    return p.type == "Unknown"


@pytest.mark.parametrize("clause", EVIL)
@pytest.mark.parametrize("kind", [FullQuery, Query])
def test_clauses_do_nothing(
    store: ProductStorage, tmp_path: Path, clause: str, kind: type[StorageQuery]
) -> None:
    file = tmp_path / "written"
    text = clause.format(file=file)
    before = len(store.pools[0].pool.history())
    with pytest.raises(QueryError):
        store.select(kind(Product, "p", text))
    assert not file.exists()
    assert not PoolManager.hasPool("other")
    assert len(store.pools[0].pool.history()) == before
    assert mine == {"key": 3}
    assert len(store.select(StorageQuery.QUERY_ALL)) == 2


@pytest.mark.parametrize(
    "clause",
    [
        "is_unknown(p) and p.meta['n'].value == 9",
        "math.sqrt(p.meta['n'].value) == 3",
        "root(p.meta['n'].value) == 3 and sqrt(9) == 3",
        "np.hypot(3, 4) == 5 and p.meta['n'].value > mine['key']",
        "p.getMeta().get('n').getValue() == 9",
        "len(p['image'].data) == 2 and p.image.shape[0] == 2 and int(p.image[0, 0]) == 1",
        "abs(-p.meta['n'].value) == 9 and str(p.meta['n'].value) == '9'",
        "sorted([3, 1])[0] == 1 and p.keySet().contains('image')",
        "p.creator.lower().startswith('unk') and p.meta['n'].value % 2 == 1",
    ],
)
def test_calculation_is_allowed(store: ProductStorage, clause: str) -> None:
    (ref,) = store.select(FullQuery(Product, "p", clause))
    assert ref.product.description == "image"


def test_what_the_test_needs_is_there() -> None:
    assert callable(system) and callable(run) and callable(np_save) and callable(saveProduct)
    assert callable(simpleFitsWriter) and _hidden and sys.executable
