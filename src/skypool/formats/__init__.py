"""Formats of files: FITS, VOTable, HDF5 and others, read exactly and put together again."""
