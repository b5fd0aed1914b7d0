"""The deck's demonstration, the console lines of its slides, and what real scripts did."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from click.testing import CliRunner
from tests.docs.pages import page

import skypool as sp
from skypool.cli.app import app
from skypool.storage.store import ChunkStore

# Pools of a script stay open until its process ends; here they end with the tests.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

# As on the slide, line by line.
DECK = """\
# Demo script for searches down to data level
# Author: Paul Balm (HSC)

# I have some data in a pool called temp1
pool = PoolManager.getPool('temp1')
storage = ProductStorage(pool)

# Define a function that returns true for the images we're looking for
def testImage(i):
    # image type: Blue detector
    if i.type != "HPPPMAPBS":
        return False
    # AND: at least one pixel over 1 Jy
    if max(i.image) < 1.0:
        return False
    return True

# Define the query using this function and perform the search
query = FullQuery(SimpleImage, 'i', 'testImage(i)')
refs = storage.select(query)
print refs.size(), ' images found'

# Print the obsids of the found images which are the only ones with fluxes above 1 jy.
i = 0
for ref in refs:
    m = ref.meta
    print str(i), ': Obsid', m['obsid'].value
    i += 1
"""
OBSID = 1342182452


@pytest.fixture
def hipe(tmp_path, monkeypatch):
    """Run a script by the command line, and give its output."""
    monkeypatch.chdir(tmp_path)

    def run(text, *arguments, code=0, err=""):
        Path("script.py").write_text(text)
        result = CliRunner().invoke(app, ["hipe", "run", "script.py", *map(str, arguments)])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == code, (result.stdout, result.stderr)
        assert err in result.stderr
        if not err:
            assert result.stderr == ""
        return result.stdout

    return run


def image(top, shape=(300, 280), seed=0):
    data = np.random.default_rng(seed).uniform(-0.1, 0.2, shape).astype("f4")
    data[7, 11] = top
    data[:, :5] = np.nan
    return sp.Array(data, unit="Jy/pixel")


def simple_image(obsid, code="PSW", top=0.5, **more):
    return sp.Product(
        kind=more.pop("kind", "SimpleImage"),
        type=code,
        creator="SPG v14.2.0",
        instrument="PACS" if code.startswith("HPP") else "SPIRE",
        meta={"obsid": obsid, "wavelength": sp.Parameter(70.0, "um"), **more},
        datasets={"image": image(top, seed=obsid % 1000), "coverage": image(20, seed=1)},
    )


def observation(obsid, instrument="SPIRE", start=datetime(2009, 8, 19, 19, 44, tzinfo=UTC), **maps):
    """Make an observation with calibration, auxiliary, level 0 and level 2."""
    maps = maps or {"PSW": 0.5, "PMW": 0.3}

    def context(code, **refs):
        return sp.Product(kind="MapContext", type=code, meta={"obsid": obsid}, refs=refs)

    def table(code):
        return sp.Product(
            kind="TableProduct", type=code, instrument=instrument,
            datasets={"table": sp.Table({"x": np.arange(4.0)})},
        )  # fmt: skip

    return sp.Product(
        kind="ObservationContext",
        type="OBS",
        creator="SPG v14.2.0",
        instrument=instrument,
        startDate=start,
        meta={"obsid": obsid, "odNumber": 98, "object": "m83ul-1", "obsMode": "Large Map"},
        refs={
            "calibration": context("CAL", phot=context("PHOT", gains=table("GAINS")),
                                   spec=context("SPEC", rsrf=table("RSRF"))),
            "auxiliary": context("AUX", pointing=table("POINTING")),
            "level0": context("L0", raw=table("RAW")),
            "level2": context("L2", **{
                key: simple_image(obsid, key, top) for key, top in maps.items()
            }),
        },
    )  # fmt: skip


def fill(name, *products):
    with sp.Pool(name) as pool:
        return [pool.save(product, name=f"p/{n}").urn for n, product in enumerate(products)]


def maps():
    return (
        simple_image(OBSID, "HPPPMAPBS", 2.5),
        simple_image(OBSID + 1, "HPPPMAPBS", 0.9),
        simple_image(OBSID + 2, "HPPPMAPRS", 9.0),
        simple_image(OBSID + 3, "HPPPMAPBS", 1.5),
        simple_image(OBSID + 4, "PSW", 3.0),
        simple_image(OBSID + 5, "HPPPMAPBS", 7.0, kind="SimpleCube"),
        simple_image(OBSID + 6, "HPPPMAPBS", np.nan),
        observation(OBSID + 7),
    )


class Spy:
    """Which of the stored chunks are pixels, and which were read."""

    def __init__(self, monkeypatch, name):
        self.read = []
        real = ChunkStore.read
        monkeypatch.setattr(
            ChunkStore,
            "read",
            lambda store, place, digest: self.read.append(digest) or real(store, place, digest),
        )
        with sp.Pool(name, "r") as pool:
            self.pixels = {
                digest
                for ref in pool.find()
                for dataset in ref.product.datasets.values()
                if hasattr(dataset, "wcs")
                for digest in dataset._source.tile_names()
            }
        self.read.clear()

    @property
    def pixels_read(self):
        return [digest for digest in self.read if digest in self.pixels]


# The deck.


def test_the_deck_s_script_finds_exactly_the_blue_maps_above_1_jy(hipe, monkeypatch):
    fill("temp1", *maps())
    spy = Spy(monkeypatch, "temp1")
    assert hipe(DECK) == f"2  images found\n0 : Obsid {OBSID}\n1 : Obsid {OBSID + 3}\n"
    assert len(spy.pixels) > 20
    assert spy.pixels_read == []


def test_pixels_are_read_of_candidates_alone(hipe, monkeypatch):
    fill("temp1", *maps())
    spy = Spy(monkeypatch, "temp1")
    script = DECK.replace("max(i.image) < 1.0", "not ANY(i.image.data > 1.0)")
    assert hipe(script).startswith("2  images found\n")
    # Four tiles of each of the four blue images; nothing of coverage maps and others.
    assert len(spy.pixels_read) == 16


def test_the_deck_s_script_in_a_process_of_its_own(tmp_path):
    fill("temp1", *maps())
    path = tmp_path / "Untitled.py"
    path.write_text(DECK)
    words = [sys.executable, "-m", "skypool", "hipe", "run", str(path)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"2  images found\n0 : Obsid {OBSID}\n1 : Obsid {OBSID + 3}\n"


def test_the_deck_s_script_converted_prints_the_same(tmp_path):
    fill("temp1", *maps())
    (tmp_path / "old.py").write_text(DECK)
    old, new = str(tmp_path / "old.py"), str(tmp_path / "new.py")
    result = CliRunner().invoke(app, ["hipe", "convert", old, "-o", new])
    assert (result.exit_code, result.output) == (0, "")
    text = Path(new).read_text()
    assert (
        "from skypool.hipe import FullQuery, PoolManager, ProductStorage, SimpleImage, max" in text
    )
    assert [line for line in DECK.splitlines() if "#" in line] == [
        line for line in text.splitlines() if "#" in line
    ]
    done = subprocess.run([sys.executable, new], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.stdout == f"2  images found\n0 : Obsid {OBSID}\n1 : Obsid {OBSID + 3}\n"


def test_the_console_lines_of_the_slides(hipe):
    standard = [observation(OBSID + n) for n in range(6)]
    fill("standard", *standard)
    fill("pipeline-out", observation(OBSID + 100))
    output = hipe(
        "QUERY_RESULT = ProductStorage([PoolManager.getPool('standard')]).select("
        "herschel.ia.pal.query.MetaQuery(herschel.ia.obs.ObservationContext, \"p\", \"1\"))\n"
        "print len(QUERY_RESULT)\n"
        "obsid_1342180957 = QUERY_RESULT[5].product\n"
        "print obsid_1342180957.obsid\n"
        "obsid_1342180957_refs_level2_product_PSW = "
        "obsid_1342180957.refs[\"level2\"].product.refs[\"PSW\"].product\n"
        "image = obsid_1342180957_refs_level2_product_PSW\n"
        "del(obsid_1342180957_refs_level2_product_PSW)\n"
        "print image.type, image.image.data.dimensions\n"
        "QUERY_RESULT_2 = ProductStorage([PoolManager.getPool('pipeline-out'), "
        "PoolManager.getPool('temp1'), PoolManager.getPool('standard')]).select("
        "herschel.ia.pal.query.MetaQuery(herschel.ia.obs.ObservationContext, \"p\", \"1\"))\n"
        "print QUERY_RESULT_2.size()\n"
        f"obsid_{OBSID} = QUERY_RESULT[0].product\n"
        f"done = bg(\"saveProduct(product=obsid_{OBSID}, pool='temp1', tag='using cal v1')\")\n"
        "done.result()\n"
        "found = ProductStorage(PoolManager.getPool('temp1')).load('using cal v1').product\n"
        "print found.obsid, found.refs['level2'].product.refs.keySet()\n"
        "simpleFitsWriter(product=image, file='psw.fits')\n"
        "del(QUERY_RESULT)\n"
    )  # fmt: skip
    assert output == (
        f"6\n{OBSID + 5}\nPSW [300, 280]\n7\n{OBSID} ['PSW', 'PMW']\n"
    )  # fmt: skip
    assert fits.getval("psw.fits", "TYPE") == "PSW"
    with sp.Pool("temp1", "r") as pool:
        assert pool["using cal v1"].meta["obsid"].value == OBSID


# The uses A to N.


def test_a_list_all_observations_of_pools(hipe):
    fill("one", observation(OBSID + 5), observation(OBSID + 2))
    fill("two", observation(OBSID + 9, "PACS"))
    assert hipe(
        "from herschel.ia.pal import ProductStorage, PoolManager\n"
        "from herschel.ia.pal.query import MetaQuery\n"
        "from herschel.ia.obs import ObservationContext\n"
        "def listAll(names):\n"
        "\tfor name in names:\n"
        "\t\tstore = ProductStorage(PoolManager.getPool(name))\n"
        "\t\trefs = list(store.select(MetaQuery(ObservationContext, \"p\", \"1\")))\n"
        "\t\trefs.sort(lambda a, b: cmp(a.meta['obsid'].long, b.meta['obsid'].long))\n"
        "\t\tprint name, len(refs)\n"
        "\t\tfor ref in refs:\n"
        "\t\t\tprint '  %i 0x%x %-6s %s' % (ref.meta['obsid'].value, ref.meta['obsid'].long, \\\n"
        "\t\t\t\tref.meta['instrument'].value, ref.meta['object'].string)\n"
        "listAll(['one', 'two'])\n"
    ) == (
        "one 2\n"
        f"  {OBSID + 2} 0x{OBSID + 2:x} SPIRE  m83ul-1\n"
        f"  {OBSID + 5} 0x{OBSID + 5:x} SPIRE  m83ul-1\n"
        "two 1\n"
        f"  {OBSID + 9} 0x{OBSID + 9:x} PACS   m83ul-1\n"
    )  # fmt: skip


def test_b_reprocess_from_one_pool_to_another(hipe):
    fill("ops", observation(OBSID))
    assert hipe(
        "store = ProductStorage()\n"
        "store.register(PoolManager.getPool('ops')); store.authenticate()\n"
        "store_out = ProductStorage('Neptune_0x50002582')\n"
        f"obsids = [0x{OBSID:x}L]\n"
        "for obsid in obsids:\n"
        "\tquery = MetaQuery(ObservationContext, 'p', 'p.meta[\\'obsid\\'].value==%iL' % obsid)\n"
        "\tobs = store.select(query)[0].product\n"
        "\tobs.calibration.spec.refs.clear()\n"
        "\tstore_out.save(obs)\n"
        "\tprint 'Saved 0x%x' % obsid\n"
        "obs = store_out.select(query)[0].product\n"
        "print obs.calibration.spec.refs.size(), obs.calibration.phot.refs.size()\n"
    ) == f"Saved 0x{OBSID:x}\n0 1\n"  # fmt: skip


def test_b_a_server_that_is_gone_is_a_clear_error(hipe):
    hipe(
        "from herschel.ia.pal.pool.http import HttpClientPool\n"
        "store = ProductStorage(HttpClientPool('http://127.0.0.1:9/hcss/pal', 'ops'))\n"
        "print store.select(MetaQuery(ObservationContext, 'p', '1'))[0].product\n",
        code=2,
        err="skypool: script.py, line 2: ",
    )


def test_c_local_first_then_a_new_map_as_fits(hipe):
    fill("default", observation(OBSID))
    assert hipe(
        f"myObsid = Int1d([{OBSID}, {OBSID + 1}])\n"
        "store_out = ProductStorage('default')\n"
        "for ob in range(len(myObsid)):\n"
        "\tprint 'Searching for obsid 0x%x...' % myObsid[ob]\n"
        "\tquery = MetaQuery(ObservationContext, 'p', \\\n"
        "\t\t\"p.meta['obsid'].value==%iL\" % myObsid[ob])\n"
        "\trefs = store_out.select(query)\n"
        "\tif len(refs) < 1:\n"
        "\t\tprint 'not found'\n"
        "\t\tcontinue\n"
        "\tobs = refs[0].product\n"
        "\tmap = obs.level2.refs['PSW'].product\n"
        "\tmap.image = map.image * 2\n"
        "\tmap.description = 'doubled'\n"
        "\tobs.level2.setProduct('PSW', map)\n"
        "\tsimpleFitsWriter(map, '%smapPSW_%s.fits' % \\\n"
        "\t\t('', str(hex(obs.meta['obsid'].value)[2:10])))\n"
        "\tref = store_out.save(obs)\n"
        "\tprint ref.version, obs.level2.refs['PSW'].product.description\n"
        "\tprint '%.2f' % max(obs.level2.getProduct('PSW').image)\n"
    ) == (
        f"Searching for obsid 0x{OBSID:x}...\n1 doubled\n1.00\n"
        f"Searching for obsid 0x{OBSID + 1:x}...\nnot found\n"
    )
    with fits.open(f"mapPSW_{OBSID:x}.fits") as hdus:
        assert np.nanmax(hdus["image"].data) == pytest.approx(1.0)


def test_d_reprocess_save_and_export(hipe, tmp_path):
    fill("pacs", observation(OBSID, "PACS", HPPPMAPB=2.0, HPPPMAPR=1.0))
    output = hipe(
        f"obsid = {OBSID}L; n = 'reduced'\n"
        "try:\n"
        "    obs = getObservation(obsid, useHsa=1, instrument='PACS')\n"
        "except:\n"
        "    print 'no archive'\n"
        "saveObservation(obs, poolLocation='store', poolName=n)\n"
        "pool = LocalStoreFactory.getStore(LocalStoreContext(n, 'store'))\n"
        "ref = pool.select(MetaQuery(ObservationContext, 'p', '1'))[0]\n"
        "print ref.urn[:4], ref.type\n"
        "folder = exportObservation(pool=pool, urn=ref.urn, dirout='out')\n"
        "print folder\n"
    )
    assert output.splitlines()[-1] == f"out/{OBSID}"
    found = sorted(str(path.relative_to("out")) for path in Path("out").rglob("*.fits*"))
    assert any("level2" in path for path in found), found


def test_d_a_pipeline_stops_with_the_modern_way(hipe):
    fill("pacs", observation(OBSID, "PACS", HPPPMAPB=2.0))
    output = hipe(
        f"obs = getObservation({OBSID})\n"
        "print 'got it'\n"
        "runPacsSpg(cameraList=['blue'], obsIn=obs)\n",
        code=1,
        err="skypool: script.py, line 3: runPacsSpg is not supported\nskypool keeps the products",
    )
    assert output == "got it\n"


def test_e_save_observations_and_skip_pools_that_exist(hipe):
    fill("source", observation(OBSID), observation(OBSID + 1))
    fill(str(OBSID), simple_image(OBSID))
    assert hipe(
        "import os\n"
        f"for obsid in [{OBSID}, {OBSID + 1}]:\n"
        "    if PoolManager.hasPool(str(obsid)):\n"
        "        print obsid, 'exists, skipping'\n"
        "        continue\n"
        "    obs = getObservation(obsid, poolName='source')\n"
        "    saveObservation(obs, poolName=str(obsid), saveCalTree=True)\n"
        "    print obsid, 'saved'\n"
        f"print getObservation({OBSID + 1}, poolName='{OBSID + 1}').refs.keySet()\n"
    ) == (
        f"{OBSID} exists, skipping\n{OBSID + 1} saved\n"
        "['calibration', 'auxiliary', 'level0', 'level2']\n"
    )  # fmt: skip


def test_f_save_with_a_tag_pack_the_pool_and_delete_it(hipe):
    assert hipe(
        "import os, tarfile, shutil\n"
        "p = Product(creator='me', description='result', type='RESULT')\n"
        "p['table'] = TableDataset(description='numbers')\n"
        "p['table']['x'] = Column(Double1d.range(5), description='x')\n"
        "pool, loc, tag = 'results', os.path.join(os.getcwd(), 'lstore'), 'final'\n"
        "saveProduct(product=p, pool=pool, poolLocation=loc, tag=tag)\n"
        "store = LocalStoreFactory.getStore(LocalStoreContext(pool, loc))\n"
        "storage = ProductStorage(); storage.register(store)\n"
        "urn = storage.getUrnFromTag(tag)\n"
        "print storage.load(urn).product['table']['x'].data\n"
        "folder = str(store.getContext().getStoreDir())\n"
        "tar = tarfile.open(pool + '.tar', 'w'); tar.add(folder, pool); tar.close()\n"
        "shutil.rmtree(folder)\n"
        "print os.path.exists(folder), os.path.getsize(pool + '.tar') > 0\n"
    ) == "[0.0,1.0,2.0,3.0,4.0]\nFalse True\n"  # fmt: skip


def test_g_a_pool_first_the_archive_if_not(hipe):
    fill("pacs", observation(OBSID, "PACS", HPPPMAPB=2.0))
    assert hipe(
        f"for obsid in [{OBSID}, {OBSID + 1}]:\n"
        "    try:\n"
        "        obsIn = getObservation(obsid=obsid, poolName='pacs', instrument='PACS',\n"
        "                               poolLocation=None)\n"
        "        print 'in pool', obsIn.refs.containsKey('level0')\n"
        "        obsIn.refs.remove('level0')\n"
        "        print obsIn.refs.keySet()\n"
        "    except Exception, e:\n"
        "        print 'not in pool:', str(obsid) in e.message\n"
    ) == (
        "in pool True\n['calibration', 'auxiliary', 'level2']\nnot in pool: True\n"
    )  # fmt: skip


def test_h_the_archive_s_own_pool(hipe):
    with sp.Pool("hsa") as pool:
        pool.save(observation(OBSID), name=str(OBSID))
        urn = pool[str(OBSID)].urn
    assert hipe(
        "from herschel.ia.pal.pool.hsa import MyHSAPool, MyHSAConnection\n"
        "hsaStore = ProductStorage(MyHSAPool.getNewInstance(MyHSAConnection.ON))\n"
        f"obs = hsaStore.load('{urn}').product\n"
        "print obs.meta['obsid'].value, obs.level2.refs['PSW'].product.type\n"
    ) == f"{OBSID} PSW\n"  # fmt: skip
    hipe(
        "hsaStore = ProductStorage(MyHSAPool.getNewInstance(MyHSAConnection.ON))\n"
        "obs = hsaStore.load('urn:hsa:herschel.ia.obs.ObservationContext:643488').product\n",
        code=4,
        err="skypool: script.py, line 2: ",
    )


def test_i_sliced_copies(hipe):
    assert hipe(
        "slicedCubes = ListContext()\n"
        "for i in range(3):\n"
        "    cube = SimpleCube(description='slice %d' % i)\n"
        "    cube.image = Double3d(2, 3, 4, i)\n"
        "    slicedCubes.refs.add(ProductRef(cube))\n"
        "saveSlicedCopy(slicedCubes, 'sliced')\n"
        "back = readSliced('sliced')\n"
        "print back.refs.size(), [r.product.description for r in back.refs]\n"
        "print max(back.refs[2].product.image)\n"
        "saveSlicedCopy(back, 'sliced')    # HIPE could not do this\n"
        "print readSliced('sliced').refs.size()\n"
    ) == "3 ['slice 0', 'slice 1', 'slice 2']\n2.0\n3\n"  # fmt: skip


def test_j_maps_of_spire(hipe):
    fill("spire", observation(OBSID, psrcPSW=4.0, extdPSW=3.0, psrcPMW=2.0))
    assert hipe(
        f"obs = getObservation({OBSID}, poolName='spire')\n"
        "map = obs.level2.refs[\"psrcPSW\"].product\n"
        "print map.type, map.getImage().dimensions, '%.1f' % MAX(map.image)\n"
        "print map['coverage'].data.length(), map.image.unit\n"
        "for key in obs.level2.refs.keySet():\n"
        "    if key[:4] == 'extd': obs.level2.refs.remove(key)\n"
        "print obs.level2.refs.keySet(), obs.level2.refs.has_key('extdPSW')\n"
    ) == (
        "psrcPSW [300, 280] 4.0\n84000 Jy/pixel\n['psrcPSW', 'psrcPMW'] False\n"
    )  # fmt: skip


def test_k_observations_in_a_loop_with_little_memory(hipe):
    fill("p1", observation(OBSID))
    fill("p2", observation(OBSID + 1))
    assert hipe(
        f"for obsid, p in [({OBSID}, 'p1'), ({OBSID + 1}, 'p2')]:\n"
        "    obs = getObservation(obsid, useHsa=0, poolLocation=None, poolName=p)\n"
        "    print obs.obsid,\n"
        "    del obs; System.gc()\n"
    ) == f"{OBSID} {OBSID + 1}\n"  # fmt: skip


def test_l_slots_of_a_batch_do_not_disturb_each_other(tmp_path):
    fill("shared", observation(OBSID), observation(OBSID + 1))
    script = tmp_path / "slot.py"
    script.write_text(
        "import sys\n"
        "from herschel.share.util import Configuration\n"
        "obsid = long(sys.argv[1])\n"
        "Configuration.setProperty('hcss.ia.pal.pool.cache.dir', 'cache_%d' % obsid)\n"
        "obs = getObservation(obsid, poolName='shared')\n"
        "p = Product(type='SUM'); p.meta['obsid'] = LongParameter(obsid)\n"
        "p.meta['peak'] = DoubleParameter(max(obs.level2.refs['PSW'].product.image))\n"
        "saveProduct(product=p, pool='results', tag='sum %d' % obsid)\n"
        "print obsid, Configuration.getProperty('hcss.ia.pal.pool.cache.dir')\n"
    )
    slots = [
        subprocess.Popen(
            [sys.executable, "-m", "skypool", "hipe", "run", str(script), str(OBSID + n)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for n in range(2)
    ]
    for n, slot in enumerate(slots):
        out, err = slot.communicate(timeout=300)
        assert (slot.returncode, err) == (0, "")
        assert out == f"{OBSID + n} cache_{OBSID + n}\n"
    with sp.Pool("results", "r") as pool:
        assert len(pool.find("type == 'SUM' and peak > 0.4")) == 2


def test_m_is_the_deck():
    """See the top of this page."""
    assert "FullQuery(SimpleImage, 'i', 'testImage(i)')" in DECK


def test_n_local_stores(hipe):
    output = hipe(
        "from herschel.ia.pal.pool.lstore import *\n"
        "from herschel.ia.pal import *\n"
        "from herschel.ia.pal.query import *\n"
        "from herschel.ia.dataset import *\n"
        "from java.io import *\n"
        "store=LocalStoreFactory.getStore(\"test\");\n"
        "p=Product(creator=\"Scott\", description=\"Tiger\");\n"
        "urn=store.save(p);\n"
        "print store.getContext().getStoreDir().endswith('test')\n"
        "p.type='AbcProduct';\n"
        "x = store.save(p, 'AbcProduct');\n"
        "p.meta[\"context\"] = StringParameter (\"/Product_01/foo\")\n"
        "x = store.save(p);\n"
        "for query in [FullQuery(Product,\"p\",\"p.creator=='Scott'\"),\n"
        "    AttribQuery(Product,\"p\",\"p.creator=='Scott'\"),\n"
        "    MetaQuery(Product,\"p\",\"p.creator=='Scott'\")]:\n"
        "    results=store.select(query)\n"
        "    print results.size(),\n"
        "    for item in results: print item.product.creator,\n"
        "print\n"
        "query=MetaQuery(Product,\"p\",\"p.type=='AbcProduct'\")\n"
        "print store.select(query, results).size()\n"
        "def getScott():\n"
        "    return 'Scott'\n"
        "query=Query(\"type=='AbcProduct' and creator==getScott()\")\n"
        "print store.select(query).size()\n"
        "store.rebuildIndex()\n"
        "print store.select(query).size()\n"
    )  # fmt: skip
    lines = output.splitlines()
    assert lines[0] == "True"
    assert lines[1].count("Scott") == 3 * int(lines[1].split()[0])
    assert int(lines[2]) >= 1
    assert lines[3] == lines[4]


def test_n_files_are_ingested_in_place(hipe):
    Path("files").mkdir()
    header = fits.Header({"OBJECT": "M83", "TYPE": "SKY"})
    fits.PrimaryHDU(np.ones((4, 5), "f4"), header).writeto("files/a.fits")
    assert hipe(
        "from java.io import File\n"
        "storeFoo = LocalStoreFactory.getStore('foo')\n"
        "storeFoo.ingest(File('files'), 1)\n"
        "refs = storeFoo.select(MetaQuery(Product, 'p', \"p.type=='SKY'\"))\n"
        "print refs.size(), refs[0].product.meta['OBJECT'].value\n"
    ) == "1 M83\n"  # fmt: skip


def test_n_stores_give_products_and_take_references(hipe):
    assert hipe(
        "store = LocalStoreFactory.getStore('test')\n"
        "p = Product(creator='Scott', description='Tiger')\n"
        "t = TableDataset(description='numbers'); t['x'] = Column(Double1d.range(100))\n"
        "p['myTable'] = t\n"
        "ref = store.save(p)\n"
        "print store.load(ref).creator, store.meta(ref)['description'].value\n"
        "query = Query(\"['myTable']['x'].data[20] > 10\")\n"
        "print query.queryType, [store.load(r).creator for r in store.select(query)]\n"
        "lc = ListContext(); lc.getRefs().add(ProductRef(p))\n"
        "print Query(\"creator=='Scott'\").match(lc).size()\n"
        "from java.util import *\n"
        "map = HashMap(); map.put('foo', ProductRef(p))\n"
        "print len(Query(\"creator=='Scott'\").match(map.values().iterator()))\n"
    ) == "Scott Tiger\nFullQuery ['Scott']\n1\n1\n"  # fmt: skip


def test_what_runs_in_the_background_is_done_when_the_script_ends(hipe):
    hipe("p = Product(type='X')\nbg(\"saveProduct(product=p, pool='later', tag='t')\")\n")
    with sp.Pool("later", "r") as pool:
        assert pool["t"].type == "X"
    hipe(
        "p = Product(type='X')\nbg(\"saveProduct(product=p, pool='a/b', tag='t')\")\nprint 1\n",
        code=2,
        err="skypool: script.py: ",
    )


def test_tables_as_text(hipe):
    Path("list.txt").write_text("# obsids\n1342182452 SPIRE\n1342182453 PACS\n")
    assert hipe(
        "table = asciiTableReader(file='list.txt', tableType=\"SPACES\")\n"
        "col = table.getColumn(0).data\n"
        "print col[0], len(col), table.columnNames\n"
        "tds = TableDataset()\n"
        "tds.addColumn('OBSID', Column(col, description='number'))\n"
        "tds.addColumn('ra', Column(Double1d([201.5, 1e-5]), unit=None))\n"
        "tds.addColumn('in, st', Column(table.getColumn(1).data))\n"
        "asciiTableWriter(table=tds, file='a.csv')\n"
        "t = TableDataset(); t['x'] = Column(Float1d([0.1]))\n"
        "asciiTableWriter(t, 'c.txt', writeHeader=False); print open('c.txt').read(),\n"
        "asciiTableWriter(table=tds, file='b.txt', formatter=CsvFormatter(delimiter=' '), "
        "writeHeader=False)\n"
        "print open('a.csv').read(), open('b.txt').read(),\n"
        "back = asciiTableReader(file='a.csv')\n"
        "print back['OBSID'].data, back['in, st'].data, back['OBSID'].description\n"
        "data = asciiTableReader(file='list.txt', columnNames=False, tableType='ADVANCED',\n"
        "    columnType=AsciiParser.GUESS_ALL)\n"
        "print data[0].getData()[0:1]\n"
        "from herschel.ia.toolbox.util import AsciiTableReaderTask\n"
        "print AsciiTableReaderTask()('b.txt', 'SPACES')['c1'].data[1]\n"
    ) == (
        "1342182452 2 ['c0', 'c1']\n0.1\n"
        'OBSID,ra,"in, st"\nLong,Double,String\n,,\nnumber,,\n'
        "1342182452,201.5,SPIRE\n1342182453,1.0E-5,PACS\n"
        "1342182452 201.5 SPIRE\n1342182453 1.0E-5 PACS\n"
        "[1342182452,1342182453] [SPIRE,PACS] number\n[1342182452]\n1e-05\n"
    )


# The program.


def test_output_and_exit_code_as_json(hipe):
    Path("s.py").write_text("import sys\nprint 'a', sys.argv[1:]\nsys.exit(7)\n")
    for words in (["--json", "s.py", "x"], ["s.py", "x", "--json"]):
        result = CliRunner().invoke(app, ["hipe", "run", *words])
        assert result.exit_code == 7
        assert json.loads(result.stdout) == {
            "script": "s.py", "output": "a ['x']\n", "exit_code": 7,
        }  # fmt: skip
    result = CliRunner().invoke(app, ["hipe", "run", "s.py", "--", "--json", "-p"])
    assert result.stdout == "a ['--json', '-p']\n"


def test_errors_as_json(hipe):
    Path("s.py").write_text("print 'a'\nphotProject(1)\n")
    result = CliRunner().invoke(app, ["hipe", "run", "s.py", "--json"])
    assert result.exit_code == 1
    error = json.loads(result.stdout)["error"]
    assert (error["code"], error["name"], error["line"]) == ("unsupported", "photProject", 2)
    assert error["file"] == "s.py"
    Path("s.py").write_text("x = 1\nprint x.y\n")
    error = json.loads(CliRunner().invoke(app, ["hipe", "run", "s.py", "--json"]).stdout)["error"]
    assert (error["code"], error["line"]) == ("script", 2)
    result = CliRunner().invoke(app, ["hipe", "run", "none.py", "--json"])
    assert result.exit_code == 4
    assert json.loads(result.stdout)["error"]["code"] == "not_found"


def test_the_lines_of_the_documentation(hipe):
    text = page("hipe-scripts.md").read_text("utf-8")
    script = text.split("## Numbers")[1].split("```jython\n")[1].split("```")[0]
    assert "x.append(7.0)" in script
    assert hipe(script) == ("[0.0,0.5,1.0,0.0,0.0,3.5] 6 [6]\n3.0 3.0 3.0 2.73252020426 True\n")
    shown = text.split("## What skypool has not")[1].split("```text\n")[1].split("```")[0].strip()
    shown = shown.replace("reduce.py", "script.py")
    hipe("\n" * 11 + "photProject(5)\n", code=1, err=shown)


def test_the_traceback_is_on_standard_error(hipe):
    assert hipe(
        "print 1\nprint 1/0\n",
        code=1,
        err='skypool: Traceback (most recent call last):\n  File "script.py", line 2, in ',
    ) == "1\n"  # fmt: skip
