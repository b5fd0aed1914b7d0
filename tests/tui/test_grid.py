"""The table of any number of rows: what it loads, where its keys lead."""

from __future__ import annotations

import asyncio

from textual.app import App

from skypool.errors import Damaged
from skypool.tui.columns import Head
from skypool.tui.widgets.grid import Grid


class Million:
    """A million rows that say which of them were asked for."""

    heads = (Head("name", "name", middle=True), Head("number", "number [m]", right=True))

    def __init__(self, count=1_000_000):
        self.count = count
        self.asked = []

    def __len__(self):
        return self.count

    def cells(self, start, stop):
        self.asked += range(start, stop)
        return [(f"obs/{n:07}", str(n)) for n in range(start, stop)]


def drive(rows, script, size=(60, 20), **options):
    class Host(App):
        moved = 0
        extended: tuple = ()
        heads = 0
        opened = 0

        def compose(self):
            yield Grid()

        def on_grid_moved(self, event):
            self.moved += 1

        def on_grid_extended(self, event):
            self.extended = (event.first, event.last)

        def on_grid_head_clicked(self, event):
            self.heads += 1

        def on_grid_opened(self, event):
            self.opened += 1

    async def main():
        app = Host()
        async with app.run_test(size=size) as pilot:
            grid = app.query_one(Grid)
            grid.show(rows, **options)
            grid.focus()
            await pilot.pause()
            await script(app, grid, pilot)

    asyncio.run(main())


def shown(grid):
    return [grid.render_line(y).text.rstrip() for y in range(grid.size.height)]


def test_only_what_is_on_the_screen_is_loaded():
    rows = Million()

    async def script(app, grid, pilot):
        assert len(set(rows.asked)) <= 64
        rows.asked.clear()
        await pilot.press("end")
        assert grid.cursor == 999_999
        assert shown(grid)[-1].split() == ["obs/0999999", "999999"]
        assert shown(grid)[0].split()[:1] == ["name"]
        assert set(rows.asked) <= set(range(999_900, 1_000_000))
        rows.asked.clear()
        await pilot.press("pageup", "pageup", "home", "pagedown")
        assert grid.cursor == grid.lines - 1
        assert len(rows.asked) <= 5 * 64

    drive(rows, script)


def test_every_key_of_moving():
    async def script(app, grid, pilot):
        for keys, wanted in [
            ("j", 1), ("down", 2), ("k", 1), ("up", 0), ("up", 0), ("G", 99), ("j", 99), ("g", 0),
            ("pagedown", grid.lines - 1), ("pageup", 0), ("end", 99), ("home", 0),
        ]:  # fmt: skip
            await pilot.press(keys)
            assert grid.cursor == wanted, keys
            place = grid.cursor - grid.scroll_offset.y
            assert 0 <= place < grid.lines
            assert f"obs/{wanted:07}" in shown(grid)[place + 1]

    drive(Million(100), script)


def test_columns_are_chosen_and_come_on_the_screen():
    class Wide(Million):
        heads = tuple(Head(f"key{n}", f"key{n}") for n in range(30))

        def cells(self, start, stop):
            return [tuple(f"{n}.{key}" for key in range(30)) for n in range(start, stop)]

    async def script(app, grid, pilot):
        await pilot.press(*["l"] * 29)
        assert grid.chosen_key == "key29"
        assert "key29" in shown(grid)[0] and "0.29" in shown(grid)[1]
        await pilot.press(*["left"] * 40)
        assert grid.chosen_key == "key0" and "key0" in shown(grid)[0]

    drive(Wide(50), script)


def test_ranges_and_the_mouse():
    async def script(app, grid, pilot):
        await pilot.press("shift+down", "J")
        assert app.extended == (1, 2)
        await pilot.click(Grid, offset=(5, 6))
        assert grid.cursor == 5
        await pilot.click(Grid, offset=(5, 9), shift=True)
        assert app.extended == (5, 8)
        await pilot.click(Grid, offset=(16, 0))
        assert (app.heads, grid.chosen_key) == (1, "number")
        await pilot.click(Grid, offset=(5, 4), times=2)
        assert (grid.cursor, app.opened) == (3, 1)
        await pilot.click(Grid, offset=(58, 0))
        assert app.heads == 1

    drive(Million(100), script)


def test_empty_tables():
    async def script(app, grid, pilot):
        grid.empty = "nothing found"
        await pilot.press("j", "k", "end", "pagedown", "l", "J")
        assert grid.cursor == 0
        assert "nothing found" in "".join(shown(grid))
        await pilot.click(Grid, offset=(5, 6))

    drive(Million(0), script)


def test_other_rows_and_sizes():
    async def script(app, grid, pilot):
        grid.show(Million(10), cursor=500, order=[("number", True)])
        assert grid.cursor == 9
        assert "▼" in shown(grid)[0]
        await pilot.resize_terminal(30, 6)
        await pilot.pause()
        assert "obs/0000009" in shown(grid)[-1]

    drive(Million(1000), script, cursor=900)


def test_odd_texts_keep_the_columns_in_place():
    class Odd(Million):
        def cells(self, start, stop):
            return [("銀河\u0301" * 20, "1") if n % 2 else ("a", "2") for n in range(start, stop)]

    async def script(app, grid, pilot):
        lines = [grid.render_line(y) for y in range(1, 5)]
        assert {line.cell_length for line in lines} == {grid.size.width - 1}
        assert {line.text.rstrip()[-1] for line in lines} == {"1", "2"}

    drive(Odd(50), script)


def test_rows_that_cannot_be_read_say_so():
    class Broken(Million):
        def cells(self, start, stop):
            if start >= 64:
                raise Damaged("a chunk is damaged")
            return super().cells(start, stop)

    async def script(app, grid, pilot):
        await pilot.press("end")
        assert "a chunk is damaged" in shown(grid)[-1]
        await pilot.press("home")
        assert "obs/0000000" in shown(grid)[1]

    drive(Broken(200), script)
