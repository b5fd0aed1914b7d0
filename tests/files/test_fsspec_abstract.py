"""fsspec's own tests for a file system of its kind: copy, get, put, pipe, open."""

from __future__ import annotations

from pathlib import Path

import pytest
from fsspec.tests.abstract import (
    AbstractCopyTests,
    AbstractFixtures,
    AbstractGetTests,
    AbstractOpenTests,
    AbstractPipeTests,
    AbstractPutTests,
)

import skypool as sp
from skypool.files.filesystem import SkypoolFileSystem


class SkypoolFixtures(AbstractFixtures):
    @pytest.fixture
    def fs(self):
        fs = SkypoolFileSystem(skip_instance_cache=True)
        yield fs
        fs.close()

    @pytest.fixture
    def fs_path(self, fs, tmp_path):
        path = str(tmp_path / "pool")
        sp.Pool(path, "x").close()
        yield path
        fs.close()

    @pytest.fixture
    def fs_join(self):
        return lambda *parts: "/".join(map(str, parts))

    @pytest.fixture
    def local_fs(self):
        from fsspec.implementations.local import LocalFileSystem

        return LocalFileSystem(auto_mkdir=True)

    @pytest.fixture
    def local_path(self, tmp_path):
        path = Path(tmp_path, "local")
        path.mkdir()
        return str(path)


class TestCopy(SkypoolFixtures, AbstractCopyTests):
    test_copy_glob_edge_cases = pytest.mark.campaign(AbstractCopyTests.test_copy_glob_edge_cases)


class TestGet(SkypoolFixtures, AbstractGetTests):
    test_get_glob_to_existing_directory = pytest.mark.campaign(
        AbstractGetTests.test_get_glob_to_existing_directory
    )
    test_get_glob_to_new_directory = pytest.mark.campaign(
        AbstractGetTests.test_get_glob_to_new_directory
    )
    test_get_glob_edge_cases = pytest.mark.campaign(AbstractGetTests.test_get_glob_edge_cases)


class TestPut(SkypoolFixtures, AbstractPutTests):
    test_put_glob_to_existing_directory = pytest.mark.campaign(
        AbstractPutTests.test_put_glob_to_existing_directory
    )
    test_put_glob_to_new_directory = pytest.mark.campaign(
        AbstractPutTests.test_put_glob_to_new_directory
    )
    test_put_glob_edge_cases = pytest.mark.campaign(AbstractPutTests.test_put_glob_edge_cases)


class TestPipe(SkypoolFixtures, AbstractPipeTests):
    pass


class TestOpen(SkypoolFixtures, AbstractOpenTests):
    pass
