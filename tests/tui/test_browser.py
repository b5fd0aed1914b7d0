"""The browser as its users meet it: keys in, what is on the screen out."""

from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path

import numpy as np
import pytest

import skypool as sp
from skypool.tui.screens.columns import Columns
from skypool.tui.screens.dialogs import Ask, Choose, Code, Confirm, Help
from skypool.tui.screens.presets import Presets
from skypool.tui.widgets.contents import ContentsPage
from skypool.tui.widgets.details import PAGES, Details
from skypool.tui.widgets.facet_list import FacetList
from skypool.tui.widgets.grid import Grid
from skypool.tui.widgets.listed import HeaderPage, MetadataPage
from skypool.tui.widgets.look import LookPage
from skypool.tui.widgets.picture import Picture
from skypool.tui.widgets.search_line import SearchLine
from skypool.tui.widgets.versions import VersionsPage

MAPS = [f"obs/map{n}" for n in (0, 1, 10, 11, 2, 3, 4, 5, 6, 7, 8, 9)]


def test_it_begins_with_everything(looked, drive):
    async def script(ui):
        assert len(ui.names) == len(looked) == 17
        assert "17 products" in ui.text("#head")
        lines = ui.lines("#hits")
        assert lines[0].split()[:2] == ["name", "object"]
        assert any("obs/map3" in line for line in lines)
        facets = " ".join(str(option.prompt) for option in ui.app.query_one(FacetList).options)
        assert "SimpleImage" in facets and "instrument" in facets
        assert ui.text("#code").strip().endswith(".find('')")

    drive(looked, script)


def test_an_empty_pool_says_what_to_do(tmp_path, drive):
    with sp.Pool(tmp_path / "empty", mode="x") as pool:

        async def script(ui):
            assert "skypool add" in "".join(ui.lines("#hits"))
            await ui.press("space", "enter", "x", "t", "d", "e", "r", "s", "c", "escape", "u", "3")

        drive(pool, script)


# -- searching


def test_a_query_is_typed_completed_and_asked(looked, drive):
    async def script(ui):
        await ui.press("slash")
        await ui.type("instr")
        ways = ui.app.query_one("#ways")
        assert ways.display and "instrument" in str(ways.get_option_at_index(0).prompt)
        await ui.press("tab")
        await ui.type("== 'SP")
        assert "'SPIRE'" in str(ways.get_option_at_index(0).prompt)
        await ui.press("tab", "enter")
        assert ui.app.query_one(SearchLine).text.strip() == "instrument == 'SPIRE'"
        assert ui.names == [name for name in MAPS if int(name[7:]) % 2]
        assert ui.app.focused is ui.app.hits_grid
        assert "6 products of 17" in ui.text("#head")

    drive(looked, script)


def test_completion_by_arrows_and_without_anything_typed(looked, drive):
    async def script(ui):
        await ui.press("slash", "tab")
        assert ui.app.query_one("#ways").display
        await ui.press("escape")
        assert not ui.app.query_one("#ways").display
        await ui.type("tagged(")
        await ui.press("down", "enter")
        assert ui.app.query_one(SearchLine).text == "tagged('using cal v1')"
        await ui.press("enter")
        assert ui.names == ["obs/map3"]
        await ui.press("slash", "escape")
        assert ui.app.focused is ui.app.hits_grid

    drive(looked, script)


def test_errors_stand_below_their_place(looked, drive):
    async def script(ui):
        await ui.press("slash")
        await ui.type("obsid = 5")
        shown = ui.text("#problem")
        assert shown.index("▲") == 2 + len("obsid ") and "==" in shown
        await ui.press("enter")
        assert len(ui.names) == 17  # what was found before stays
        await ui.press("slash", "ctrl+u")
        await ui.type("objekt == 'x'")
        await ui.press("enter")
        assert "did you mean object" in ui.text("#problem")

    drive(looked, script)


def test_a_query_from_the_command_line_and_one_that_is_wrong(looked, drive):
    async def script(ui):
        assert ui.names == ["cube"]

    drive(looked, script, query="kind == 'SimpleCube'")

    async def wrong(ui):
        assert "▲" in ui.text("#problem")
        assert "cannot be asked" in "".join(ui.lines("#hits"))
        await ui.press("slash", "ctrl+u", "enter")
        assert len(ui.names) == 17

    drive(looked, wrong, query="kind ==")


def test_the_ways_in(looked, drive):
    async def script(ui):
        await ui.press("p")
        assert isinstance(ui.app.screen, Presets)
        await ui.type("0x50000e34")
        assert "obsid == 1342180916" in ui.text("#made")
        await ui.press("ctrl+r", "ctrl+right", "down", "down", "down")
        await ui.type("PACS")
        await ui.press("enter")
        assert ui.app.query_one(SearchLine).text == "instrument == 'PACS'"
        assert len(ui.names) == 6
        await ui.press("p", "ctrl+left", "ctrl+left")
        await ui.type("nonsense (")
        await ui.press("enter")
        assert isinstance(ui.app.screen, Presets)  # it cannot be understood
        await ui.press("escape")
        assert len(ui.names) == 6

    drive(looked, script)


def test_facets_narrow_and_widen(looked, drive):
    async def script(ui):
        await ui.press("f")
        facets = ui.app.query_one(FacetList)
        assert facets.has_focus

        def place(text):
            return next(n for n, o in enumerate(facets.options) if text in str(o.prompt))

        facets.highlighted = place("SPIRE")
        await ui.press("enter")
        assert len(ui.names) == 6 and "instrument == 'SPIRE'" in ui.text("#chips")
        # The numbers of a key leave out what was chosen of it.
        assert "6" in str(facets.options[place("PACS")].prompt)
        facets.highlighted = place("PACS")
        await ui.press("space")
        assert len(ui.names) == 12
        assert "instrument in ['SPIRE', 'PACS']" in ui.app.question.query
        facets.highlighted = place("object")
        assert "+6" in str(facets.options[place("object")].prompt)
        await ui.press("enter")
        assert "M 91" in " ".join(str(option.prompt) for option in facets.options)
        await ui.press("f")
        assert not facets.display

    drive(looked, script)


def test_sorting_by_columns(looked, drive):
    async def script(ui):
        ui.app.hits_grid.chosen = [h.key for h in ui.app.found.rows.heads].index("obsid")
        await ui.press("G", "s")
        assert ui.names[0] == "obs/map0" and ui.app.current.name == "obs/map9"
        assert "▲" in ui.lines("#hits")[0]
        await ui.press("s")
        assert ui.names[0] == "obs/map11" and ui.app.question.order_text == "-obsid"
        await ui.press("s")
        assert ui.names == MAPS and not ui.app.question.order
        ui.app.hits_grid.chosen = [h.key for h in ui.app.found.rows.heads].index("tags")
        await ui.press("s")
        assert not ui.app.question.order

    drive(looked, script, size=(160, 30), query="kind == 'SimpleImage'")


def test_all_versions_and_as_of(looked, drive):
    async def script(ui):
        await ui.press("v")
        assert len(ui.names) == 18 and "all versions" in ui.text("#chips")
        await ui.press("v", "at")
        assert isinstance(ui.app.screen, Ask)
        await ui.fill("2")
        assert "as of 2" in ui.text("#chips")
        assert len(ui.names) == 14 and "cube" not in ui.names
        await ui.press("t")
        assert not isinstance(ui.app.screen, Ask)  # nobody changes the past
        await ui.press("at")
        await ui.fill("99")
        assert ui.app.question.at == "2"  # there is no such commit
        await ui.press("at")
        await ui.fill("")
        assert len(ui.names) == 17

    drive(looked, script)


def test_several_pools_at_once(looked, pool, drive):
    async def script(ui):
        assert len(ui.names) == 2 and "a + b" in ui.text("#head")
        assert ui.lines("#hits")[0].split()[0] == "pool"
        await ui.press("t")
        await ui.fill("both")
        assert [ref.name for ref in pool.tagged("both")] in ([], ["cube"])

    drive({"a": pool, "b": looked}, script, query="kind == 'SimpleCube'")


def test_columns_are_chosen_and_remembered(looked, drive):
    async def script(ui):
        await ui.press("c")
        assert isinstance(ui.app.screen, Columns)
        await ui.type("wavel")
        await ui.press("tab", "backspace", "backspace", "backspace", "backspace", "backspace")
        await ui.type("author")
        await ui.press("tab", "enter")
        heads = [head.key for head in ui.app.found.rows.heads]
        assert heads[-1] == "author" and "wavelength" not in heads
        ui.app.hits_grid.chosen = len(heads) - 1
        await ui.press("less_than_sign")
        assert [head.key for head in ui.app.found.rows.heads][-2] == "author"

    drive(looked, script, query="kind == 'SimpleImage'")

    async def again(ui):
        heads = [head.key for head in ui.app.found.rows.heads]
        assert heads[-2] == "author" and "wavelength" not in heads
        await ui.press("c", "ctrl+r", "enter")
        assert "wavelength" in [head.key for head in ui.app.found.rows.heads]

    drive(looked, again, query="kind == 'SimpleImage'")
    kept = json.loads(next(_config().glob("tui.json")).read_text())
    assert kept["columns"]["SimpleImage"] == []


def _config() -> Path:
    from skypool.config import from_environment

    found = from_environment().config
    assert found is not None
    return found


def test_what_scripts_commit_is_told(pool, drive):
    async def script(ui):
        with sp.Pool(pool.path) as other:
            other.save(sp.Product(meta={"object": "M 1"}), "new1")
            other.save(sp.Product(meta={"object": "M 2"}), "new2")
        ui.app.look_for_news()
        assert "2 new, press R" in ui.text("#head")
        assert len(ui.names) == 17
        await ui.press("j", "j", "R")
        assert len(ui.names) == 19 and "new" not in ui.text("#head")
        assert ui.app.current.name == "lines"

    drive(pool, script)


def test_searches_are_kept_and_asked(pool, drive):
    async def script(ui):
        await ui.press("o")
        assert ui.app.screen is ui.app.screen_stack[0]  # none is there yet
        ui.app.hits_grid.chosen = [h.key for h in ui.app.found.rows.heads].index("obsid")
        await ui.press("s", "s", "w")
        await ui.fill("bright")
        assert [ref.name for ref in pool.find(saved="bright")] == ui.names
        assert "pool.save_search('bright'" in ui.text("#code")
        ui.app.set_query("")
        await ui.settle()
        assert len(ui.names) > 12
        pool.save_search("as it was", "", at=1, all_versions=True)
        await ui.press("o", "enter")
        assert (ui.app.question.at, ui.app.question.all_versions) == ("1", True)
        await ui.press("o", "j", "enter")
        assert ui.app.question.at == ""
        assert ui.app.question.query == "kind == 'SimpleImage'"
        assert ui.app.question.order_text == "-obsid" and ui.names[0] == "obs/map11"

    drive(pool, script, query="kind == 'SimpleImage'")


def test_the_way_in_is_remembered(looked, drive):
    async def script(ui):
        await ui.press("p", "ctrl+left")
        await ui.type("has(obsid)")
        await ui.press("enter", "p")
        assert ui.app.screen.preset.title == "Free"

    drive(looked, script)


def test_leaving_while_something_is_asked(looked, drive):
    async def script(ui):
        ui.app.ask(ui.app.question)
        await ui.pilot.press("q")
        await ui.pilot.pause()

    drive(looked, script)


# -- looking


def details(ui) -> Details:
    return ui.app.query_one(Details)


def test_quick_look_follows_the_cursor(looked, drive):
    async def script(ui):
        await ui.press("space")
        look = ui.app.query_one(LookPage)
        assert details(ui).display and look.look.path == "image"
        assert look.look.preview.values.shape == (30, 40)
        picture = "".join(ui.lines("Picture"))
        assert picture.count("▀") > 100
        await ui.press("j")
        assert details(ui).ref.name == ui.app.current.name == "obs/map1"
        await ui.press("m", "S", "n")
        assert ui.app.query_one(Picture).colour_map == "viridis"
        assert ui.app.query_one(Picture).stretch == "linear"
        assert look.look.path == "error"
        await ui.press("space")
        assert not details(ui).display

    drive(looked, script, query="kind == 'SimpleImage'")


def test_a_pixel_and_its_place_on_the_sky(looked, drive):
    async def script(ui):
        await ui.press("space")
        picture = ui.app.query_one(Picture)
        look = ui.app.query_one(LookPage)
        look.on_picture_pointed(Picture.Pointed(14, 19))
        value = float(np.asarray(looked["obs/map0"].product["image"])[14, 19])
        words = ui.text("#words")
        assert f"[14, 19] = {value:.9g}" in words and "13h" in words and "-29" in words
        await ui.settle()
        middle = picture.size.width // 2, picture.size.height // 2
        await ui.pilot.click(Picture, offset=middle)
        await ui.settle()
        assert "[15, " in ui.text("#words") or "[14, " in ui.text("#words")

    drive(looked, script, query="kind == 'SimpleImage'")


def test_blank_pixels_are_the_background(looked, drive):
    async def script(ui):
        await ui.press("space")
        picture = ui.app.query_one(Picture)
        bottom = [line for line in ui.lines("Picture") if line.strip()]
        # The first three rows are NaN; they are at the bottom, as images of the sky are shown.
        assert len(bottom) == picture._zoom * 27 // 2 + (picture._zoom * 27 % 2)

    drive(looked, script, query="name == 'obs/map0'")


def test_planes_of_a_cube(looked, drive):
    async def script(ui):
        await ui.press("space")
        look = ui.app.query_one(LookPage)
        assert look.look.preview.plane == (2,)
        assert "plane 3 of 5, frequency 502 GHz" in ui.text("#words")
        await ui.press("right_square_bracket", "full_stop", "full_stop")
        assert look.look.preview.plane == (0,)
        await ui.press("comma")
        assert look.look.preview.plane == (4,)

    drive(looked, script, query="kind == 'SimpleCube'")


def test_spectra_and_tables_are_plotted(looked, drive):
    async def script(ui):
        await ui.press("space")
        assert "⠉" in ui.text("#plot") or "⡇" in ui.text("#plot") or "⢸" in ui.text("#plot")
        ui.app.set_query("kind == 'TableProduct'")
        await ui.settle()
        assert "flux" in ui.text("#plot") and "wave" in ui.text("#plot")
        grid = ui.app.query_one(LookPage).query_one(Grid)
        assert len(grid.rows) == 500
        assert grid.render_line(1).text.split() == ["1.0", "0.0", "row", "0"]
        await ui.press("right_square_bracket")
        assert ui.text("#plot").splitlines()[0].strip() == "wave"

    drive(looked, script, query="kind == 'Spectrum1d'")


def test_products_without_pictures_say_so(looked, drive):
    async def script(ui):
        await ui.press("space")
        assert "no image" in "".join(ui.lines("Picture"))
        await ui.press("n", "m", "S", "F", "full_stop")

    drive(looked, script, query="name == 'obs'")


def test_large_images_are_sampled_until_all_is_asked_for(tmp_path, drive, monkeypatch):
    monkeypatch.setattr("skypool.tui.widgets.look.BUDGET", 256 * 256 * 4 * 2)
    with sp.Pool(tmp_path / "large") as pool:
        pool.save(sp.Product(datasets={"image": np.ones((1024, 1024), np.float32)}), "large")

        async def script(ui):
            await ui.press("space")
            look = ui.app.query_one(LookPage)
            assert look.look.preview.read < 0.2 and "F reads all" in ui.text("#words")
            await ui.press("F")
            assert look.look.preview.read == 1 and "F reads all" not in ui.text("#words")

        drive(pool, script)


def test_the_tree_grows_as_it_is_opened(looked, drive):
    async def script(ui):
        await ui.press("enter", "2")
        tree = ui.app.query_one(ContentsPage).branches
        labels = [str(node.label) for node in tree.root.children]
        assert labels[0].startswith("obs/map0@0") and labels[-1] == "referenced by"
        assert not tree.root.children[0].children  # nothing below is loaded yet
        await ui.press("j", "l")
        below = [str(node.label) for node in tree.root.children[0].children]
        assert below[0].startswith("image") and any("cal/flat@0" in label for label in below)
        await ui.press("enter")
        assert details(ui).ref.name == "obs/map0"
        await ui.press("2")
        node = tree.root.children[-1]
        node.expand()
        await ui.settle()
        assert str(node.children[0].label).startswith("obs@0")
        await ui.press("backspace")
        assert details(ui).ref.name == "obs"
        await ui.press("escape")
        assert ui.app.focused is ui.app.hits_grid

    drive(looked, script, query="name == 'obs'")


def test_a_dataset_of_the_tree_is_looked_at(looked, drive):
    async def script(ui):
        await ui.press("enter", "2", "j", "j", "enter")
        assert details(ui).page.title == "Look"
        assert ui.app.query_one(LookPage).look.path == "error"

    drive(looked, script, query="name == 'obs/map0'")


def test_metadata_is_filtered_and_used(looked, drive):
    async def script(ui):
        await ui.press("enter", "3")
        page = ui.app.query_one(MetadataPage)
        assert any("PHOTFLAM" in row.name for row in page._shown)
        await ui.press("i")
        await ui.type("wavelen")
        assert page._shown[0].name == "wavelength"
        await ui.press("enter", "c", "enter")
        assert "wavelength == '70.0 um'" in ui.app.question.query
        assert len(ui.names) == 6 and not ui.app.has_class("open")

    drive(looked, script, query="name == 'obs/map3' or kind == 'SimpleImage'")


def test_a_key_becomes_a_column(looked, drive):
    async def script(ui):
        await ui.press("enter", "3", "i")
        await ui.type("PHOTFLAM")
        await ui.press("enter", "c", "escape")
        heads = [head.key for head in ui.app.found.rows.heads]
        assert heads[-1] == "PHOTFLAM"
        assert ui.app.found.rows.cells(0, 1)[0][-1] == "2e-19"

    drive(looked, script, query="kind == 'SimpleImage'")


def test_headers_of_files(pool, tmp_path, drive):
    from astropy.io import fits

    hdus = fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(np.zeros((3, 4)), name="SCI")])
    hdus[1].header["OBJECT"] = ("M 83", "target")
    hdus.writeto(tmp_path / "a.fits")
    pool.add(tmp_path / "a.fits", name="file")

    async def script(ui):
        await ui.press("enter", "4")
        assert "0 Primary" in ui.text("#hdu")
        await ui.press("right_square_bracket", "i")
        await ui.type("object")
        grid = ui.app.query_one(HeaderPage).query_one(Grid)
        assert grid.rows.cells(0, 1) == [("OBJECT", "M 83", "target")]
        await ui.press("escape", "escape")
        ui.app.set_query("kind == 'SimpleCube'")
        await ui.settle()
        await ui.press("enter")
        assert "no FITS file" in ui.text("#hdu")

    drive(pool, script, query="name == 'file'")


def test_versions_are_compared(looked, drive):
    async def script(ui):
        await ui.press("enter", "5")
        page = ui.app.query_one(VersionsPage)
        assert "~ object: M 83 → M 83 north" in ui.text("#difference")
        await ui.press("j")
        assert "first version" in ui.text("#difference")
        await ui.press("b", "k")
        assert "@0 → obs/map3@1" in ui.text("#difference")
        await ui.press("j", "enter")
        assert details(ui).ref.version == 0 and page.display
        await ui.press("6")
        assert "first light" in ui.text("#sections") and "Referenced by (1)" in ui.text("#sections")

    drive(looked, script, query="name == 'obs/map3'")


def test_versions_blink_by_the_same_limits(pool, drive):
    brighter = pool["obs/map3"].product
    values = np.array(brighter["image"][:])
    values[10:20, 10:20] += 5
    pool.save(brighter.replace(datasets={"image": values}), "obs/map3")

    async def script(ui):
        await ui.press("space")
        page = ui.app.query_one(LookPage)
        now = page.look.preview
        await ui.press("B")
        before = page.look.preview
        assert "obs/map3@1" in ui.text("#words")
        assert (before.low, before.high) == (now.low, now.high)
        assert np.nanmax(before.values) < np.nanmax(now.values) - 3
        await ui.press("B")
        assert "obs/map3@" not in ui.text("#words")
        assert np.array_equal(page.look.preview.values, now.values, equal_nan=True)
        await ui.press("enter", "5", "j", "j", "b", "k", "k", "B")
        assert "obs/map3@0" in ui.text("#words")

    drive(pool, script, query="name == 'obs/map3'")


@pytest.mark.parametrize("number", range(1, len(PAGES) + 1))
def test_every_page_of_every_sort_of_product(looked, drive, number):
    async def script(ui):
        await ui.press("space", str(number))
        for name in ui.names:
            assert details(ui).ref.name == name
            assert not ui.app.query_one("#trouble").display
            await ui.press("j")

    drive(looked, script, query="kind != 'SimpleImage' or name == 'obs/map3'")


def test_damage_is_told_in_its_place(pool, drive):
    (pack,) = (Path(pool.path) / "packs").iterdir()
    data = pack.read_bytes()
    pack.write_bytes(data[:64] + bytes(len(data) - 64))

    async def script(ui):
        assert ui.names == MAPS  # the catalogue is sound
        await ui.press("space", "1")
        assert "chunk" in str(ui.app.query_one("#trouble").content)
        assert ui.app.query_one("#trouble").display
        await ui.press("5")
        assert not ui.app.query_one("#trouble").display

    drive(pool, script, query="kind == 'SimpleImage'")


def test_what_fails_in_a_library_leaves_the_browser(looked, drive, monkeypatch):
    def fail(ref):
        raise RuntimeError("of a library")

    monkeypatch.setattr("skypool.tui.sheets.metadata", fail)

    async def script(ui):
        await ui.pilot.press("space", "3")
        for _ in range(1000):
            await ui.pilot.pause()
            if ui.app.query_one("#trouble").display:
                break
        assert "cannot be made" in str(ui.app.query_one("#trouble").content)
        await ui.press("1")
        assert not ui.app.query_one("#trouble").display

    drive(looked, script, query="kind == 'SimpleCube'")


def test_narrow_terminals_show_one_thing_at_a_time(looked, drive):
    async def script(ui):
        assert ui.app.query_one("#hits").size.width > 40
        await ui.press("space")
        assert not ui.app.query_one("#hits").display
        assert details(ui).size.width > 40
        await ui.pilot.resize_terminal(160, 40)
        await ui.settle()
        assert ui.app.query_one("#hits").display

    drive(looked, script, size=(80, 24), query="kind == 'SimpleImage'")


# -- doing


def test_tags_of_a_selection_and_undo(pool, drive):
    async def script(ui):
        await ui.press("x", "x", "j", "x", "t")
        assert "Tag 3 products" in str(ui.app.screen.query_one(".title").render())
        await ui.fill("good, -checked")
        assert [ref.name for ref in pool.tagged("good")] == [MAPS[0], MAPS[1], MAPS[3]]
        assert "pool.tag(ref, 'good')" in ui.text("#code")
        await ui.press("u")
        assert not pool.tagged("good")
        await ui.press("u")  # nothing more to undo

    drive(pool, script, query="kind == 'SimpleImage'")


def test_all_that_match_are_tagged(pool, drive):
    async def script(ui):
        await ui.press("ctrl+a")
        assert "12 selected" in ui.text("#head")
        await ui.press("x", "t")
        await ui.fill("most")
        assert len(pool.tagged("most")) == 11
        await ui.press("shift+down", "shift+down")
        assert "3 selected" in ui.text("#head")
        await ui.press("escape")
        assert "selected" not in ui.text("#head")

    drive(pool, script, query="kind == 'SimpleImage'")


def test_rename_keeps_the_cursor(pool, drive):
    async def script(ui):
        await ui.press("j", "j", "r")
        await ui.fill("zzz/renamed")
        assert "zzz/renamed" in pool and ui.app.current.name == "zzz/renamed"
        await ui.press("r")
        await ui.fill("bad//name")
        assert "zzz/renamed" in pool
        await ui.press("u")
        assert "obs/map10" in pool and ui.app.current.name == "obs/map10"

    drive(pool, script, query="kind == 'SimpleImage'")


def test_remove_asks_and_can_be_undone(pool, drive):
    async def script(ui):
        await ui.press("d")
        assert isinstance(ui.app.screen, Confirm)
        await ui.press("n")
        assert "cube" in pool
        await ui.press("d", "y")
        assert "cube" not in pool and len(ui.names) == 0
        await ui.press("u")
        assert ui.names == ["cube"]

    drive(pool, script, query="kind == 'SimpleCube'")


def test_export_into_a_folder(pool, tmp_path, drive):
    async def script(ui):
        await ui.press("ctrl+a", "e")
        await ui.fill(str(tmp_path / "out"))
        assert len(list((tmp_path / "out").rglob("*.fits"))) == 12
        await ui.press("e")
        await ui.fill(str(tmp_path / "out"))  # the files are there: refused, and told
        assert ui.app.is_running and not ui.app.job

    drive(pool, script, query="kind == 'SimpleImage'")


def test_products_are_sent(pool, tmp_path, drive, monkeypatch):
    from skypool.vo import Sender, Target

    ds9 = Target("samp:c1", "SAOImage DS9", "samp", ("image", "cube"))
    monkeypatch.setattr(Sender, "targets", lambda self: [ds9])

    async def script(ui):
        await ui.press("z")
        assert isinstance(ui.app.screen, Choose)
        assert "takes images and cubes, and this is table" in str(ui.app.screen._entries)
        await ui.press("enter")  # nothing is sent to what does not take it
        assert not ui.app.job and ui.app.screen is ui.app.screen_stack[0]
        await ui.press("z", "j", "j", "enter")
        await ui.fill(str(tmp_path / "lines.fits"))
        assert (tmp_path / "lines.fits").exists()
        assert ui.app.code_line == f"pool['lines'].send('file:{tmp_path / 'lines.fits'}')"
        await ui.press("z", "j", "enter")
        await ui.fill(str(tmp_path / "copies"))
        with sp.Pool(tmp_path / "copies", "r") as copies:
            assert copies["lines"].hash == pool["lines"].hash
        await ui.press("z", "j", "j", "enter")
        await ui.fill(str(tmp_path / "lines.fits"))  # it is there: refused, and told
        assert any("nothing arrived" in note.message for note in ui.app._notifications)

    drive(pool, script, query="name == 'lines'")


def test_an_export_is_stopped_by_escape(pool, tmp_path, drive, monkeypatch):
    reached, go_on = threading.Event(), threading.Event()
    export = type(pool).export

    def slow(self, ref, folder, **options):
        report = export(self, ref, folder, **options)
        reached.set()
        assert go_on.wait(60)
        return report

    monkeypatch.setattr(type(pool), "export", slow)

    async def script(ui):
        await ui.press("ctrl+a", "e")
        ui.app.focused.value = str(tmp_path / "out")
        await ui.pilot.press("enter")
        assert await asyncio.to_thread(reached.wait, 60)
        await ui.pilot.press("escape")
        go_on.set()
        await ui.settle()
        assert len(list((tmp_path / "out").rglob("*.fits"))) == 1 and not ui.app.job

    drive(pool, script, query="kind == 'SimpleImage'")


def test_read_only_changes_nothing(pool, drive):
    async def script(ui):
        for key in ("t", "r", "d", "u"):
            await ui.press(key)
            assert ui.app.screen is ui.app.screen_stack[0]
        assert "read only" in ui.text("#head")

    drive(pool, script, read_only=True)


def test_the_code_is_copied(looked, drive):
    async def script(ui):
        await ui.press("y")
        assert isinstance(ui.app.screen, Code)
        await ui.press("down", "y")
        assert ui.app.clipboard.startswith("skypool find \"kind == 'SimpleCube'\" -p ")

    drive(looked, script, query="kind == 'SimpleCube'")


def test_help_names_every_key(looked, drive):
    async def script(ui):
        await ui.press("question_mark")
        assert isinstance(ui.app.screen, Help)
        await ui.press("escape")
        assert ui.app.screen is ui.app.screen_stack[0]

    drive(looked, script)
