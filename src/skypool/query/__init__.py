"""The query language; nothing in it is ever executed as code.

`grammar` makes trees of text, `evaluate` answers a tree for one product, `rows` for the rows of a
table.
"""
