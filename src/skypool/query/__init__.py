"""The query language: text to tree (`grammar`), and the tree answered for one product (`evaluate`)
or for the rows of a table (`rows`). Nothing here is ever executed as code.
"""
