"""Core attributes: what every observation has, whatever its observatory calls it.

`names` says which there are, the TOML files in `rules` where each observatory writes them,
`reading` reads such files, and `engine` applies them to product documents.
"""
