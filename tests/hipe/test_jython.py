"""The language: Jython 2 run on Python 3.

`python2.txt` holds small scripts with the output that CPython 2.7.18 gave for each.
"""

from __future__ import annotations

import gc
import io
import itertools
import re
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skypool.errors import ScriptError, SkypoolError, UnsupportedName
from skypool.hipe.jython import reading
from skypool.hipe.jython.formatting import modulo
from skypool.hipe.jython.ordering import compare, sorted_list
from skypool.hipe.jython.runner import run_script
from skypool.hipe.jython.semantics import compile_script
from skypool.hipe.jython.syntax import translate

# Scripts of that time left files open.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

PIECES = re.split(
    r"^### (.*)\n", (Path(__file__).parent / "python2.txt").read_text(encoding="utf-8"), flags=re.M
)[1:]
SCRIPTS = dict(zip(PIECES[::2], PIECES[1::2], strict=True))


@pytest.fixture
def run(tmp_path, capsys, monkeypatch):
    """Run a script, and give what it printed."""
    monkeypatch.chdir(tmp_path)

    def go(text, *arguments, code=0, name="script.py"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        outcome = run_script(name, arguments)
        assert outcome.code == code
        del outcome
        gc.collect()  # files that the script left open are closed here and not in another test
        found = capsys.readouterr()
        assert found.err == ""
        return found.out

    return go


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_print_what_python_2_printed(name, run):
    source, wanted = SCRIPTS[name].split("--- output\n")
    assert run(source) == wanted


def test_there_are_many_of_them():
    assert len(SCRIPTS) > 50


# The text of scripts.


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        ("print 'é'".encode(), "é"),
        (b"# -*- coding: latin-1 -*-\nprint '\xe9'", "é"),
        (b"#!/usr/bin/env jython\n# vim: set fileencoding=latin-1 :\nprint '\xe9'", "é"),
        (b"print '\xe9'", "é"),
        (b"\xef\xbb\xbfprint 'x'", "x"),
        (b"# coding: nonsense\nprint 'x'", "x"),
        (b"print 'a'\r\nprint 'b'\r\n", "a\nb"),
        (b"print 'a'\rprint 'b'\r", "a\nb"),
        (b"print 'no newline'", "no newline"),
        (b"print 'end'\n\x1a", "end"),
    ],
)
def test_any_encoding_and_line_end(data, wanted, run):
    assert run(data) == f"{wanted}\n"


@pytest.mark.parametrize("name", SCRIPTS)
def test_lines_stay_where_they_are(name):
    source = SCRIPTS[name].split("--- output\n")[0]
    made = translate(source, "x").text
    assert made.rstrip("\n").count("\n") == source.rstrip("\n").count("\n")
    for old, new in zip(source.split("\n"), made.split("\n"), strict=False):
        comment = re.search(r"# \w+$", old)
        assert comment is None or new.endswith(comment[0])


def test_java_names_that_are_keywords(run):
    assert run(
        "class A:\n"
        "    def print(self): return 'printed'\n"
        "    def exec(self): return 'done'\n"
        "    class_ = 1\n"
        "a = A()\n"
        "print a.print(), a.exec(), a.getClass().getName(), a.class.name\n"
    ) == "printed done A A\n"  # fmt: skip


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("print 1\nif x\n", 2, "syntax error"),
        ("x = (1,\n", 2, ""),
        ("'''never ends\n", 1, ""),
        ("x = 1\n  y = 2\n", 2, "indent"),
        ("def f():\n        x = 1\n    y = 2\n", 3, "indent"),
        ("\x00", 1, "null"),
        ("True = 5\n", 1, "True"),
        ("print 'a'\nreturn 5\n", 2, "return"),
        ("f(x for x in y, 1)\n", 1, ""),
        ("x = 08\n", 1, ""),
        ("for 5 in x: pass\n", 1, ""),
        ("import a.b as c d\n", 1, "syntax error"),
        ("(" * 5000, 1, ""),
        ("x = " + "-" * 20000 + "1\n", 1, ""),
        ("x = " + "9" * 10000 + "\n", 1, ""),
        ("if 1:\n" + "".join(" " * n + "if 1:\n" for n in range(1, 150)), 1, ""),
        ("print 'é\n", 1, ""),
        ("$\n", 1, "syntax error"),
    ],
)
def test_what_is_no_jython_is_an_error_with_its_line(text, line, words, tmp_path):
    path = tmp_path / "bad.py"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ScriptError) as caught:
        run_script(str(path))
    assert caught.value.file == str(path)
    assert words in str(caught.value)
    if len(text) < 100:
        assert abs(caught.value.line - line) <= 1


def test_long_chains_are_no_nesting(run):
    chain = "if x == 0: pass\n" + "".join(f"elif x == {n}: print {n}\n" for n in range(1, 300))
    assert run(f"x = 299\n{chain}") == "299\n"
    assert run("print " + " + ".join(["1"] * 700) + "\n") == "700\n"


def test_a_text_that_is_no_jython_is_the_script_s_to_catch(run):
    assert run(
        "for text in ['1 +', 'x = ', '(', 'print 5']:\n"
        "    try: exec text\n"
        "    except SyntaxError, e: print 'wrong', text\n"
        "try: eval('1 1')\n"
        "except SyntaxError: print 'caught'\n"
        "exec compile('y = 5', 'name', 'exec')\nprint y\n"
    ) == "wrong 1 +\nwrong x = \nwrong (\n5\ncaught\n5\n"  # fmt: skip


def test_whatever_a_script_does_to_sys_ends_with_it(run, tmp_path):
    before = sys.stdin, sys.stdout, sys.stderr, list(sys.path), sys.getrecursionlimit()
    run(
        "import sys\n"
        "print 'a',\n"
        "sys.path.insert(0, 'x'); sys.setrecursionlimit(5000)\n"
        "sys.stdout = open('log.txt', 'w')\n"
        "print 'in the log'\n"
        "sys.stdout.close(); sys.stderr = None\n"
    )
    assert before == (sys.stdin, sys.stdout, sys.stderr, list(sys.path), sys.getrecursionlimit())
    assert (tmp_path / "log.txt").read_text() == "in the log\n"


# Errors of the script.


def fails(tmp_path, text, kind=ScriptError):
    path = tmp_path / "broken.py"
    path.write_text(text)
    with pytest.raises(kind) as caught:
        run_script(str(path))
    return caught.value


def test_an_exception_shows_the_lines_of_the_script_and_none_of_ours(tmp_path):
    error = fails(
        tmp_path,
        "def f(x):\n    return 1/x\n\nprint 'before'\nf(0)\n",
    )
    path = tmp_path / "broken.py"
    assert str(error) == (
        "Traceback (most recent call last):\n"
        f'  File "{path}", line 5, in <module>\n    f(0)\n'
        f'  File "{path}", line 2, in f\n    return 1/x\n'
        "ZeroDivisionError: integer division or modulo by zero"
    )
    assert (error.line, error.code, error.exit_code) == (2, "script", 1)


@pytest.mark.parametrize(
    ("text", "line", "last"),
    [
        ("x = 1\nprint y\n", 2, "NameError: name 'y' is not defined"),
        ("print 'a' % 5\n", 1, "TypeError: not all arguments converted during string formatting"),
        ("raise KeyError, 'k'\n", 1, "KeyError: 'k'"),
        ("class Mine(Exception): pass\nraise Mine\n", 2, "Mine"),
        ("exec 'x = 1\\nfoo()'\n", 2, "NameError: name 'foo' is not defined"),
        ("eval('1 +')\n", 1, "SyntaxError: <string>, line 1: syntax error"),
        ("class E(BaseException): pass\nraise E('x')\n", 2, "E: x"),
        (
            "class E(Exception):\n    def __str__(self): return 5\nraise E\n",
            3,
            "E: <exception str() failed>",
        ),
        ("d = {}\nd['a']\n", 2, "KeyError: 'a'"),
        ("l = [1, 2]\nl.sort(1)\n", 2, ""),
        ("import no_such_module\n", 1, "ModuleNotFoundError: No module named 'no_such_module'"),
        ("[].has_key(1) + None\n", 1, ""),
        ("(1).nothing\n", 1, "AttributeError: 'int' object has no attribute 'nothing'"),
        ("'a'.message\n", 1, "AttributeError: 'str' object has no attribute 'message'"),
        ("assert 0, 'why'\n", 1, "AssertionError: why"),
        ("def f(): return f()\nf()\n", 1, "RecursionError: maximum recursion depth exceeded"),
    ],
)
def test_the_line_of_an_error(text, line, last, tmp_path):
    error = fails(tmp_path, text)
    assert error.line == line
    assert str(error).endswith(last)
    assert "skypool/hipe" not in str(error)


def test_a_long_traceback_is_shortened(tmp_path):
    error = fails(tmp_path, "def f(n): return f(n + 1)\nf(0)\n")
    assert str(error).count("\n") < 60
    assert re.search(r"\.\.\. \d+ more calls", str(error))


def test_an_error_in_a_module_of_the_script_shows_that_module(tmp_path):
    (tmp_path / "helper.py").write_text("def half(x):\n    print 'half'\n    return x / 0\n")
    error = fails(tmp_path, "import helper\nhelper.half(1)\n")
    assert error.file == str(tmp_path / "helper.py")
    assert error.line == 3
    assert "return x / 0" in str(error)


def test_an_error_of_skypool_has_the_line_and_its_own_class(tmp_path):
    error = fails(tmp_path, "print 1\nx = Double1d('text')\n", SkypoolError)
    assert error.code == "usage"
    assert error.exit_code == 2
    assert str(error).startswith(f"{tmp_path / 'broken.py'}, line 2: Double1d cannot be made")


# What is not supported.


@pytest.mark.parametrize(
    ("text", "name", "hint"),
    [
        ("m = photProject(frames)\n", "photProject", "pipelines"),
        ("p = PlotXY(x, y)\n", "PlotXY", "matplotlib"),
        ("from herschel.ia.gui.plot import *\nLayerXY()\n", "LayerXY", "matplotlib"),
        (
            "from herschel.pacs.spg.phot import PhotProjectTask\nt = PhotProjectTask()\n",
            "herschel.pacs.spg.phot.PhotProjectTask",
            "pipelines",
        ),
        ("import herschel\nherschel.spire.all.Foo()\n", "herschel.spire.all.Foo", "pipelines"),
        ("x = herschel.hifi.pipeline.doAvg(1)\n", "herschel.hifi.pipeline.doAvg", "pipelines"),
        ("from javax.swing import JFrame\nJFrame('x')\n", "javax.swing.JFrame", "sys.argv"),
        ("import java\njava.awt.Color.RED\n", "java.awt.Color.RED", ""),
        ("from java.sql import DriverManager as D\nD.get()\n", "java.sql.DriverManager.get", ""),
        ("cal = spireCal(pool='x')\n", "spireCal", "calibration"),
        (
            "from herschel.ia.task import Task\nclass T(Task):\n    pass\n",
            "herschel.ia.task.Task",
            "function",
        ),
        ("f = LinearInterpolator(x, y)\n", "LinearInterpolator", "numpy.interp"),
    ],
)
def test_what_is_not_there_stops_with_line_name_and_modern_way(text, name, hint, tmp_path):
    text = text.replace("(x, y)", "(1, 2)").replace("(frames)", "(1)")
    error = fails(tmp_path, text, UnsupportedName)
    assert error.name == name
    lines = text.rstrip("\n").count("\n") + 1
    assert error.line == (2 if "class T" in text else lines)
    assert f"line {error.line}: {name} is not supported" in str(error)
    assert hint in error.hint
    assert error.hint
    assert error.exit_code == 1
    assert error.code == "unsupported"


def test_what_is_not_there_may_be_imported_and_asked_for(run):
    assert run(
        "from herschel.pacs.spg.phot import PhotProjectTask\n"
        "from herschel.ia.gui.plot import *\n"
        "import herschel.spire.all, java.awt\n"
        "from javax.swing import JFrame\n"
        "from herschel.ia.gui.plot.renderer.PComponentEngine import HAlign\n"
        "from org.python.core import PyList\n"
        "print isinstance(5, JFrame), JFrame, PhotProjectTask is not None\n"
        "try:\n    PlotXY()\nexcept:\n    print 'no plots'\n"
    ) == (
        "False <javax.swing.JFrame, not supported> True\nno plots\n"
    )  # fmt: skip


def test_a_name_that_looks_like_one_of_hipe_has_a_hint(tmp_path):
    error = fails(tmp_path, "x = someRareTask(5)\n")
    assert "NameError: name 'someRareTask' is not defined" in error.message
    assert "someRareTask" in error.hint
    assert fails(tmp_path, "print x\n").hint == ""


def test_what_a_script_did_without_is_told(tmp_path):
    path = tmp_path / "s.py"
    path.write_text("try:\n    Display(5)\nexcept:\n    pass\nprint 'on'\n")
    outcome = run_script(str(path))
    assert outcome.code == 0
    (remark,) = outcome.remarks
    assert remark.startswith(f"{path}, line 2: Display is not supported, and the script went on")
    path.write_text("print 1\n")
    assert run_script(str(path)).remarks == []


# Imports.


def test_every_name_of_skypool_hipe_is_at_hand(run):
    import skypool.hipe

    names = [name for name in skypool.hipe.__all__ if name != "ArrayData"]
    assert len(names) > 100
    text = "".join(f"if {name} is None: print '{name}'\n" for name in names)
    assert run(text) == ""


@pytest.mark.parametrize(
    "line",
    [
        "from herschel.ia.numeric import Double1d",
        "from herschel.ia.numeric import *",
        "from herschel.ia.all import *",
        "import herschel\nDouble1d = herschel.ia.numeric.Double1d",
        "import herschel.ia.numeric\nDouble1d = herschel.ia.numeric.Double1d",
        "import herschel.ia.numeric as num\nDouble1d = num.Double1d",
        "from herschel.ia import numeric\nDouble1d = numeric.Double1d",
        "from herschel.ia.numeric.all import Double1d as D\nDouble1d = D",
        "pass",
        "def f():\n    from herschel.ia.numeric import *\n    return Double1d\nDouble1d = f()",
    ],
)
def test_names_of_hipe_are_found_however_they_are_imported(line, run):
    assert run(f"{line}\nprint Double1d([1, 2])\n") == "[1.0,2.0]\n"


def test_functions_as_the_classes_that_they_were(run):
    assert run(
        "from herschel.ia.numeric.toolbox.basic import Floor, Max, IsFinite\n"
        "FLOOR = herschel.ia.numeric.toolbox.basic.Floor.PROCEDURE\n"
        "print FLOOR(Double1d([1.5])), Max.FOLDR(Double1d([1, 3])), IsFinite.PREDICATE(1.0)\n"
        "from herschel.ia.numeric.toolbox.basic import MAX\n"
        "print MAX(Int1d([4]))\n"
    ) == "[1.0] 3.0 True\n4\n"  # fmt: skip


def test_java(run):
    assert run(
        "from java.lang import *\n"
        "from java.lang import System, String, Integer, Double\n"
        "from java.lang.Math import PI\n"
        "from java.util import ArrayList, HashMap, LinkedHashMap, TreeMap, HashSet, Date\n"
        "import java.util.Arrays\n"
        "from java.io import File\n"
        "import java\n"
        "print PI, Math.sqrt(16), Math.max(1, 2), java.lang.Math.floor(2.5), Math.round(2.5)\n"
        "print Integer.parseInt('12') + 1, Integer.MAX_VALUE, Double.isNaN(Double.NaN)\n"
        "l = ArrayList(); l.add('b'); l.add(0, 'a'); print l.size(), l.get(0), l, l.contains('b')\n"
        "it = l.iterator()\n"
        "while it.hasNext(): print it.next(),\n"
        "print\n"
        "m = HashMap(); m.put('k', 1); m['j'] = 2\n"
        "print m.get('k'), m.containsKey('x'), m.size(), m.values().iterator().next()\n"
        "for e in m.entrySet(): print e.getKey(), e.value,\n"
        "print m.keySet(), m.keys()[0]\n"
        "t = TreeMap(); t.put('b', 1); t.put('a', 2); print t.keySet()\n"
        "s = HashSet([1, 1]); print s.add(1), s.add(2), s.size()\n"
        "print String.format('%05.1f|%s', 2.5, 'x'), String.valueOf(True)\n"
        "f = File('sub', 'a.fits'); print f.getName(), f, f.exists(), File.separator, f.parent\n"
        "print f.parentFile.mkdirs(), f.createNewFile(), f.length(), open(f).read() == ''\n"
        "print java.util.Arrays.asList(1, 2), Date(0).getTime(), System.currentTimeMillis() > 0\n"
        "try: raise java.lang.IllegalArgumentException('bad')\n"
        "except java.lang.Exception, e: print e.getMessage()\n"
        "b = StringBuffer('a'); print b.append(1).append(2.5).toString()\n"
        "System.out.println('out'); System.gc()\n"
        "print Boolean.parseBoolean('TRUE'), Long.toHexString(255), System.getProperty('x')\n"
        "print Runtime.getRuntime().availableProcessors() > 0\n"
    ) == (
        "3.14159265359 4.0 2 2.0 3\n"
        "13 2147483647 True\n"
        "2 a ['a', 'b'] True\n"
        "a b\n"
        "1 False 2 1\n"
        "k 1 j 2 ['k', 'j'] k\n"
        "['a', 'b']\n"
        "False True 2\n"
        "002.5|x true\n"
        "a.fits sub/a.fits False / sub\n"
        "True True 0 True\n"
        "[1, 2] 0 True\n"
        "bad\n"
        "a12.5\n"
        "out\n"
        "True ff None\n"
        "True\n"
    )


def test_files_and_dates_of_java(run):
    assert run(
        "from java.io import *\n"
        "from java.text import SimpleDateFormat, DecimalFormat\n"
        "from java.util import Date, TimeZone\n"
        "w = PrintWriter(FileWriter('a.txt')); w.println('one'); w.print('two'); w.close()\n"
        "r = BufferedReader(FileReader('a.txt'))\n"
        "line = r.readLine()\n"
        "while line != None:\n    print line,\n    line = r.readLine()\n"
        "print\n"
        "d = SimpleDateFormat(\"yyyy-MM-dd'T'HH:mm:ss.SSS\"); d.setTimeZone(None)\n"
        "print d.format(Date(1250711040123)), d.parse('2009-08-19T19:44:00.000000').getTime()\n"
        "print DecimalFormat('000.0#').format(2.456), DecimalFormat('#,##0').format(12345)\n"
    ) == "one two\n2009-08-19T19:44:00.123 1250711040000\n002.46 12,345\n"  # fmt: skip


def test_modules_of_the_script_are_jython_too(run, tmp_path):
    (tmp_path / "helper.py").write_text("print 'loaded', __name__\ndef half(x): return x/2\n")
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").write_text("import inner\nLEVEL = `1`\n")
    (tmp_path / "package" / "inner.py").write_text("def two(): return '%s' % 2.0\n")
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "elsewhere.py").write_text("print 'elsewhere'\n")
    before = set(sys.modules)
    assert run(
        "import helper, package.inner\n"
        "from helper import *\n"
        "from package import inner, LEVEL\n"
        "print half(3), helper.half(5), package.inner.two(), inner.two(), LEVEL\n"
        "reload(helper)\n"
        "import sys; sys.path.append('more')\n"
        "import elsewhere\n"
        "execfile('helper.py')\n"
        "import json; print json.dumps([1])\n"
    ) == (
        "loaded helper\n1 2 2.0 2.0 1\nloaded helper\nelsewhere\nloaded __main__\n[1]\n"
    )  # fmt: skip
    assert not {"helper", "package", "elsewhere", "herschel", "java"} & (set(sys.modules) - before)
    assert "more" not in sys.path


def test_today_s_libraries_work_in_scripts(run):
    assert run(
        "import numpy, astropy.units as u\n"
        "from numpy import array\n"
        "x = array([1, 2, 3])\n"
        "print x.sum(), numpy.median(x), Double1d(x), (1 * u.deg).to('arcmin').value\n"
    ) == "6 2.0 [1.0,2.0,3.0] 60.0\n"  # fmt: skip


# The surroundings.


def test_arguments_exit_code_and_name(run):
    assert run("import sys\nprint sys.argv[1:], __name__\n", "1342", "-v") == (
        "['1342', '-v'] __main__\n"
    )
    assert run("import sys\nprint 'a',\nsys.exit(3)\nprint 'b'\n", code=3) == "a\n"
    assert run("import sys\nsys.exit()\n") == ""
    assert run("from java.lang import System\nSystem.exit(4)\n", code=4) == ""
    assert sys.argv[0] != "script.py"


def test_an_exit_with_words(tmp_path):
    path = tmp_path / "s.py"
    path.write_text("import sys\nsys.exit('no data')\n")
    outcome = run_script(str(path))
    assert (outcome.code, outcome.words) == (1, "no data")


def test_raw_input_and_input(run, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("text\n1/2\n"))
    assert run(
        "print raw_input('? '), input(), 1\ntry: raw_input()\nexcept EOFError: print 'end'\n"
    ) == "? text 0 1\nend\n"  # fmt: skip


def test_exec_cannot_change_a_local_variable_and_says_so(tmp_path):
    error = fails(
        tmp_path, "def f():\n    x = 1\n    exec 'x = 2'\n    return x\nf()\n", UnsupportedName
    )
    assert error.line == 3
    assert "x" in str(error)
    assert "dictionary" in error.hint


def test_numeric_in_scripts(run):
    assert run(
        "x = Double1d.range(5)\n"
        "x[x.where(x > 2)] = 0\n"
        "x.append(7)\n"
        "print x / 2, x.length(), x.dimensions, x[0:3], x[-1]\n"
        "y = Int1d([7, 8]); y /= 2; print y\n"
        "z = Double2d(2, 3, 1.0); z[0, 1] = 9; print max(z), min(z), MAX(z), SUM(z)\n"
        "print max([3, 1]), max(1, 2.5), ALL(x > -1), ANY(x > 6), '%5.2f' % MEAN(x), str(x[5])\n"
        "print '%d %s' % (y[0], x[1]), [i for i in y], String1d(['a', 'b'])[1] + 'c'\n"
        "if x == None: print 'none'\n"
        "if x != None and ABS(-2) == 2: print 'there'\n"
        "ind = x.where((x < 1).or(x > 6)); print ind.length(), (x < 1).and(x > 6).not()[0]\n"
        "d = SORT(RESHAPE(Double2d([[3, 1], [2, Double.NaN]]))); print NAN_FILTER(d), MEDIAN(d)\n"
    ) == (
        "[0.0,0.5,1.0,0.0,0.0,3.5] 6 [6] [0.0,1.0,2.0] 7.0\n"
        "[3,4]\n"
        "9.0 1.0 9.0 14.0\n"
        "3 2.5 True True  1.67 7.0\n"
        "3 1.0 [3, 4] bc\n"
        "there\n"
        "4 True\n"
        "[1.0,2.0,3.0] 2.0\n"
    )


# Whatever the text, no fault of ours.

WORDS = st.sampled_from(
    [
        "print",
        "exec",
        "if",
        "else",
        ":",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        ",",
        ".",
        ";",
        "\n",
        "\t",
        "x",
        "y",
        "1",
        "0777L",
        "5L",
        "'a'",
        '"b"',
        "'''",
        "`",
        "<>",
        ">>",
        "=",
        "==",
        "+",
        "-",
        "*",
        "/",
        "%",
        "**",
        "lambda",
        "def",
        "class",
        "return",
        "yield",
        "raise",
        "except",
        "try",
        "finally",
        "for",
        "in",
        "while",
        "not",
        "and",
        "or",
        "is",
        "import",
        "from",
        "as",
        "global",
        "assert",
        "del",
        "pass",
        "break",
        "continue",
        "with",
        "async",
        "await",
        "nonlocal",
        "None",
        "True",
        "@",
        "~",
        "\\",
        "#",
        "é",
        "u'\\u12'",
        "ur'x'",
        "0x",
        "1e",
        "1j",
        "$",
        "?",
        "!",
    ]
)


def harmless(text):
    try:
        compile_script(text, "fuzz.py")
    except ScriptError as error:
        assert error.file == "fuzz.py"
        assert error.line >= 0


@given(st.text(max_size=200))
def test_any_text_compiles_or_is_a_script_error(text):
    harmless(
        reading.decode(text.encode("utf-8", "surrogatepass"), "fuzz.py") if "\0" not in text else ""
    )


@given(st.lists(WORDS, max_size=40))
@settings(max_examples=300)
def test_any_words_compile_or_are_a_script_error(words):
    harmless(" ".join(words))


@given(st.binary(max_size=100))
def test_any_bytes_are_text_or_a_script_error(data):
    try:
        harmless(reading.decode(data, "fuzz.py"))
    except ScriptError as error:
        assert error.file == "fuzz.py"


@given(st.sampled_from(sorted(SCRIPTS)), st.data())
@settings(max_examples=150)
def test_scripts_cut_and_garbled(name, data):
    source = SCRIPTS[name].split("--- output\n")[0]
    start = data.draw(st.integers(0, len(source)))
    length = data.draw(st.integers(0, 20))
    new = data.draw(st.text(alphabet="(){}[]'\"`:;,\n\t \\#@=<>0aLu%", max_size=5))
    harmless(source[:start] + new + source[start + length :])


@given(st.lists(WORDS.filter(lambda word: word not in ("while", "for")), max_size=15))
@settings(max_examples=200)
def test_any_words_run_or_are_an_error_of_skypool(tmp_path_factory, words):
    path = tmp_path_factory.getbasetemp() / "fuzz.py"
    path.write_text("x = y = 1\n" + " ".join(words), encoding="utf-8")
    try:
        run_script(str(path))
    except SkypoolError as error:
        assert "skypool/hipe" not in str(error)


@pytest.mark.campaign
@given(st.lists(WORDS, max_size=200))
@settings(max_examples=20000)
def test_many_words_compile_or_are_a_script_error(words):
    harmless(" ".join(words))


# Properties.


@given(
    st.lists(
        st.one_of(st.none(), st.integers(), st.floats(allow_nan=False), st.text(max_size=3)),
        max_size=8,
    )
)
def test_anything_sorts_and_stays_sorted(values):
    found = sorted_list(values)
    assert sorted_list(found) == found
    assert all(compare(one, other) <= 0 for one, other in itertools.pairwise(found))


@given(st.text(alphabet="ab%sdxr()5.0-+ ", max_size=12), st.lists(st.integers(), max_size=3))
def test_formats_do_what_python_does_or_raise_the_same_kinds(form, values):
    try:
        wanted = form % tuple(values)
    except (TypeError, ValueError, KeyError):
        wanted = None
    try:
        found = modulo(form, tuple(values))
    except (TypeError, ValueError, KeyError):
        found = None
    if wanted is not None:
        assert found == wanted
