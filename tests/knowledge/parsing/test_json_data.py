from __future__ import annotations

import json

import pytest
from growth import assert_linear
from hypothesis import given, settings
from hypothesis import strategies as st

from knowledge.errors import DocumentDamaged, DocumentRefused, DocumentTooLarge, DocumentWithoutText
from knowledge.parsing.base import ParseContext, ParseLimits
from knowledge.parsing.json_data import JsonLinesParser, JsonParser, check_shape


def test_an_array_of_flat_objects_is_a_row_for_each(parse, shown) -> None:
    document = parse('[{"name": "Anna", "age": 30}, {"name": "Ben", "note": ""}]', "a.json")
    assert shown(document) == [("table_row", "name: Anna; age: 30"), ("table_row", "name: Ben")]
    assert [b.attrs["row"] for b in document.blocks] == [1, 2]
    cells = [[document.text[s:e] for s, e in b.attrs["cells"]] for b in document.blocks]
    assert cells == [["Anna", "30"], ["Ben"]]


def test_nested_objects_stand_below_headings_by_their_key(parse, shown) -> None:
    source = '{"name": "Shop", "address": {"city": "Rome", "geo": {"lat": 1.10}}, "tags": ["a", "b"], "none": null}'
    document = parse(source, "a.json")
    assert shown(document) == [
        ("paragraph", "name: Shop\ntags: a, b\nnone: null"),
        ("heading", "address"), ("paragraph", "city: Rome"), ("heading", "geo"), ("paragraph", "lat: 1.10"),
    ]  # fmt: skip
    assert document.blocks[-1].heading_path == ("address", "geo")
    assert document.title == "Shop"


def test_below_the_fourth_heading_the_path_stands_in_the_line(parse) -> None:
    document = parse('{"a":{"b":{"c":{"d":{"e":{"f":[{"x":1},{"y":{"z":[]}}]}}}}}}', "a.json")
    assert document.text.split("\n\n") == ["a", "b", "c", "d", "e.f[0].x: 1\ne.f[1].y.z: []"]


@pytest.mark.parametrize(
    "number", ["1.50", "-0", "1e400", "123456789012345678901234567890", "NaN", "-Infinity", "1E-5"]
)
def test_numbers_come_out_as_they_are_written(parse, number: str) -> None:
    assert parse(f'{{"n": {number}}}', "a.json").text == f"n: {number}"


def test_repeated_keys_are_kept(parse) -> None:
    assert parse('{"a": 1, "a": 2}', "a.json").text == "a: 1\na: 2"


def test_a_chat_reads_message_by_message_with_its_line_ends(parse, shown) -> None:
    source = json.dumps(
        [
            {
                "title": "Trip",
                "messages": [{"role": "user", "content": "Where?\n\nAnd when?"}, {"role": "bot", "content": "Rome."}],
            },
            {"title": "Tea", "messages": []},
        ]
    )
    document = parse(source, "chat.json")
    assert shown(document) == [
        ("heading", "[0] title: Trip"), ("heading", "messages"),
        ("paragraph", "role: user\ncontent: Where?\n\nAnd when?"), ("table_row", "role: bot; content: Rome."),
        ("heading", "[1] title: Tea"), ("paragraph", "messages: []"),
    ]  # fmt: skip
    assert document.blocks[3].heading_path == ("[0] title: Trip", "messages")


def test_a_map_has_a_row_for_each_feature_and_keeps_its_shape_out_of_search(parse, shown) -> None:
    shape = [[[n, n + 1.5] for n in range(50)]]
    features = [
        {"type": "Feature", "properties": {"name": "A"}, "geometry": {"type": "Point", "coordinates": [2.35, 48.85]}},
        {"type": "Feature", "properties": {"name": "B"}, "geometry": {"type": "Polygon", "coordinates": shape}},
    ]
    document = parse(json.dumps({"type": "FeatureCollection", "features": features}), "a.geojson")
    assert shown(document)[2:] == [
        ("table_row", "type: Feature; properties.name: A; geometry.type: Point; geometry.coordinates: 2.35, 48.85"),
        ("table_row", "type: Feature; properties.name: B; geometry.type: Polygon"),
        ("furniture", f"geometry.coordinates: {json.dumps(shape)}"),
    ]


def test_many_objects_by_key_are_rows_that_begin_with_the_key(parse, shown) -> None:
    source = json.dumps({f"user{n}": {"age": n, "city": "Oslo"} for n in range(30)})
    document = parse(source, "a.json")
    assert len(document.blocks) == 30
    assert shown(document)[3] == ("table_row", "user3; age: 3; city: Oslo")


def test_long_arrays_of_values_are_lists_and_arrays_of_arrays_are_rows(parse, shown) -> None:
    document = parse(json.dumps([f"This is sentence {n} of a list of long ones." for n in range(100)]), "a.json")
    assert shown(document)[99] == ("list_item", "This is sentence 99 of a list of long ones.")
    numbers = parse(json.dumps({"n": list(range(1000))}), "a.json")
    assert len(numbers.blocks) < 10
    assert "397, 398" in numbers.text
    assert shown(parse('[["a", 1], ["b", 2]]', "a.json")) == [("table_row", "a; 1"), ("table_row", "b; 2")]


def test_a_single_value_is_a_document_and_nothing_is_not(parse) -> None:
    assert parse('"hello"', "a.json").text == "hello"
    for empty in ("[]", "{}", '""', '[""]', '{"a": ""}'):
        with pytest.raises(DocumentWithoutText):
            parse(empty, "a.json")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_other_encodings_are_read(parse, encoding: str) -> None:
    assert parse('{"städte": ["Köln", "München"], "more words": "abc"}'.encode(encoding), "a.json").text.startswith(
        "städte: Köln, München"
    )


def test_what_a_database_cannot_hold_is_left_out(parse) -> None:
    document = parse(r'{"a\u0000b": "x\ud800y\u0000\r\nz", "emoji": "\ud83d\ude00"}', "a.json")
    assert document.text == "ab: xy\nz\nemoji: 😀"


@pytest.mark.parametrize("source", ["[" * 200_000, '{"a":' * 200_000, "[" * 201 + "]" * 201])
def test_a_deep_file_is_refused_in_words(parse, child, source: str) -> None:
    with pytest.raises(DocumentRefused, match="more than 200 levels deep"):
        parse(source, "deep.json")
    with pytest.raises(DocumentRefused, match="more than 200 levels deep"):
        child.parse(source.encode(), filename="deep.json")


def test_two_hundred_levels_are_read_and_brackets_in_strings_are_no_levels(parse) -> None:
    assert "canary" in parse("[" * 200 + '"canary"' + "]" * 200, "a.json").text
    assert "canary" in parse('{"a":' * 200 + '"canary"' + "}" * 200, "a.json").text
    assert check_shape('["' + r"[{\"" * 500 + '"]', ParseLimits()) == 1


def test_too_many_values_are_refused_before_any_is_built(parse) -> None:
    with pytest.raises(DocumentTooLarge, match="more than 10 values"):
        parse("[1" + ",1" * 20 + "]", "a.json", cells=10)
    with pytest.raises(DocumentTooLarge, match="more than 10 values"):
        parse("[1]\n" * 20, "a.jsonl", cells=10)


def test_paths_that_repeat_without_end_are_refused(parse) -> None:
    source = '{"a":{"b":{"c":{"d":{"' + "k" * 100_000 + '":{' + ",".join(f'"{n}":1' for n in range(2_000)) + "}}}}}}"
    with pytest.raises(DocumentTooLarge, match="Written out"):
        parse(source, "a.json")


@pytest.mark.parametrize(
    ("source", "where"),
    [('{"a": 1,\n "b" 2}', "line 2, column 6"), ("[1, 2", "line 1, column 6"), ("x", "line 1, column 1")],
)
def test_a_fault_is_named_by_line_and_column(parse, source: str, where: str) -> None:
    with pytest.raises(DocumentDamaged, match=where):
        parse(source, "a.json")


def test_lines_are_records_and_a_broken_one_is_reported(parse, shown) -> None:
    document = parse(
        '{"q": "one", "n": 1}\n\n{"q": broken}\n["a", "b"]\n' + "[" * 300 + '\n{"m": [{"r": {"s": "x"}}]}\n', "a.jsonl"
    )
    assert shown(document) == [
        ("table_row", "q: one; n: 1"), ("table_row", "a; b"), ("paragraph", "m[0].r.s: x"),
    ]  # fmt: skip
    assert [b.attrs["row"] for b in document.blocks] == [1, 4, 6]
    assert document.warnings == ("2 of 5 lines are not valid JSON and were left out: 3, 5.",)


def test_no_valid_line_is_a_damaged_file(parse) -> None:
    with pytest.raises(DocumentDamaged, match="No line"):
        parse("one\ntwo\n", "a.jsonl")
    with pytest.raises(DocumentWithoutText):
        parse("\n\n", "a.jsonl")


def test_json_and_lines_of_json_under_each_others_name_are_read(parse) -> None:
    assert parse('{"a": 1}\n{"a": 2}\n', "a.json").text == "a: 1\n\na: 2".replace("\n\n", "\n\n")
    assert parse('{\n "a": 1,\n "b": 2\n}\n', "a.jsonl").text == "a: 1\nb: 2"
    with pytest.raises(DocumentDamaged):
        parse('{"a": 1}\n{"a" 2}\n', "a.json")


def test_hidden_words_are_reported(parse) -> None:
    assert "Unicode tags" in parse(json.dumps({"a": "\U000e0041"}), "a.json").warnings[0]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=8), inner, max_size=5),
    max_leaves=30,
)


@given(value=VALUES)
@settings(max_examples=200, deadline=None)
def test_every_value_comes_out(value: object) -> None:
    source = json.dumps({"canary": 1, "value": value})
    document = JsonParser().parse(source.encode(), ContextA)
    folded = " ".join(document.text.split())
    for word in words(value):
        assert word in folded
    lines = JsonLinesParser().parse(source.encode(), ContextA)
    assert "canary" in lines.text


ContextA = ParseContext(filename="a")


def words(value: object) -> list[str]:
    """What must come out of a value, white space folded."""
    if isinstance(value, dict):
        return [word for member in value.values() for word in words(member)]
    if isinstance(value, list):
        return [word for item in value for word in words(item)]
    text = value if isinstance(value, str) else json.dumps(value)
    return [" ".join(text.replace("\0", "").split())]


@pytest.mark.parametrize(
    "piece", ['"', '"\\', '\\"', '{"a":1}\n', '{"a":', "[", "[]", '{"a":"b"},', "[1]\n", "x\n", '"a"\n', "]", "1,"]
)
def test_time_grows_with_the_size_and_no_faster(piece: str) -> None:
    assert_linear(JsonParser(), piece)
    assert_linear(JsonLinesParser(), piece)


@pytest.mark.parametrize("shape", ["[{}]", '{{"a": [{}]}}', '{{"a":{{"b":{{"c":{{"d":{{"e":[{}]}}}}}}}}}}'])
def test_long_arrays_take_time_in_proportion(shape: str) -> None:
    item = '{"k": {"m": [1, 2, {"z": "words"}]}, "x": "y"}'

    class Whole(JsonParser):
        def parse(self, data: bytes, context: ParseContext):
            count = data.count(b"+")
            return super().parse(shape.format(",".join([item] * count)).encode(), context)

    assert_linear(Whole(), "+", size=2_000)
