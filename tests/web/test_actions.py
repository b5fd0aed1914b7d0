"""What can be done with products, driven as a user would: menu, dialogs, keys, jobs, undo."""

from __future__ import annotations

import json
import queue
import re
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from astropy.io import fits
from playwright.sync_api import Page
from tests.web.conftest import Visitor
from tests.web.looking import code, count_is, expect, filled, grid, query, rows
from tests.web.products import MAPS
from tests.web.test_details import details, panel
from tests.web.test_page import AXE, audit, shot, without_node

import skypool as sp

MAPS_ONLY = "#pools=%5B%22maps%22%5D"


@dataclass(frozen=True)
class Target:
    id: str
    name: str
    kind: str = "samp"
    accepts: tuple[str, ...] = ("image",)
    alive: bool = True
    start: str = ""


class Receiver:
    """Stands for what hears other programs."""

    def __init__(self, pool: sp.Pool, under: str) -> None:
        self.pool, self.under, self.connected = pool, under, True
        self.sent: queue.Queue[str] = queue.Queue()

    def __enter__(self) -> Receiver:
        return self

    def __exit__(self, *_: object) -> None:
        self.connected = False

    def wait(self, seconds: float) -> Any:
        try:
            name = self.sent.get(timeout=seconds)
        except queue.Empty:
            return None
        ref = self.pool.save(sp.Product("SimpleImage"), name=f"{self.under}/{name}")
        return SimpleNamespace(ref=ref, sender="Aladin", problem="")


class Sender:
    """Stands where programs would be."""

    receiving: Receiver

    def __init__(self) -> None:
        self.sent: list[tuple[list[str], str, dict[str, Any]]] = []

    def targets(self) -> list[Target]:
        return [
            Target("samp:c1", "Aladin", accepts=("image", "cube", "table")),
            Target("samp:c2", "SAOImage DS9", accepts=("image", "cube")),
            Target("samp:c3", "topcat", accepts=("table", "spectrum")),
            Target("program:vospec", "VOSpec", "program", ("spectrum",), alive=False),
        ]  # fmt: skip

    def send(self, refs: Any, target: str, progress: Any, **options: Any) -> list[Any]:
        refs = list(refs)
        self.sent.append(([ref.name for ref in refs], target, options))
        names = {each.id: each.name for each in self.targets()}
        return [
            SimpleNamespace(
                ref=ref.name, urn=ref.urn, target=target, name=names.get(target, target),
                state="arrived", detail="", mtype="", url="", offers=(),
            )
            for ref in refs
        ]  # fmt: skip

    def receiver(self, pool: sp.Pool, *, under: str) -> Receiver:
        self.receiving = Receiver(pool, under)
        return self.receiving

    def close(self) -> None:
        """There is nothing to close."""


@dataclass
class Place:
    page: Page
    pool: sp.Pool
    sender: Sender
    served: Any

    def at(self, row: int) -> str:
        """Select a row; return the name of its product."""
        rows(self.page).nth(row).click()
        ref = rows(self.page).nth(row).get_attribute("data-ref") or ""
        expect(details(self.page).get_by_role("heading", level=2).first).to_be_visible()
        return self.pool.view.number(int(ref.rpartition("/")[2])).name

    def menu(self, row: int, *entries: str) -> str:
        """Choose from the menu of a row; return the name of its product."""
        name = self.at(row)
        rows(self.page).nth(row).click(button="right")
        for entry in entries:
            self.page.get_by_role("menuitem", name=entry, exact=True).click()
        return name

    def said(self, text: str) -> Any:
        found = self.page.get_by_role("log", name="Messages").locator(".message")
        found = found.filter(has_text=text).last
        expect(found).to_be_visible()
        return found

    def dialog(self, name: str | re.Pattern[str]) -> Any:
        found = self.page.get_by_role("dialog", name=name)
        expect(found).to_be_visible()
        return found


@pytest.fixture
def place(visitor: Visitor, own_pools: dict[str, Path]) -> Iterator[Place]:
    served = visitor.serve(own_pools["maps"], own_pools["observations"])
    sender = Sender()
    served.application.context.senders = sender
    page = visitor.open(served, MAPS_ONLY)
    filled(page)
    with sp.Pool(own_pools["maps"]) as pool:
        yield Place(page, pool, sender, served)


# -- the menu


HIPES = [
    "Open", "Open With", "Send to", "Create variable", "Show contents", "Show methods",
    "Rename…", "Delete", "Export FITS…", "Save Products to Pool…", "Copy path", "Tags…",
]  # fmt: skip


def test_the_menu_has_hipes_entries(place: Place) -> None:
    place.menu(0)
    menu = place.page.get_by_role("menu", name="Product")
    for entry in HIPES:
        expect(menu.get_by_role("menuitem", name=entry, exact=True)).to_be_enabled()
    menu.get_by_role("menuitem", name="Send to").click()
    targets = place.page.get_by_role("menu", name="Send to")
    for entry in ("Aladin", "SAOImage DS9", "Local pool", "FITS file", "Text file"):
        expect(targets.get_by_role("menuitem", name=entry)).to_be_enabled()
    tables = targets.get_by_role("menuitem", name="topcat (takes tables and spectra only)")
    expect(tables).to_be_disabled()
    expect(targets.get_by_role("menuitem", name="VOSpec")).to_be_disabled()
    shot(place.page, "actions-menu")
    place.page.keyboard.press("Escape")
    expect(targets).to_have_count(0)
    place.page.keyboard.press("Escape")
    expect(menu).to_have_count(0)


def test_the_menu_by_keys(place: Place) -> None:
    place.at(1)
    grid(place.page).focus()
    place.page.keyboard.press("Shift+F10")
    menu = place.page.get_by_role("menu", name="Product")
    expect(menu.get_by_role("menuitem", name="Open", exact=True)).to_be_focused()
    place.page.keyboard.press("ArrowDown")
    place.page.keyboard.press("ArrowRight")
    expect(place.page.get_by_role("menuitem", name="Image", exact=True)).to_be_focused()
    place.page.keyboard.press("h")
    expect(place.page.get_by_role("menuitem", name="Header", exact=True)).to_be_focused()
    place.page.keyboard.press("Enter")
    expect(details(place.page).get_by_role("tab", name="Header")).to_have_attribute(
        "aria-selected", "true"
    )


@pytest.mark.parametrize(
    ("entries", "tab"),
    [
        (("Open",), "Preview"),
        (("Open With", "Image"), "Preview"),
        (("Open With", "Metadata"), "Metadata"),
        (("Open With", "Tree"), "Contents"),
        (("Show contents",), "Contents"),
        (("Show versions",), "Versions"),
    ],
)
def test_open_and_open_with(place: Place, entries: tuple[str, ...], tab: str) -> None:
    place.menu(0, *entries)
    expect(details(place.page).get_by_role("tab", name=tab)).to_have_attribute(
        "aria-selected", "true"
    )


def test_open_with_what_there_is_not(place: Place) -> None:
    name = place.menu(1, "Open With", "Table")
    place.said(f"{name} has no table")


def test_create_variable_and_copy_path(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    home = place.served.application.context.settings.home
    monkeypatch.setenv("SKYPOOL_HOME", str(home))
    place.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    name = place.menu(1, "Create variable")
    place.said("the line of Python is on the clipboard")
    names: dict[str, Any] = {"skypool": sp}
    exec(place.page.evaluate("navigator.clipboard.readText()"), names)
    assert names["product"].kind == place.pool[name].kind
    expect(code(place.page)).to_contain_text("product = skypool.Pool(")
    place.menu(1, "Copy path")
    place.said(f"copied: {name}")
    assert place.page.evaluate("navigator.clipboard.readText()") == name


def test_show_methods(place: Place) -> None:
    place.menu(1, "Show methods")
    dialog = place.dialog("Methods")
    dialog.get_by_role("searchbox").fill("changed copy")
    expect(dialog).to_contain_text("product.replace(")
    expect(dialog).not_to_contain_text("ref.parents")


# -- changes and their undo


def test_tags_with_completion_mixed_state_and_undo(place: Place) -> None:
    query(place.page).fill("kind == 'SimpleImage' and odNumber < 125")
    query(place.page).press("Enter")
    expect(code(place.page)).to_contain_text("odNumber < 125")
    place.at(0)
    place.page.get_by_role("button", name=re.compile("Select all")).click()
    place.page.get_by_role("toolbar", name="Selection").get_by_role("button", name="Tags…").click()
    dialog = place.dialog(re.compile("Tags of"))
    mixed = dialog.get_by_role("checkbox", name="using cal v1")
    expect(mixed).to_be_visible()
    assert mixed.evaluate("e => e.indeterminate")
    shot(place.page, "actions-tags")
    field = dialog.get_by_role("combobox", name="Add a tag")
    field.fill("publ")
    expect(dialog.get_by_role("option", name=re.compile("published"))).to_be_visible()
    field.press("ArrowDown")
    field.press("Enter")
    field.fill("quite new")
    field.press("Enter")
    dialog.get_by_role("button", name="Apply").click()
    message = place.said("tag ")
    found = len(place.pool.find("kind == 'SimpleImage' and odNumber < 125"))
    assert place.pool.tags["quite new"] == found
    assert place.pool.tags["published"] > found
    expect(code(place.page)).to_contain_text("with pool.commit(")
    message.get_by_role("button", name="Undo").click()
    place.said("undo: tag")
    assert "quite new" not in place.pool.tags


def test_untag(place: Place) -> None:
    query(place.page).fill("tagged('published')")
    query(place.page).press("Enter")
    expect(rows(place.page)).to_have_count(3)
    name = place.at(0)
    grid(place.page).focus()
    place.page.keyboard.press("t")
    dialog = place.dialog("Tags of 1 product")
    dialog.get_by_role("checkbox", name="published").uncheck()
    dialog.get_by_role("button", name="Apply").click()
    place.said("take tags from 1 product: published")
    assert "published" not in place.pool[name].tags


def test_rename_in_place_and_undo_by_key(place: Place) -> None:
    name = place.at(1)
    grid(place.page).focus()
    place.page.keyboard.press("F2")
    field = place.dialog("Rename").get_by_label("New name")
    expect(field).to_have_value(name)
    selected = "e => e.value.slice(e.selectionStart, e.selectionEnd)"
    assert field.evaluate(selected) == name.rpartition("/")[2]
    field.fill("renamed/first")
    field.press("Enter")
    place.said(f"rename {name} to renamed/first")
    expect(details(place.page).get_by_role("heading", level=2).first).to_contain_text(
        "renamed/first"
    )
    assert "renamed/first" in place.pool
    expect(code(place.page)).to_contain_text(".rename(")
    grid(place.page).focus()
    place.page.keyboard.press("Control+Z")
    place.said("undo: rename")
    assert name in place.pool
    # What was undone does not offer it any more.
    expect(place.page.get_by_role("button", name="Undo", exact=True)).to_have_count(1)


def test_a_name_that_is_taken_is_refused(place: Place) -> None:
    place.menu(1, "Rename…")
    place.dialog("Rename").get_by_label("New name").fill("maps/0050")
    place.page.keyboard.press("Enter")
    place.said("the name 'maps/0050' is taken")


def test_remove_trash_and_restore(place: Place) -> None:
    before = len(place.pool)
    name = place.at(2)
    grid(place.page).focus()
    place.page.keyboard.press("Delete")
    dialog = place.dialog("Remove 1 product from the pool")
    expect(dialog.get_by_role("list", name="What will be removed")).to_contain_text(name)
    dialog.get_by_role("button", name="Remove").click()
    place.said("removed 1 product")
    count_is(place.page, before - 1)
    expect(place.page.get_by_text("nothing selected")).to_be_visible()
    place.page.keyboard.press("Control+K")
    place.dialog("Commands").get_by_role("combobox").fill("removed products")
    place.page.keyboard.press("Enter")
    trash = place.dialog("Removed products")
    trash.get_by_label(f"Restore {name}").check()
    shot(place.page, "actions-trash")
    trash.get_by_role("button", name="Restore 1").click()
    expect(trash).to_contain_text("Nothing is removed")
    place.page.keyboard.press("Escape")
    count_is(place.page, before)
    assert name in place.pool


def test_remove_with_child_products_and_confirmation(visitor: Visitor, place: Place) -> None:
    pool = place.served.application.context.pools["observations"]
    number = pool["1342182452"].number
    page = visitor.open(
        place.served, f"#query=kind%3D%3D'ObservationContext'&ref=observations%2F{number}"
    )
    count_is(page, 1)
    rows(page).first.click()
    details(page).get_by_role("button", name="Actions").click()
    page.get_by_role("menuitem", name="Delete").click()
    dialog = page.get_by_role("dialog", name="Remove 1 product from the pool")
    expect(dialog).to_contain_text("1 product will be removed")
    dialog.get_by_label("Also remove child products").check()
    expect(dialog).to_contain_text(
        "the full observation (including child products) will be deleted"
    )
    expect(dialog).to_contain_text("32 products will be removed")
    expect(dialog.get_by_role("button", name="Remove")).to_be_disabled()
    dialog.get_by_label("Type 32 to confirm").fill("32")
    shot(page, "actions-remove")
    dialog.get_by_role("button", name="Remove").click()
    expect(page.get_by_role("log", name="Messages")).to_contain_text("removed 32 products")
    assert len(pool) == 0


def test_undo_of_what_another_changed_is_refused(place: Place) -> None:
    name = place.at(1)
    place.menu(1, "Rename…")
    place.dialog("Rename").get_by_label("New name").fill("mine")
    place.page.keyboard.press("Enter")
    message = place.said(f"rename {name} to mine")
    place.pool.rename("mine", "theirs")
    message.get_by_role("button", name="Undo").click()
    place.said("'theirs' was changed since by")
    assert "theirs" in place.pool


# -- out


def test_export_to_a_folder(place: Place, tmp_path: Path) -> None:
    name = place.at(1)
    grid(place.page).focus()
    place.page.keyboard.press("e")
    dialog = place.dialog("Export 1 product")
    dialog.get_by_label(re.compile("a folder of the")).check()
    dialog.get_by_label("Folder", exact=True).fill(str(tmp_path / "out"))
    shot(place.page, "actions-export")
    dialog.get_by_role("button", name="Export").click()
    place.said(f"wrote 1 file to {tmp_path / 'out'}")
    (file,) = (tmp_path / "out").iterdir()
    assert file.name == f"{name.rpartition('/')[2]}.fits"
    with fits.open(file) as opened:
        assert len(opened) > 1
    expect(code(place.page)).to_contain_text("export(")


def test_export_as_a_zip_file(place: Place) -> None:
    # A download has the cookie that the address with the token gives, not the header of a test.
    place.page.goto(f"{place.served.base}?token={place.served.token}")
    place.page.goto(place.served.base + MAPS_ONLY)
    filled(place.page)
    place.at(1)
    rows(place.page).nth(2).click(modifiers=["Control"])
    place.page.get_by_role("toolbar", name="Selection").get_by_role("button", name="Export").click()
    dialog = place.dialog("Export 2 products")
    with place.page.expect_download() as told:
        dialog.get_by_role("button", name="Download").click()
    with zipfile.ZipFile(told.value.path()) as opened:
        assert len(opened.namelist()) == 2
        assert opened.testzip() is None


def test_save_products_to_pool(place: Place) -> None:
    name = place.menu(1, "Save Products to Pool…")
    dialog = place.dialog("Save Products to Pool")
    dialog.get_by_label("Select Pool").select_option("a new pool…")
    dialog.get_by_label("Name or path of the new pool").fill("temp1")
    dialog.get_by_label("Tags", exact=True).fill("using cal v3")
    dialog.get_by_label("Tags", exact=True).press("Enter")
    shot(place.page, "actions-save")
    dialog.get_by_role("button", name="Save").click()
    place.said("saved 1 product to temp1")
    with sp.Pool(Path(place.served.application.context.settings.home, "temp1"), "r") as other:
        assert "using cal v3" in other[name].tags
        assert other[name].hash == place.pool[name].hash
    expect(place.page.get_by_role("region", name="Search", exact=True)).to_contain_text("temp1")


def test_send_to_a_program_and_a_text_file(place: Place, tmp_path: Path) -> None:
    name = place.menu(1, "Send to", "SAOImage DS9")
    dialog = place.dialog("Send 1 product")
    dialog.get_by_label("Dataset").select_option("image")
    dialog.get_by_role("button", name="Send").click()
    place.said("sent 1 product to SAOImage DS9")
    assert place.sender.sent[0][:2] == ([name], "samp:c2")
    assert place.sender.sent[0][2]["dataset"] == "image"
    place.menu(1, "Send to", "Text file")
    dialog = place.dialog("Send 1 product")
    dialog.get_by_label(re.compile("Path of the file")).fill(str(tmp_path / "t.txt"))
    dialog.get_by_role("button", name="Send").click()
    # What was sent before is told in the same words, but for the place.
    place.said(f"sent 1 product to text:{tmp_path / 't.txt'}")
    assert place.sender.sent[1][1] == f"text:{tmp_path / 't.txt'}"


def test_what_a_program_does_not_take_is_said(visitor: Visitor, place: Place) -> None:
    page = visitor.open(place.served, "#query=name%3D%3D'tables/sources'")
    count_is(page, 1)
    rows(page).first.click()
    rows(page).first.click(button="right")
    page.get_by_role("menuitem", name="Send to").click()
    ds9 = page.get_by_role("menuitem", name="SAOImage DS9 (takes images and cubes only)")
    expect(ds9).to_be_disabled()
    expect(page.get_by_role("menuitem", name="topcat", exact=True)).to_be_enabled()
    shot(page, "actions-send-menu")
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    grid(page).focus()
    page.keyboard.press("s")
    dialog = page.get_by_role("dialog", name="Send 1 product")
    expect(dialog.get_by_label("To", exact=True)).to_have_value("samp:c1")
    option = dialog.locator("option", has_text="takes images and cubes only")
    expect(option).to_be_disabled()


def test_sending_a_context_is_warned(visitor: Visitor, place: Place) -> None:
    page = visitor.open(place.served, "#query=kind%3D%3D'ObservationContext'")
    count_is(page, 1)
    rows(page).first.click()
    grid(page).focus()
    page.keyboard.press("s")
    dialog = page.get_by_role("dialog", name="Send 1 product")
    expect(dialog).to_contain_text("Contexts normally contain no data and should not be sent")


# -- in


def test_what_other_programs_send_is_received(place: Place) -> None:
    page = place.page
    grid(page).press("a")
    place.dialog("Add files").get_by_role("button", name="Receive into maps").click()
    going = page.get_by_role("region", name="Running jobs")
    expect(going).to_contain_text("receive from other programs into maps: waiting")
    place.sender.receiving.sent.put("m51.fits")
    said = place.said("received received/m51.fits from Aladin")
    expect(going).to_contain_text("m51.fits from Aladin")
    said.get_by_role("button", name="Refresh").click()
    count_is(page, MAPS + 4)
    shot(page, "actions-receiving")
    going.get_by_role("button", name="End: receive from other programs into maps").click()
    place.said("received 1 product")
    expect(going).to_have_count(0)
    assert not place.sender.receiving.connected


def test_an_answer_that_comes_late_hides_no_progress(place: Place) -> None:
    page = place.page
    late: list[tuple[Any, Any]] = []
    page.route("**/api/v1/jobs", lambda route: late.append((route, route.fetch())))
    grid(page).press("a")
    place.dialog("Add files").get_by_role("button", name="Receive into maps").click()
    going = page.get_by_role("region", name="Running jobs")
    expect(going).to_contain_text("receive from other programs into maps: waiting")
    ((route, answer),) = late
    job = answer.json()["job"] | {"state": "waiting", "name": ""}  # as it was when it was made
    route.fulfill(response=answer, json={"job": job})
    expect(page.get_by_role("region", name="Code", exact=True)).to_contain_text("Receiver(")
    expect(going).to_contain_text("receive from other programs into maps: waiting")
    going.get_by_role("button", name="End: receive from other programs into maps").click()
    expect(going).to_have_count(0)


def test_add_a_folder_and_undo(place: Place, tmp_path: Path) -> None:
    folder = tmp_path / "new files"
    (folder / "inner").mkdir(parents=True)
    (folder / "a.txt").write_text("text")
    fits.writeto(folder / "inner" / "b.fits", place.pool["maps/0003"]["image"][:])
    place.page.keyboard.press("a")
    dialog = place.dialog("Add files")
    dialog.get_by_label("A folder").set_input_files(folder)
    expect(dialog.get_by_role("status").first).to_contain_text("2 files")
    dialog.get_by_label("Below the name").fill("added")
    dialog.get_by_label("Pool", exact=True).select_option("maps")
    shot(place.page, "actions-add")
    dialog.get_by_role("button", name="Add").click()
    message = place.said("added 4 products")
    assert Path(place.pool["added/new files/a.txt"].path).read_text() == "text"
    assert place.pool["added/new files/inner/b.fits"].kind == "SimpleImage"
    message.get_by_role("button", name="Undo").click()
    place.said("undo: add")
    assert "added/new files" not in place.pool


def test_add_by_paths_of_the_server(place: Place, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("text")
    place.page.keyboard.press("a")
    dialog = place.dialog("Add files")
    dialog.get_by_label(re.compile("Or paths")).fill(str(tmp_path / "notes.txt"))
    dialog.get_by_label("Pool", exact=True).select_option("maps")
    dialog.get_by_role("button", name="Add").click()
    place.said("added 1 product")
    assert "notes.txt" in place.pool


def test_files_are_dropped(place: Place) -> None:
    drop = """type => {
        const data = new DataTransfer();
        data.items.add(new File(['dropped text'], 'dropped.txt'));
        const event = new DragEvent(type, {dataTransfer: data, bubbles: true, cancelable: true});
        document.querySelector('main').dispatchEvent(event);
    }"""
    place.page.evaluate(drop, "dragenter")
    expect(place.page.get_by_text("Drop files or folders to add them")).to_be_visible()
    shot(place.page, "actions-drop")
    place.page.evaluate(drop, "drop")
    dialog = place.dialog("Add files")
    expect(dialog.get_by_role("status").first).to_contain_text("1 file")
    dialog.get_by_label("Pool", exact=True).select_option("maps")
    dialog.get_by_role("button", name="Add").click()
    place.said("added 1 product")
    assert Path(place.pool["dropped.txt"].path).read_text() == "dropped text"


def test_an_upload_tells_of_each_file_and_can_be_given_up(place: Place, tmp_path: Path) -> None:
    names = ["first.txt", "second.txt", "third.txt"]
    for name in names:
        (tmp_path / name).write_text(f"text of {name}")
    held: dict[str, Any] = {}

    def hold(route: Any) -> None:
        if route.request.method == "PUT":
            held[route.request.url.rpartition("/")[2]] = route
        else:
            route.continue_()

    place.page.route("**/files/*", hold)
    place.page.keyboard.press("a")
    dialog = place.dialog("Add files")
    dialog.get_by_label("Files", exact=True).set_input_files([tmp_path / name for name in names])
    dialog.get_by_label("Pool", exact=True).select_option("maps")
    dialog.get_by_role("button", name="Add").click()
    sending = place.dialog("Upload")
    listed = sending.get_by_role("list", name="Files").get_by_role("listitem")
    expect(listed).to_have_count(3)
    for name in names:
        expect(sending.get_by_role("progressbar", name=name)).to_be_visible()
    expect(sending.get_by_role("status")).to_contain_text("0 of 3 files")
    while len(held) < 3:  # requests are heard of while the page is asked something
        place.page.evaluate("0")
    held.pop("first.txt").continue_()
    expect(listed.nth(0)).to_contain_text("sent")
    held.pop("second.txt").fulfill(
        status=409, body=json.dumps({"error": {"code": "conflict", "message": "no room left"}})
    )
    expect(listed.nth(1)).to_contain_text("no room left")
    shot(place.page, "actions-upload")
    sending.get_by_role("button", name="Go on in the background").click()
    line = place.page.get_by_role("region", name="Running jobs")
    expect(line).to_contain_text("sending 1 of 3 files")
    line.get_by_role("button", name="Files").click()
    sending.get_by_role("button", name="Leave out third.txt").click()
    expect(sending.get_by_role("status")).to_contain_text("1 file could not be sent")
    sending.get_by_role("button", name="Add the others").click()
    place.said("added 1 product")
    assert "first.txt" in place.pool
    assert "third.txt" not in place.pool


def test_an_upload_is_given_up(place: Place, tmp_path: Path) -> None:
    (tmp_path / "first.txt").write_text("text")
    held: list[Any] = []
    place.page.route("**/files/*", lambda route: held.append(route))
    place.page.keyboard.press("a")
    dialog = place.dialog("Add files")
    dialog.get_by_label("Files", exact=True).set_input_files(tmp_path / "first.txt")
    dialog.get_by_role("button", name="Add").click()
    place.dialog("Upload").get_by_role("button", name="Cancel", exact=True).click()
    place.said("the upload was given up; nothing was added")
    expect(place.page.get_by_role("region", name="Running jobs")).to_have_count(0)


# -- jobs, palette, help


def test_jobs_with_progress_and_cancel(place: Place) -> None:
    stuck = {
        "id": "900", "action": "verify", "state": "running", "done": 30, "total": 100,
        "unit": "products", "text": "verify maps", "name": "", "errors": [], "result": None,
        "code": None, "undo": False, "download": False, "began": 0,
    }  # fmt: skip
    hub = place.served.application.context.hub
    end = time.monotonic() + 60
    while not hub._queues:  # the page listens soon
        assert time.monotonic() < end
        place.page.wait_for_timeout(20)
    hub.publish("job", stuck)
    running = place.page.get_by_role("region", name="Running jobs")
    expect(running).to_contain_text("30 of 100 products")
    expect(running.get_by_role("progressbar")).to_have_attribute("value", "30")
    deleted: list[str] = []

    def answer(route: Any) -> None:
        deleted.append(route.request.method)
        route.fulfill(status=200, body=json.dumps({"job": stuck}))

    place.page.route("**/jobs/900", answer)
    running.get_by_role("button", name="Cancel: verify maps").click()
    expect(running).to_be_visible()
    hub.publish("job", stuck | {"state": "cancelled"})
    expect(running).to_have_count(0)
    assert deleted == ["DELETE"]


def test_verify_and_the_list_of_jobs(place: Place) -> None:
    place.page.keyboard.press("Control+K")
    place.dialog("Commands").get_by_role("combobox").fill("verify every byte of maps")
    place.page.keyboard.press("Enter")
    place.said("every stored byte is as it was written")
    place.page.keyboard.press("Control+K")
    place.dialog("Commands").get_by_role("combobox").fill("jobs")
    place.page.keyboard.press("Enter")
    jobs = place.dialog("Jobs").get_by_role("list", name="Jobs")
    expect(jobs).to_contain_text("every stored byte")
    expect(jobs).to_contain_text(".verify(")


def test_palette_and_help(place: Place) -> None:
    place.at(1)
    query(place.page).focus()
    place.page.keyboard.press("Control+K")
    box = place.dialog("Commands").get_by_role("combobox")
    expect(box).to_be_focused()
    box.fill("show prov")
    chosen = place.dialog("Commands").get_by_role("option", selected=True)
    expect(chosen).to_contain_text("Show provenance")
    shot(place.page, "actions-palette")
    box.press("Enter")
    expect(panel(place.page).get_by_role("table", name="Commits")).to_be_visible()
    grid(place.page).focus()
    place.page.keyboard.press("?")
    expect(place.dialog("Help")).to_contain_text("Rename…")
    shot(place.page, "actions-help")


def test_read_only_offers_no_changes(visitor: Visitor, made_pools: dict[str, Path]) -> None:
    served = visitor.serve(made_pools["maps"], read_only=True)
    page = visitor.open(served)
    filled(page)
    rows(page).first.click()
    rows(page).first.click(button="right")
    menu = page.get_by_role("menu", name="Product")
    for entry in ("Tags…", "Rename…", "Delete", "Save Products to Pool…"):
        expect(menu.get_by_role("menuitem", name=entry)).to_be_disabled()
    expect(menu.get_by_role("menuitem", name="Export FITS…")).to_be_enabled()
    page.keyboard.press("Escape")
    page.keyboard.press("a")
    expect(page.get_by_role("dialog")).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_keeps_people_out(visitor: Visitor, shown: Any, scheme: str) -> None:
    if not AXE.is_file():
        without_node("axe-core is not installed: npm ci in frontend")
    page = visitor.open(shown, MAPS_ONLY, color_scheme=scheme, bypass_csp=True)
    filled(page)
    rows(page).nth(1).click()
    expect(details(page).get_by_role("heading", level=2).first).to_be_visible()
    problems = []
    for key in ("t", "F2", "Delete", "e", "s", "m", "a", "?", "Control+K"):
        grid(page).focus()
        expect(grid(page)).to_be_focused()
        page.keyboard.press(key)
        expect(page.get_by_role("dialog")).to_be_visible()
        problems += audit(page)
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)
    grid(page).focus()
    page.keyboard.press("Shift+F10")
    expect(page.get_by_role("menu")).to_be_visible()
    problems += audit(page)
    assert not problems, "\n\n".join(problems)
