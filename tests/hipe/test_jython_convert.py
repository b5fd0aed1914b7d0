"""Scripts of HIPE written anew in modern Python."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from skypool.cli.app import app
from skypool.errors import ScriptError
from skypool.hipe.jython.converter import convert

from .test_jython import SCRIPTS, WORDS

# Scripts of that time left files open.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

# Scripts of python2.txt that print the same when they are converted. The others differ by
# what the converter leaves to its reader: digits of floats, blanks at the ends of lines,
# the order of things of different types, modules that are gone.
SAME = """
true division from the future|division by zero|print to a file|print over several lines
wrong formats|in-place formats|long numbers and octals|backticks|not equal
raising what is no exception|dictionaries|metaclass|generators|tuple parameters
attributes of functions and methods|global behind a use|star import in a function
star import of a module|mixed tabs and blanks|conditional and boolean
text files in memory, pickles|nested functions and closures|unicode literals
unicode escapes|an exception that Python 3 chains|with and decorators
comments everywhere|leading text
"""


def converted(text):
    return convert(text, "script.py").text


@pytest.mark.parametrize("name", re.split(r"[|\n]", SAME.strip()))
def test_converted_scripts_print_the_same(name, tmp_path):
    source, wanted = SCRIPTS[name].split("--- output\n")
    path = tmp_path / "new.py"
    path.write_text(converted(source))
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(path)],
        capture_output=True, text=True, cwd=tmp_path, timeout=120, check=False,
    )  # fmt: skip
    assert done.stderr == ""
    assert done.stdout == wanted


@pytest.mark.parametrize("name", SCRIPTS)
def test_what_is_converted_is_python_3_with_all_comments(name):
    source = SCRIPTS[name].split("--- output\n")[0]
    try:
        new = converted(source)
    except ScriptError as error:
        assert "async cannot be a name" in str(error)
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        compile(new, name, "exec")
    for comment in re.findall(r"^[^'\"\n]*(# \w+)$", source, re.MULTILINE):
        assert comment in new


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("print 'a', 1\n", "print('a', 1)\n"),
        ("print >>f, 'a'\n", "print('a', file=f)\n"),
        ("print 'a',\n", "print('a', end=' ')\n"),
        ("x = 0777L + 5L\n", "x = 0o777 + 5\n"),
        ("x = n/2\n", "# skypool: / cuts the fraction of two integers in Jython; write // for"
         " these\nx = n/2\n"),
        ("n = 7\nx = n/2\n", "n = 7\nx = n//2\n"),
        ("x = len(l) / 2 # half\n", "x = len(l) // 2 # half\n"),
        ("x = 1.0*n/2\n", "x = 1.0*n/2\n"),
        ("for i in range(9):\n\tprint i/3\n", "for i in range(9):\n    print(i//3)\n"),
        ("n = 8\nn /= 3\n", "n = 8\nn //= 3\n"),
        ("try: f()\nexcept IOError, e: print e.message\n",
         "try: f()\nexcept IOError as e: print(str(e))\n"),
        ("l.sort(order)\n", "import functools\n\nl.sort(key=functools.cmp_to_key(order))\n"),
        ("x = sorted(l, cmp=order)\n",
         "import functools\n\nx = sorted(l, key=functools.cmp_to_key(order))\n"),
        ("import string\nx = string.join(a, '-')\n", "import string\nx = '-'.join(a)\n"),
        ("from java.lang import Math, System\nx = Math.PI * Math.sqrt(2)\nSystem.exit(1)\n",
         "import math\nimport sys\n\nx = math.pi * math.sqrt(2)\nsys.exit(1)\n"),
        ("from java.util import ArrayList\nx = ArrayList()\n",
         "from skypool.hipe.jython.java_util import ArrayList\n\nx = ArrayList()\n"),
        ("from herschel.ia.pal import *\nfrom herschel.ia.pal.query import MetaQuery\n"
         "q = MetaQuery(ObservationContext, 'p', '1')\n",
         "from skypool.hipe import MetaQuery, ObservationContext\n\n"
         "q = MetaQuery(ObservationContext, 'p', '1')\n"),
        ("import herschel\nx = herschel.ia.numeric.Double1d(5)\n",
         "from skypool.hipe import Double1d\n\nx = Double1d(5)\n"),
        ("from herschel.ia.numeric import Double1d as D\nx = D(5)\n",
         "from skypool.hipe import Double1d as D\n\nx = D(5)\n"),
        ("import os, herschel\nx = MEAN(y)\n",
         "from skypool.hipe import MEAN\n\nimport os\nx = MEAN(y)\n"),
        ("def f():\n    from herschel.ia.numeric import *\n    return SQRT(2)\n",
         "from skypool.hipe import SQRT\n\ndef f():\n    return SQRT(2)\n"),
        ("def f():\n    from herschel.ia.numeric import *\n", "def f():\n    pass\n"),
        ("if x: import herschel\nprint 1\n", "if x: pass\nprint(1)\n"),
        ("x = max(image.image)\ny = max(1, 2)\n",
         "from skypool.hipe import max\n\nx = max(image.image)\ny = max(1, 2)\n"),
        ("def max(x): return x\ny = max(z)\n", "def max(x): return x\ny = max(z)\n"),
        ("bg(\"saveProduct(product=p, pool='t')\")\n",
         "from skypool.hipe import bg, saveProduct\n\nbg(\"saveProduct(product=p, pool='t')\")\n"),
        ("\"\"\"Doc.\"\"\"\nimport os\nx = Product()\n",
         "\"\"\"Doc.\"\"\"\nfrom skypool.hipe import Product\n\nimport os\nx = Product()\n"),
        ("# -*- coding: latin-1 -*-\n# About this\n\nx = Product()\n",
         "# About this\n\nfrom skypool.hipe import Product\n\nx = Product()\n"),
        ("from __future__ import division\nx = Product() / 2\n",
         "from __future__ import division\nfrom skypool.hipe import Product\n\n"
         "x = Product() / 2\n"),
        ("x = lambda (a, b), (c, d): a + d\n",
         "x = lambda item0, item1: (lambda a, b, c, d: a + d)(*item0, *item1)\n"),
        ("from herschel.ia.toolbox.util import SimpleFitsReaderTask\n"
         "p = SimpleFitsReaderTask()(file='a.fits')\n",
         "from skypool.hipe import simpleFitsReader\n\np = simpleFitsReader(file='a.fits')\n"),
        ("x = m.values().iterator()\n", "x = m.values().iterator()\n"),
        ("x = open('a', 'rU')\n", "x = open('a', 'r')\n"),
        ("x = y if z <> 1 else `w`\n", "x = y if z != 1 else repr(w)\n"),
        ("try: pass\nexcept java.lang.Exception, e: pass\n",
         "try: pass\nexcept Exception as e: pass\n"),
        ("print 'é', 1/2\n", "print('é', 1//2)\n"),
    ],
)  # fmt: skip
def test_statements(old, new):
    assert converted(old) == new


def test_what_is_not_supported_is_marked_and_told():
    made = convert(
        "import herschel\n"
        "obs = getObservation(1342182452)\n"
        "if obs:\n"
        "    # make a map\n"
        "    map = photProject(obs.level1,\n"
        "                      calTree=getCalTree())\n"
        "    PlotXY(map)\n",
        "s.py",
    )
    assert made.text.splitlines()[:3] == [
        "from skypool.hipe import getObservation", "", "obs = getObservation(1342182452)",
    ]  # fmt: skip
    assert [(line, name) for line, name, _ in made.remarks] == [
        (5, "photProject"), (6, "getCalTree"), (7, "PlotXY"),
    ]  # fmt: skip
    assert all(hint for _, _, hint in made.remarks)
    lines = made.text.splitlines()
    place = next(n for n, line in enumerate(lines) if "map = photProject" in line)
    assert lines[place - 2].startswith("    # skypool: photProject is not supported; maps are made")
    assert lines[place - 3] == "    # make a map"
    compile(made.text, "s.py", "exec")


def test_command(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("old.py").write_text("print 1/2, PI\n")
    run = CliRunner().invoke
    result = run(app, ["hipe", "convert", "old.py"])
    assert (result.exit_code, result.stdout, result.stderr) == (0, "print(1//2, PI)\n", "")
    assert run(app, ["hipe", "convert", "old.py", "-o", "new.py"]).exit_code == 0
    assert Path("new.py").read_text() == "print(1//2, PI)\n"
    assert run(app, ["hipe", "convert", "old.py", "-o", "new.py"]).exit_code == 5
    assert run(app, ["hipe", "convert", "old.py", "-o", "new.py", "--overwrite"]).exit_code == 0
    assert run(app, ["hipe", "convert", "none.py"]).exit_code == 4
    Path("bad.py").write_text("print 'a\n")
    result = run(app, ["hipe", "convert", "bad.py", "--json"])
    assert result.exit_code == 1
    assert json.loads(result.stdout)["error"]["line"] == 1
    Path("old.py").write_text("PlotXY()\n")
    result = run(app, ["hipe", "convert", "old.py", "--json"])
    assert result.exit_code == 3
    found = json.loads(result.stdout)
    assert found["remarks"][0]["name"] == "PlotXY"
    assert found["output"] is None
    assert found["text"].endswith("PlotXY()\n")
    result = run(app, ["hipe", "convert", "old.py"])
    assert result.stderr.startswith("old.py, line 1: PlotXY: plot with matplotlib")


def test_nothing_is_left_in_the_user_s_folders(tmp_path):
    code = (
        "from skypool.hipe.jython.converter import convert\n"
        "from skypool.hipe.jython.runner import run_script\n"
        "print(convert('print 1', 'x').text)\n"
    )
    home = tmp_path / "home"
    home.mkdir(mode=0o500)
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True, text=True, timeout=120, check=False,
        env={"HOME": str(home), "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "print(1)\n\n"), done.stderr
    assert list(home.iterdir()) == []


def harmless(text):
    try:
        new = convert(text, "fuzz.py").text
    except ScriptError as error:
        assert error.file == "fuzz.py"
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ast.parse(new)


@given(st.lists(WORDS, max_size=30))
@settings(max_examples=100)
def test_any_words_convert_to_python_or_are_a_script_error(words):
    harmless(" ".join(words))


@given(st.sampled_from(sorted(SCRIPTS)), st.data())
@settings(max_examples=60)
def test_garbled_scripts_convert_to_python_or_are_a_script_error(name, data):
    source = SCRIPTS[name].split("--- output\n")[0]
    start = data.draw(st.integers(0, len(source)))
    length = data.draw(st.integers(0, 20))
    new = data.draw(st.text(alphabet="(){}[]'\"`:;,\n\t \\#@=<>0aLu%/", max_size=5))
    harmless(source[:start] + new + source[start + length :])


@pytest.mark.campaign
@given(st.sampled_from(sorted(SCRIPTS)), st.data())
@settings(max_examples=5000)
def test_many_garbled_scripts_convert_to_python(name, data):
    source = SCRIPTS[name].split("--- output\n")[0]
    start = data.draw(st.integers(0, len(source)))
    length = data.draw(st.integers(0, 200))
    new = data.draw(st.text(alphabet="(){}[]'\"`:;,\n\t \\#@=<>0aLu%/", max_size=8))
    harmless(source[:start] + new + source[start + length :])
