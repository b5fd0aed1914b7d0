"""Searching over HTTP: rows, counts, positions, selections, code; held to `find` in Python."""

from __future__ import annotations

import shlex
import threading
from urllib.parse import parse_qs

import numpy as np
import pytest

import skypool as sp
from skypool.catalogue import glances
from skypool.catalogue.glances import first_versions
from skypool.server import cursors, results_routes, warming

from .conftest import COUNT, client_of, made, wcs


def post(client, **search):
    answer = client.post("/api/v1/results", json=search)
    assert answer.status_code == 200, answer.text
    return answer.json()


def names(client, **search):
    found = post(client, show=["name"], **search)
    return [row[1] for row in found["rows"]]


def expected(numbers):
    return [f"obs/{number:03d}/map" for number in numbers]


def test_everything_in_the_order_of_names(client):
    found = post(client)
    assert found["total"] == COUNT
    assert found["query"] == ""
    assert [row[0].split("/")[0] for row in found["rows"]] == ["shown"] * COUNT
    assert [row[1] for row in found["rows"]] == expected(range(COUNT))
    keys = [column["key"] for column in found["columns"]]
    assert keys[:3] == ["name", "kind", "type"]
    assert {"obsid", "instrument", "object", "tags", "version"} <= set(keys)


@pytest.mark.parametrize("many", [5, 100])
def test_the_first_of_very_many_are_there_before_the_others(shown_pool, client, monkeypatch, many):
    whole = post(client)
    asked = []
    monkeypatch.setattr(warming, "MANY", 1)
    monkeypatch.setattr(warming, "warm", lambda context: None)
    monkeypatch.setattr(cursors, "FIRST", many)
    monkeypatch.setattr(results_routes, "FIRST", many)
    monkeypatch.setattr(
        cursors, "first_versions", lambda *given: asked.append(given) or first_versions(*given)
    )
    monkeypatch.setattr(
        cursors, "find_in_pools", lambda *given, **more: pytest.fail("everything was asked for")
    )
    with client_of(shown_pool) as other:
        first = post(other)
        assert len(asked) == 1
        assert first["total"] == COUNT
        assert first["rows"] == whole["rows"][:many]
        again = post(other)
        assert (again["rows"], again["cursor"]) == (first["rows"], whole["cursor"])
        page = f"/api/v1/results/{first['cursor']}/rows"
        assert other.get(page, params={"count": 3}).json()["rows"] == whole["rows"][:3]
        monkeypatch.undo()
        rest = other.get(page, params={"start": 3, "count": 20}).json()["rows"]
        assert rest == whole["rows"][3:23]
        body = {"keys": ["instrument", "tags"]}
        facets = [
            each.post(f"/api/v1/results/{first['cursor']}/facets", json=body).json()
            for each in (other, client)
        ]
        assert facets[0] == facets[1]
        assert post(other)["total"] == COUNT


def test_the_first_versions_are_those_that_a_search_finds(tmp_path):
    with sp.Pool(tmp_path / "pool") as pool:
        for step in range(12):
            pool.save(sp.Product(meta={"step": step}), name=f"p{step * 5 % 7}")
        pool.rename("p1", "zz")
        pool.remove("p2")
        last = pool.view.at

        def compare(at):
            view = pool.at(at).view
            expected = pool.at(at).find("").numbers.tolist()
            found = first_versions(view.session.catalogue.database, view.at, 4)
            assert found == (expected[:4], len(expected)), at

        for at in range(1, last + 1):
            compare(at)
        database = pool.view.session.catalogue.database
        assert first_versions(database, last, 0) == ([], 6)
        pool.save(pool["p3"].product, name="same content")
        assert len(pool.find("")) == 6
        assert first_versions(database, pool.view.at, 4) is None
        assert glances.count_versions(database, 3) == 3


@pytest.mark.parametrize(
    ("search", "numbers"),
    [
        ({"query": "obsid < 1342180003"}, range(3)),
        ({"query": "obsid == 1342180001 or obsid == 1342180004", "kind": "SimpleImage"}, [1, 4]),
        ({"query": "obsid < 1342180009 or version == 7", "filters": [
            {"key": "instrument", "values": ["SPIRE"]}]}, [1, 4, 7]),
        ({"filters": [{"key": "instrument", "values": ["SPIRE", "HIFI"]}]},
         [n for n in range(COUNT) if n % 3]),
        ({"filters": [{"key": "exposure", "min": 30, "max": 50}]}, [3, 4, 5]),
        ({"filters": [{"key": "exposure", "min": 270}]}, [27, 28, 29]),
        ({"filters": [{"key": "startDate", "max": "2010-01-02T00:00:00Z"}]}, [0, 1, 28, 29]),
        ({"filters": [{"key": "rare", "missing": True}]}, [n for n in range(COUNT) if n % 5]),
        ({"filters": [{"key": "rare", "values": [5, None]}]},
         [n for n in range(COUNT) if n % 5 or n == 5]),
        ({"filters": [{"key": "tags", "values": ["set 1"]}]}, [1, 3, 5, 7, 9]),
        ({"filters": [{"key": "tags", "values": ["set 1", "set 0"]}]}, range(10)),
        ({"filters": [{"key": "tags", "missing": True}]}, range(10, COUNT)),
        ({"filters": [{"key": "quality", "values": [True]}]}, range(0, COUNT, 4)),
        ({"filters": [{"key": "kind", "values": ["SimpleImage"]}]}, range(COUNT)),
        ({"filters": [{"key": "kind", "values": ["Product"]}]}, []),
        ({"filters": [{"key": "object", "values": ["NGC 3"]}], "text": "obs"}, [3]),
        ({"text": "ngc 29"}, [29]),
        ({"text": '"ngc 2"'}, [2, *range(20, 30)]),
        ({"text": "hifi set"}, [2, 5, 8]),
        ({"text": "1342180007"}, [7]),
        ({"text": "2010-01-05"}, [4]),
        ({"text": "café _UNDER_"}, range(COUNT)),
        ({"text": "nothing-of-that-sort"}, []),
        ({"text": "it's"}, []),
        ({"region": {"circle": [153.0, -37.0, 0.05]}}, [3]),
        ({"region": {"circle": [153.2, -37.0, 0.5]}}, [3]),
        ({"region": {"box": [151.5, -90, 154.5, 90]}}, [2, 3, 4]),
        ({"region": {"box": [170.5, -40, 151.5, 90]}}, [0, 1, *range(21, COUNT)]),
        ({"all_versions": True, "query": "obsid == 1342180000"}, [0]),
    ],
)  # fmt: skip
def test_searches(client, search, numbers):
    assert sorted(names(client, **search)) == expected(numbers)


def test_order(client):
    assert names(client, order="-exposure")[:2] == expected([29, 28])
    assert names(client, order="instrument,-obsid")[0] == expected([29])[0]


def test_the_query_told_finds_the_same_in_python(client, shown_pool):
    search = {
        "query": "exposure > 20 or quality == True",
        "text": "ngc",
        "filters": [{"key": "instrument", "values": ["PACS"]}, {"key": "exposure", "max": 200}],
        "region": {"box": [150, -40, 175, 30]},
        "order": "-exposure",
    }
    found = post(client, **search)
    with sp.Pool(shown_pool, "r") as pool:
        hits = pool.find(found["query"], order_by="-exposure")
        assert [ref.name for ref in hits] == names(client, **search)
        run = eval(found["code"]["python"], {"skypool": sp})
        assert [ref.name for ref in run] == [ref.name for ref in hits]
    words = shlex.split(found["code"]["command"])
    assert words[:4] == ["skypool", "-p", str(shown_pool), "find"]
    assert words[-1] == found["query"]
    assert "--order-by=-exposure" in words
    assert found["code"]["url"].startswith("#")
    address = parse_qs(found["code"]["url"][1:])
    assert address["query"] == [search["query"]]
    assert address["order"] == ["-exposure"]


def test_the_command_line_that_is_told_runs(client, capsys, monkeypatch):
    from skypool.cli.app import run

    found = post(client, query="exposure >= 280", order="-exposure")
    assert run([*shlex.split(found["code"]["command"])[1:], "-q"]) == 0
    assert capsys.readouterr().out.split() == expected([29, 28])


def test_errors_of_a_query_have_a_column(client):
    answer = client.post("/api/v1/results", json={"query": "obsid = 3", "text": "x"})
    assert answer.status_code == 422
    error = answer.json()["error"]
    assert error["code"] == "query"
    assert error["column"] == 7
    answer = client.post("/api/v1/results", json={"query": "instrumen == 'PACS'"})
    assert answer.status_code == 422
    assert "instrument" in answer.json()["error"]["suggestions"]


def test_nothing_found_gives_advice(client):
    found = post(client, query="instrument == 'spire'")
    assert found["total"] == 0
    assert any("SPIRE" in line for line in found["advice"])
    found = post(client, query="instrument == 'SPIRE' and exposure < 0")
    assert any("without `exposure < 0` there are 10" in line for line in found["advice"])


def test_rows(client):
    found = post(client)
    keys = "name,version,kind,size,total_size,saved,author,message,tags,urn,hash,pool,track"
    keys += ",exposure,startDate,quality,rare,object"
    answer = client.get(
        f"/api/v1/results/{found['cursor']}/rows",
        params={
            "start": 3,
            "count": 2,
            "columns": keys,
        },
    ).json()
    assert answer["start"] == 3
    columns = {column["key"]: column for column in answer["columns"]}
    rows = [dict(zip(["ref", *columns], row, strict=True)) for row in answer["rows"]]
    assert [row["name"] for row in rows] == expected([3, 4])
    first = rows[0]
    assert first["exposure"] == 30.0
    assert columns["exposure"]["unit"] == "s"
    assert columns["exposure"]["type"] == "number"
    assert first["startDate"] == "2010-01-04T00:00:00Z"
    assert columns["startDate"]["type"] == "time"
    assert first["quality"] is False
    assert rows[1]["quality"] is True
    assert columns["quality"]["type"] == "boolean"
    assert first["rare"] is None
    assert first["tags"] == ["good", "set 1"]
    assert first["pool"] == "shown"
    assert first["message"] == "made"
    assert first["saved"].endswith("Z")
    assert first["urn"].endswith(first["ref"].split("/")[1])
    assert columns["total_size"]["unit"] == "B"
    # The same from columns in memory as from documents.
    client.post(f"/api/v1/results/{found['cursor']}/facets", json={"keys": ["exposure", "rare"]})
    again = client.get(
        f"/api/v1/results/{found['cursor']}/rows",
        params={
            "start": 3,
            "count": 2,
            "columns": keys,
        },
    ).json()
    assert again == answer


def test_rows_beyond_the_end(client):
    cursor = post(client)["cursor"]
    answer = client.get(f"/api/v1/results/{cursor}/rows", params={"start": 10**9}).json()
    assert answer["rows"] == []
    for wrong in ({"count": 1001}, {"start": -1}, {"count": "x"}, {"start": "1e3"}):
        answer = client.get(f"/api/v1/results/{cursor}/rows", params=wrong)
        assert answer.status_code == 400


def test_a_cursor_that_is_not_kept(client):
    answer = client.get("/api/v1/results/0123/rows")
    assert answer.status_code == 410
    assert answer.json()["error"]["code"] == "cursor_gone"


def test_only_few_results_are_kept(client):
    first = post(client, query="exposure >= 0")["cursor"]
    for number in range(20):
        post(client, query=f"exposure > {number}")
    assert client.get(f"/api/v1/results/{first}/rows").status_code == 410
    assert post(client, query="exposure >= 0")["cursor"] == first
    assert client.get(f"/api/v1/results/{first}/rows").status_code == 200


def test_a_result_is_made_once_however_many_ask(client, monkeypatch):
    from skypool.server import cursors

    made_of, begun = [], threading.Event()
    find = cursors.find_in_pools

    def slow(query, **options):
        made_of.append(query)
        begun.wait(30)
        return find(query, **options)

    monkeypatch.setattr(cursors, "find_in_pools", slow)
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(post(client, query="exposure > 55")["total"]))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    begun.set()
    for thread in threads:
        thread.join(60)
    assert found == [24] * 3
    assert len(made_of) == 1


def test_a_failed_search_is_not_kept(client):
    for _ in range(2):
        answer = client.post("/api/v1/results", json={"query": "exposur > 1"})
        assert answer.status_code == 422


def test_facets_leave_out_their_own_filter(client):
    filters = [{"key": "instrument", "values": ["PACS"]}, {"key": "exposure", "max": 50}]
    cursor = post(client, filters=filters)["cursor"]
    answer = client.post(
        f"/api/v1/results/{cursor}/facets",
        json={"keys": ["instrument", "tags", "rare", "pool", "kind"], "limit": 10},
    )
    facets = answer.json()["facets"]
    assert facets["instrument"]["values"] == [["HIFI", 2], ["PACS", 2], ["SPIRE", 2]]
    assert facets["tags"] == {
        "values": [["good", 2], ["set 0", 1], ["set 1", 1]], "missing": 0, "different": 3,
        "unit": None,
    }  # fmt: skip
    assert facets["rare"]["values"] == [[0, 1]]
    assert facets["rare"]["missing"] == 1
    assert facets["pool"]["values"] == [["shown", 2]]
    assert facets["kind"]["values"] == [["SimpleImage", 2]]


def test_facets_are_counted_right(client, shown_pool):
    cursor = post(client, query="exposure < 200")["cursor"]
    keys = ["instrument", "quality", "startDate", "exposure", "version", "saved", "author"]
    answer = client.post(f"/api/v1/results/{cursor}/facets", json={"keys": keys, "limit": 3})
    facets = answer.json()["facets"]
    with sp.Pool(shown_pool, "r") as pool:
        counted = pool.find("exposure < 200").facets(*keys)
    for key in keys:
        assert sum(count for _, count in facets[key]["values"]) <= 20
        assert facets[key]["different"] == counted[key].different
        assert [count for _, count in facets[key]["values"]] == list(counted[key].values())[:3]
    assert facets["exposure"]["unit"] == "s"
    assert facets["quality"]["values"] == [[False, 15], [True, 5]]


def test_histogram(client):
    cursor = post(client, filters=[{"key": "exposure", "max": 100}])["cursor"]
    path = f"/api/v1/results/{cursor}/histogram"
    answer = client.post(path, json={"key": "exposure", "bins": 29}).json()
    assert answer["counts"] == [1] * 28 + [2]
    assert len(answer["edges"]) == 30
    assert answer["unit"] == "s"
    assert not answer["time"]
    rare = client.post(path, json={"key": "rare", "bins": 2}).json()
    assert sum(rare["counts"]) == 3
    assert rare["missing"] == 8
    times = client.post(path, json={"key": "startDate", "bins": 10}).json()
    assert times["time"]
    assert times["edges"][0] == "2010-01-01T00:00:00Z"
    assert sum(times["counts"]) == 11
    saved = client.post(path, json={"key": "saved", "bins": 5}).json()
    assert saved["time"]
    assert sum(saved["counts"]) == 11
    texts = client.post(path, json={"key": "object", "bins": 5}).json()
    assert texts["counts"] == []
    assert texts["missing"] == 11
    assert client.post(path, json={"key": "tags"}).status_code == 400


def test_units_of_a_histogram_are_brought_together(tmp_path):
    with sp.Pool(tmp_path / "units") as pool, pool.commit() as commit:
        for number, (value, unit) in enumerate([(1.0, "s"), (2.0, "s"), (0.05, "min")]):
            meta = {"exposure": sp.Parameter(value, unit)}
            commit.save(sp.Product(meta=meta), name=f"p{number}")
    with client_of(tmp_path / "units") as client:
        cursor = post(client)["cursor"]
        path = f"/api/v1/results/{cursor}/histogram"
        answer = client.post(path, json={"key": "exposure", "bins": 2}).json()
        assert answer["unit"] == "s"
        assert answer["edges"] == [1.0, 2.0, 3.0]
        assert answer["counts"] == [1, 2]
        facets = client.post(f"/api/v1/results/{cursor}/facets", json={"keys": ["exposure"]})
        values = facets.json()["facets"]["exposure"]["values"]
        assert ["0.05 min", 1] in values
        again = post(client, filters=[{"key": "exposure", "values": ["0.05 min"]}])
        assert again["total"] == 1
        row = client.get(f"/api/v1/results/{cursor}/rows", params={"columns": "exposure"}).json()
        assert [each[1] for each in row["rows"]] == ["1.0 s", "2.0 s", "0.05 min"]
        assert row["columns"][0]["unit"] is None


def test_position(client):
    found = post(client, order="-exposure")
    for place in (0, 7, 29):
        ref = found["rows"][place][0]
        answer = client.get(f"/api/v1/results/{found['cursor']}/position", params={"ref": ref})
        assert answer.json() == {"index": place}
    path = f"/api/v1/results/{found['cursor']}/position"
    for other in ("shown/999999", "elsewhere/1"):
        assert client.get(path, params={"ref": other}).json() == {"index": None}
    for wrong in ("shown", "shown/", "shown/x", "/1", "shown/" + "9" * 30):
        assert client.get(path, params={"ref": wrong}).status_code == 400


def test_selection(client):
    found = post(client, query="exposure < 100", show=["size"])
    path = f"/api/v1/results/{found['cursor']}/selection"
    sizes = {row[0]: row[1] for row in found["rows"]}
    refs = list(sizes)
    answer = client.post(path, json={"all": True, "except": refs[:2]}).json()
    assert answer["count"] == 8
    assert answer["bytes"] == sum(sizes[ref] for ref in refs[2:])
    assert answer["tags"] == {"good": 8, "set 0": 4, "set 1": 4}
    answer = client.post(path, json={"refs": refs[:3]}).json()
    assert answer["count"] == 3
    assert answer["tags"] == {"good": 3, "set 0": 2, "set 1": 1}
    assert client.post(path, json={"refs": []}).json() == {"count": 0, "bytes": 0, "tags": {}}


def test_several_pools(shown_pool, pool):
    with client_of(shown_pool, pool) as client:
        found = post(client, query="obsid == 1342180001", show=["pool", "name"])
        assert sorted(row[1] for row in found["rows"]) == ["own", "shown"]
        assert found["pools"].keys() == {"own", "shown"}
        assert post(client)["columns"][0]["key"] == "pool"
        one = post(client, pools=["own"])
        assert one["total"] == 6
        facets = client.post(
            f"/api/v1/results/{found['cursor']}/facets",
            json={"keys": ["pool", "instrument", "tags"]},
        ).json()["facets"]
        assert facets["pool"]["values"] == [["shown", 1], ["own", 1]]
        assert facets["instrument"]["values"] == [["SPIRE", 2]]
        assert facets["tags"]["values"][0] == ["good", 2]
        for row, place in zip(found["rows"], range(2), strict=True):
            answer = client.get(
                f"/api/v1/results/{found['cursor']}/position", params={"ref": row[0]}
            )
            assert answer.json()["index"] == place
        assert client.post("/api/v1/results", json={"pools": ["none"]}).status_code == 404
        assert "pools=[" in found["code"]["python"]
        run = eval(found["code"]["python"], {"skypool": sp})
        assert len(run) == 2


def test_as_of_a_commit(pool):
    with sp.Pool(pool) as opened:
        opened.save(made(7), name="later")
        opened.tag("obs/000/map", "late tag")
    with client_of(pool) as client:
        assert post(client)["total"] == 7
        old = post(client, at=1)
        assert old["total"] == 6
        assert old["pools"] == {"own": 1}
        assert post(client, at="1")["cursor"] == old["cursor"]
        facets = client.post(f"/api/v1/results/{old['cursor']}/facets", json={"keys": ["tags"]})
        assert facets.json()["facets"]["tags"]["values"] == [["good", 6]]
        assert post(client, at="2999-01-01")["total"] == 7
        for wrong in ("nonsense", "-3", 10**9):
            assert client.post("/api/v1/results", json={"at": wrong}).status_code in (400, 404)


def test_all_versions(pool):
    with sp.Pool(pool) as opened:
        product = opened["obs/001/map"].product
        opened.save(product.replace(meta={"object": "changed"}), name="obs/001/map")
    with client_of(pool) as client:
        assert post(client, query="obsid == 1342180001")["total"] == 1
        found = post(client, query="obsid == 1342180001", all_versions=True, show=["version"])
        assert [row[1] for row in found["rows"]] == [0, 1]


def test_a_result_stays_as_it_was_while_others_commit(pool):
    with client_of(pool) as client, sp.Pool(pool) as other:
        found = post(client)
        other.save(made(8), name="obs/0000/first")
        path = f"/api/v1/results/{found['cursor']}/rows"
        rows = client.get(path, params={"columns": "name"}).json()["rows"]
        assert [row[1] for row in rows] == expected(range(6))
        again = post(client)
        assert again["total"] == 7
        assert again["cursor"] != found["cursor"]


def test_identical_content_once_unless_asked(pool):
    with sp.Pool(pool) as opened:
        opened.save(opened["obs/001/map"].product, name="copy of it")
    with client_of(pool) as client:
        assert post(client)["total"] == 6
        assert post(client, all_names=True)["total"] == 7


def test_odd_values(tmp_path):
    meta = {
        "large": 2**60, "nan": float("nan"), "infinite": float("inf"), "empty": "",
        "DATE-OBS": "x", "it's": 'a "quote" \\ and \n', "in": 3,
    }  # fmt: skip
    with sp.Pool(tmp_path / "odd") as pool:
        pool.save(sp.Product(meta=meta), name="odd/näme 100%")
    with client_of(tmp_path / "odd") as client:
        found = post(client, show=[*meta, "name"])
        row = found["rows"][0][1:]
        assert row[:4] == [str(2**60), "NaN", "Infinity", ""]
        assert row[-1] == "odd/näme 100%"
        keys = list(meta)
        facets = client.post(
            f"/api/v1/results/{found['cursor']}/facets", json={"keys": keys}
        ).json()["facets"]
        for key in keys:
            if facets[key]["values"]:
                value = facets[key]["values"][0][0]
                again = post(client, filters=[{"key": key, "values": [value]}])
                assert again["total"] == 1, (key, value)


def test_the_empty_pool(tmp_path):
    with client_of(tmp_path / "nothing yet") as client:
        found = post(client, query="anything == 3")
        assert found["total"] == 0
        facets = client.post(
            f"/api/v1/results/{found['cursor']}/facets", json={"keys": ["tags", "object"]}
        )
        assert facets.json()["facets"]["tags"]["values"] == []
        assert client.get("/api/v1/pools").json()["pools"][0]["products"] == 0
        assert client.get("/api/v1/keys").status_code == 200
        assert client.get("/api/v1/complete", params={"text": "in"}).status_code == 200


def test_mentions_agrees_between_the_tables_the_arrays_and_the_evaluator(tmp_path):
    rng = np.random.default_rng(7)
    words = ["Alpha", "beta", "GAMMA", "12", "3.5", "2011", "Ångström", "x" * 230 + "deep"]
    with sp.Pool(tmp_path / "words") as pool, pool.commit() as commit:
        for number in range(60):
            chosen = [words[n] for n in rng.integers(0, len(words), 3)]
            meta = {
                "a": " ".join(chosen), "b": int(rng.integers(10, 14)), "c": 3.5,
                "d": number % 2 == 0,
                "when": f"20{10 + number % 3}-01-01T00:00:00.000000Z",
            }  # fmt: skip
            image = sp.Array(np.ones((2, 2)), meta={"inner": chosen[0]}, wcs=wcs(1.0, 2.0, 2))
            product = sp.Product(meta=meta, datasets={"image": image})
            tags = [chosen[1][:40]] if number % 4 == 0 else []
            commit.save(product, name=f"{chosen[2][:20]}/{number}", tags=tags)
    from skypool.pool.subject import ProductSubject
    from skypool.query.mentions import is_there, word_of

    asked = ["alpha", "BETA", "mm", "12", "13", "3.5", "1", "2011", "2012-01", "01-01", "ngst",
             "deep", "Å", "å", "%", "_", "", "nothing", "alpha beta"]  # fmt: skip
    with sp.Pool(tmp_path / "words", "r") as pool:
        for arrays in (False, True):
            if arrays:
                pool.find("").facets("a")  # columns in memory: from now on arrays answer
            for text in asked:
                word = word_of(text)
                wanted = [
                    ref.name for ref in pool.ls() if is_there(word, ProductSubject(pool.view, ref))
                ]
                for query, there in (("mentions($w)", True), ("not mentions($w)", False)):
                    found = [ref.name for ref in pool.find(query, w=text, all_names=True)]
                    rest = [ref.name for ref in pool.ls() if ref.name not in wanted]
                    assert found == (wanted if there else rest), (text, arrays, query)


def test_long_answers_are_compressed_for_who_takes_it(client):
    plain = client.get("/api/v1/openapi.json", headers={"Accept-Encoding": "identity"})
    packed = client.get("/api/v1/openapi.json", headers={"Accept-Encoding": "gzip, br"})
    assert plain.json() == packed.json()
    assert plain.headers["vary"] == packed.headers["vary"] == "Accept-Encoding"
    assert packed.headers["content-encoding"] == "gzip"
    assert int(packed.headers["content-length"]) < int(plain.headers["content-length"]) / 4
    short = client.get("/api/v1/pools", headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in short.headers
