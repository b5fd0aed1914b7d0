"""Words for what tests do with the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.sync_api import expect

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

__all__ = [
    "code", "column", "count_is", "expect", "facet", "filled", "grid", "names", "query", "rows",
]  # fmt: skip


def grid(page: Page) -> Locator:
    """Return the table of products."""
    return page.get_by_role("grid", name="Products")


def rows(page: Page) -> Locator:
    """Return the rows that are in sight, and some beside."""
    return grid(page).locator("[data-ref]")


def count_is(page: Page, number: int) -> None:
    """Wait until the result has so many products."""
    text = f"{number:,} product{'' if number == 1 else 's'}"
    expect(page.get_by_role("status", name="Result")).to_have_text(text)


def query(page: Page) -> Locator:
    """Return the box of the query."""
    return page.get_by_role("combobox", name="Query")


def code(page: Page) -> Locator:
    """Return the line of code that is shown."""
    return page.get_by_role("region", name="Code").locator("code.now")


def facet(page: Page, key: str) -> Locator:
    """Return the facet of a key."""
    return page.get_by_role("region", name="Search").get_by_role("region", name=key, exact=True)


def column(page: Page, label: str) -> int:
    """Return the place of a column, counted from 1 as assistive programs do."""
    header = grid(page).get_by_role("columnheader").filter(has_text=label).first
    return int(header.get_attribute("aria-colindex") or 0)


def names(page: Page, label: str = "name") -> list[str]:
    """Return the texts of a column, from the rows that are drawn."""
    place = column(page, label)
    return rows(page).locator(f'[aria-colindex="{place}"]').all_inner_texts()


def filled(page: Page) -> None:
    """Wait until rows are there."""
    expect(rows(page).first).to_be_visible()
