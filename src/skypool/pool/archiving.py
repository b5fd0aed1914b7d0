"""The part of a pool that takes everything out, and proves that nothing is missing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from skypool.pool.outside import Outside

if TYPE_CHECKING:
    from skypool.pool.manifests import CheckReport, ListedFile
    from skypool.pool.progress import OnProgress
    from skypool.pool.whole import WholeReport

__all__ = ["Archiving"]


class Archiving(Outside):
    """The part of a pool that takes everything out; see `Pool`."""

    def export_all(
        self,
        folder: str | os.PathLike[str],
        *,
        overwrite: bool = False,
        bag: bool = False,
        skip_damaged: bool = False,
        progress: OnProgress | None = None,
    ) -> WholeReport:
        """Write every file of every name into a folder, byte for byte as added.

        Of each product it is the newest version, at the path that its name is; products made in
        memory become standard FITS. Files that are there as they should be are kept, so an
        interrupted export goes on where it was. As of an earlier time, versions that were given
        up since are left out and listed; a bag then raises `Purged`.

        Parameters
        ----------
        folder
            Made where it does not exist.
        overwrite
            Whether other files of the same name may be replaced.
        bag
            Make the folder a bag (RFC 8493), with check sums that prove it complete.
        skip_damaged
            Leave out what cannot be read: damaged, dropped, or in files that changed or are gone;
            it is listed. A bag is complete, or none.
        progress
            Told how far the work is.

        Raises
        ------
        Conflict
            If another file is in the way.
        """
        if bag:
            from skypool.pool.manifests import export_bag

            return export_bag(self.view, os.fspath(folder), on_progress=progress)
        from skypool.pool.whole import export_all

        return export_all(
            self.view,
            os.fspath(folder),
            overwrite=overwrite,
            skip_damaged=skip_damaged,
            on_progress=progress,
        )

    def manifest(
        self,
        below: str = "",
        *,
        algorithm: str = "sha256",
        progress: OnProgress | None = None,
        given_up: list[tuple[str, str]] | None = None,
    ) -> Iterator[ListedFile]:
        """Return all files with their check sums, as an export would write them.

        Parameters
        ----------
        below
            Only a product and what is named below it.
        algorithm
            `sha256`, `sha512`, `sha1`, `md5` or `blake3`.
        progress
            Told how far the work is.
        given_up
            Takes name and reason of versions that were given up, which the pool as of an earlier
            time may have; without it they raise `Purged`.
        """
        from skypool.pool.manifests import list_files

        return list_files(self.view, below.rstrip("/"), algorithm, progress, given_up)

    def check_manifest(
        self,
        path: str | os.PathLike[str],
        *,
        below: str = "",
        algorithm: str | None = None,
        progress: OnProgress | None = None,
    ) -> CheckReport:
        """Compare the pool with a list of check sums, or with those of a bag.

        Parameters
        ----------
        path
            A list as `sha256sum` writes it, or the folder of a bag.
        below
            The name below which the paths of the list are.
        algorithm
            By default what the list says, or the length of its digests.
        progress
            Told how far the work is.
        """
        from skypool.pool.manifests import check_manifest

        return check_manifest(self.view, os.fspath(path), below.rstrip("/"), algorithm, progress)
