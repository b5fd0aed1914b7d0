"""The catalogue: the index of versions, names, tags, chunks and metadata of a pool.

It holds nothing that packs and commit log do not, and can be rebuilt from them.
"""
