import errno
import json

import pyarrow as pa
import pytest

import ctmeter
from ctmeter.errors import StoreError
from ctmeter.store.results import Sink, Tables, check_output, read_summary, write_text

SCHEMA = pa.schema([("t", pa.int64())])
SUMMARY = {"schema_version": 1, "program": {"name": "ctmeter"}}


def rows(*values):
    return pa.RecordBatch.from_pydict({"t": list(values)}, schema=SCHEMA)


def made(out, *values, force=False):
    sink = Sink(out, {"basic": SCHEMA, "3s": SCHEMA}, force)
    sink.write("basic", rows(*values))
    return sink.commit(SUMMARY)


def listing(path):
    return sorted(p.name for p in path.iterdir())


def test_whole_or_not_at_all(tmp_path):
    sink = Sink(tmp_path / "r", {"basic": SCHEMA})
    sink.write("basic", rows(1))
    assert not (tmp_path / "r").exists()
    sink.discard()
    assert listing(tmp_path) == []
    made(tmp_path / "r", 1, 2)
    assert listing(tmp_path) == ["r"] and listing(tmp_path / "r") == ["3s.parquet", "basic.parquet", "snippets", "summary.json"]
    tables = Tables(tmp_path / "r")
    assert list(tables) == ["basic", "3s"] and tables["basic"]["t"].to_pylist() == [1, 2] and tables["3s"].num_rows == 0


def test_a_result_is_replaced(tmp_path):
    made(tmp_path / "r", 1)
    made(tmp_path / "r", 2)
    assert Tables(tmp_path / "r")["basic"]["t"].to_pylist() == [2] and listing(tmp_path) == ["r"]


@pytest.mark.parametrize("kind", ["file", "foreign", "foreign summary", "result and more"])
def test_what_ctmeter_did_not_make_is_not_replaced(tmp_path, kind):
    out = tmp_path / "r"
    if kind == "file":
        out.write_text("mine")
    elif kind == "result and more":
        made(out, 1)
    else:
        out.mkdir()
    if kind == "foreign summary":
        (out / "summary.json").write_text("{}")
    elif kind != "file":
        (out / "notes.txt").write_text("mine")
    with pytest.raises(StoreError) as caught:
        Sink(out, {"basic": SCHEMA})
    assert caught.value.errno == errno.EEXIST and listing(tmp_path) == ["r"]
    if kind != "file":
        made(out, 3, force=True)
        assert Tables(out)["basic"]["t"].to_pylist() == [3]
        assert kind == "foreign summary" or (out / "notes.txt").read_text() == "mine"


def test_an_empty_directory_may_be_used(tmp_path):
    (tmp_path / "r").mkdir()
    check_output(tmp_path / "r")
    made(tmp_path / "r", 1)
    assert read_summary(tmp_path / "r", whole=False) == SUMMARY


def test_parts_survive_and_later_ones_are_dropped(tmp_path):
    sink = Sink(tmp_path / "r", {"basic": SCHEMA})
    sink.write("basic", rows(1))
    state = json.loads(json.dumps(sink.state()))
    sink.write("basic", rows(99))
    sink._close()
    again = Sink.resume(state, {"basic": SCHEMA})
    again.write("basic", rows(2, 3))
    again.commit(SUMMARY)
    assert Tables(tmp_path / "r")["basic"]["t"].to_pylist() == [1, 2, 3] and listing(tmp_path / "r") == ["basic.parquet", "snippets", "summary.json"]
    with pytest.raises(StoreError, match="gone"):
        Sink.resume(state, {"basic": SCHEMA})


def test_reading_what_is_no_result(tmp_path):
    for place, number in ((tmp_path / "none", errno.ENOENT), (tmp_path, errno.ENOENT)):
        with pytest.raises(StoreError) as caught:
            read_summary(place)
        assert caught.value.errno == number
    (tmp_path / "summary.json").write_text("{")
    with pytest.raises(StoreError) as caught:
        read_summary(tmp_path)
    assert caught.value.errno == errno.EIO
    (tmp_path / "summary.json").write_text(json.dumps(SUMMARY))
    (tmp_path / "basic.parquet").write_bytes(b"PAR1 damaged PAR1")
    with pytest.raises(StoreError, match="cannot be read"):
        Tables(tmp_path)["basic"]
    with pytest.raises(KeyError):
        Tables(tmp_path)["2h"]


def test_unwritable_place(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError):
        Sink(tmp_path / "file" / "r", {"basic": SCHEMA})
    with pytest.raises(StoreError):
        write_text(tmp_path / "none" / "x.html", "x")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"program": {"name": "ctmeter"}}', "is damaged: recording, settings, wiring, sides, events, not_measured missing"),
        ('{"program": "ctmeter"}', "is of something else"),
        ('["ctmeter"]', "is of something else"),
    ],
)
def test_a_summary_that_lacks_what_a_result_is_made_of(tmp_path, text, words):
    (tmp_path / "summary.json").write_text(text)
    with pytest.raises(StoreError, match=words):
        ctmeter.load(tmp_path)
    with pytest.raises(StoreError, match=words):
        ctmeter.en50160.assess(tmp_path)
