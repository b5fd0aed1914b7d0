"""The command line: `skypool [-p POOL] VERB`.

`main` is what the installed program calls. Each verb is a click command in a
module of `skypool.cli.verbs`, imported when it is used; nothing heavy (numpy,
astropy, rich) is imported for listing and finding.
"""
