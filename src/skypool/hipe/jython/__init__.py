"""Scripts of HIPE, that is Jython 2, run as they are and written anew in modern Python.

`reading` takes the text in, `syntax` turns Jython 2 into the grammar of Python 3 line by line,
`semantics` keeps its meaning where the two differ, `runtime` is what scripts see as their
builtins, `modules` what they import, `runner` runs them, `converter` writes modern Python.
"""

from __future__ import annotations
