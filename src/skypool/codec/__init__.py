"""Bytes: digests, compression, documents, and the cutting of files and arrays into chunks."""
