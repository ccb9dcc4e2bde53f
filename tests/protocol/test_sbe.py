"""Schemas: read as they are meant, refused in one line where they are nonsense, followed where a user moves them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from cme_reference import decoded, every_template, expected, packet, synthetic

from simbench.errors import SimbenchError
from simbench.protocol.cme_layout import shipped, user_schema
from simbench.protocol.cme_mdp3 import PROTOCOL, PROTOCOL_ORDERS, with_schema
from simbench.protocol.contract import COUNTS, UNKNOWN, Options, new_state
from simbench.protocol.sbe import Leaf, describe, layouts, read_schema
from simbench.protocol.sbe_codec import decode_generic, encode_generic

if TYPE_CHECKING:
    from pathlib import Path

SMALL = """<?xml version="1.0"?>
<sbe:messageSchema xmlns:sbe="urn:x" id="3" version="2" byteOrder="bigEndian">
  <types>
    <composite name="messageHeader">
      <type name="blockLength" primitiveType="uint16"/><type name="templateId" primitiveType="uint16"/>
      <type name="schemaId" primitiveType="uint16"/><type name="version" primitiveType="uint16"/>
    </composite>
    <composite name="groupSizeEncoding">
      <type name="blockLength" primitiveType="uint16"/><type name="numInGroup" primitiveType="uint16"/>
    </composite>
    <composite name="text">
      <type name="length" primitiveType="uint8"/><type name="varData" primitiveType="char"/>
    </composite>
    <composite name="price">
      <type name="mantissa" primitiveType="int32" presence="optional" nullValue="-1"/>
      <type name="exponent" primitiveType="int8" presence="constant">-2</type>
    </composite>
    <composite name="month">
      <type name="year" primitiveType="uint16"/><type name="day" primitiveType="uint8"/>
    </composite>
    <enum name="Side" encodingType="char"><validValue name="Buy">B</validValue></enum>
    <type name="kind" primitiveType="char" presence="constant">K</type>
  </types>
  <sbe:message name="Quote" id="9">
    <field name="Price" id="1" type="price"/>
    <field name="Month" id="2" type="month" offset="6"/>
    <field name="Side" id="3" type="Side"/>
    <field name="Kind" id="4" type="kind"/>
    <field name="Later" id="5" type="uint8" presence="optional" sinceVersion="2"/>
    <group name="Legs" id="6">
      <field name="Ratio" id="7" type="int8"/>
      <group name="Fills" id="8"><field name="Size" id="9" type="uint32"/></group>
    </group>
    <data name="Note" id="10" type="text"/>
  </sbe:message>
</sbe:messageSchema>
"""
QUOTE = {
    "Price": 250,
    "Month.year": 2026,
    "Month.day": 3,
    "Side": "B",
    "Kind": "K",
    "Later": 4,
    "Legs": [{"Ratio": -1, "Fills": [{"Size": 7}, {"Size": 8}]}, {"Ratio": 2, "Fills": []}],
    "Note": b"hello",
}


def test_offsets_types_and_nulls_come_out_of_the_xml() -> None:
    """Gaps, implicit offsets, composites, constants and enumerations give the fields that are on the wire."""
    template = read_schema(SMALL.encode()).templates[9]
    assert template.fields == (
        Leaf("Price", 0, "int32", null=-1, exponent=-2),
        Leaf("Month.year", 6, "uint16"),
        Leaf("Month.day", 8, "uint8"),
        Leaf("Side", 9, "char"),
        Leaf("Kind", -1, "char", constant="K"),
        Leaf("Later", 10, "uint8", null=255, since=2),
    )
    assert template.block_length == 11
    assert [(group.name, group.head, group.block_length) for group in template.groups] == [("Legs", 4, 1)]


def test_what_is_encoded_is_decoded_with_nested_groups_and_text_behind() -> None:
    """The generic codec follows group heads and lengths, here in big-endian."""
    schema = read_schema(SMALL.encode())
    body = encode_generic(schema, 9, QUOTE)
    assert body[8:12] == (250).to_bytes(4, "big")
    found = decode_generic(schema, body)
    assert found.pop("header") == {"blockLength": 11, "templateId": 9, "schemaId": 3, "version": 2}
    assert found == QUOTE


def test_a_null_and_a_field_of_a_later_version_are_none() -> None:
    """A version 1 message has no Later, though the byte is there."""
    schema = read_schema(SMALL.encode())
    found = decode_generic(schema, encode_generic(schema, 9, {**QUOTE, "Price": None}, version=1))
    assert (found["Price"], found["Later"], found["Month.day"]) == (None, None, 3)


def test_the_generic_decoder_refuses_lengths_behind_the_end() -> None:
    """Every cut of a message is a ValueError, or leaves out whole parts at its end."""
    schema = read_schema(SMALL.encode())
    body = encode_generic(schema, 9, QUOTE)
    for end in range(8, len(body)):
        with pytest.raises(ValueError, match="behind the message"):
            decode_generic(schema, body[: max(end, 8)])


def test_a_description_has_a_line_a_field() -> None:
    """Documentation shows blocks as tables of offset, field and type."""
    lines = list(describe(read_schema(SMALL.encode())))
    assert lines[:2] == ["9 Quote", "     0  Price                        int32 x 10**-2"]
    assert "9 Quote / Legs / Fills" in lines
    assert layouts(read_schema(SMALL.encode()))["9 Quote / Legs"] == [("Ratio", 0, "int8")]


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('primitiveType="int32"', 'primitiveType="int31"', "unknown primitive type 'int31'"),
        ('type="month"', 'type="year"', "type 'year' of Quote / Month is not declared"),
        ('offset="6"', 'offset="six"', "invalid literal"),
        ('offset="6"', 'offset="-6"', "out of range"),
        ('offset="6"', 'offset="99999999"', "out of range"),
        ('id="9"', "", "has no id"),
        ('name="numInGroup" primitiveType="uint16"', 'name="n" primitiveType="uint16"', "no unsigned numInGroup"),
        ('name="schemaId"', 'name="schema"', "no schemaId"),
        ("bigEndian", "middleEndian", "byteOrder"),
        ("</sbe:messageSchema>", "", "not well-formed"),
        ("sbe:messageSchema", "sbe:config", "root is <config>"),
        (
            '<sbe:message name="Quote" id="9">',
            '<sbe:message name="Quote" id="9" blockLength="5">',
            "behind their block",
        ),
    ],
)
def test_nonsense_is_refused_in_one_line(old: str, new: str, reason: str) -> None:
    """The line names the file and says what is wrong."""
    with pytest.raises(SimbenchError, match=re.escape(reason)) as caught:
        read_schema(SMALL.replace(old, new).encode(), "mine.xml")
    assert "mine.xml" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", [b"", b"\0", b"\xff\xfe\0", b"{}", b"<a/>", b"<messageSchema/>", bytes(range(256))])
def test_what_is_no_schema_is_refused(text: bytes) -> None:
    """Empty, binary and foreign files give the one line."""
    with pytest.raises(SimbenchError, match=r"mine\.xml"):
        read_schema(text, "mine.xml")


def test_entities_are_refused() -> None:
    """Neither a bomb of entities nor a file from outside gets in."""
    for entity in ('<!ENTITY a "aaaa">', '<!ENTITY a SYSTEM "file:///etc/passwd">'):
        text = f"<!DOCTYPE messageSchema [{entity}]>" + SMALL.split("\n", 1)[1]
        with pytest.raises(SimbenchError, match="declares XML entities"):
            read_schema(text.encode())


def test_the_shipped_schema_is_the_union_of_the_exchanges(real_captures: Path) -> None:
    """Every block of versions 8 and 9 lies as the exchange's own files say, and nothing else is in it."""
    found = set()
    for version in (8, 9):
        theirs = user_schema(str(real_captures / "schemas" / f"cme-templates-v{version}.xml"))
        ours = layouts(shipped())
        for title, rows in layouts(theirs).items():
            assert rows == ours[title]
            found.add(title)
        for number, template in theirs.templates.items():
            mine = shipped().templates[number]
            assert (template.name, template.block_length) == (mine.name, mine.block_length)
            heads = [(group.name, group.head, group.block, group.number) for group in template.groups]
            assert heads == [(group.name, group.head, group.block, group.number) for group in mine.groups]
    assert found == set(layouts(shipped()))


def moved(tmp_path: Path) -> str:
    """Write a user's later schema: templates 46 and 48 with their fields elsewhere, and one template more."""
    text = shipped_text()
    start, end = (
        text.index('<message name="MDIncrementalRefreshBook46"'),
        text.index('<message name="MDIncrementalRefreshOrderBook47"'),
    )
    book = text[start:end]
    for name, offset in (("MDEntryPx", 12), ("MDEntrySize", 20), ("SecurityID", 0), ("RptSeq", 4), ("TransactTime", 3)):
        book = re.sub(rf'(name="{name}"[^/]*) offset="\d+"', rf'\1 offset="{offset}"', book)
    book = re.sub(r'(name="NumberOfOrders"[^/]*) offset="\d+"', r'\1 offset="28"', book)
    book = re.sub(r'(name="MDPriceLevel"[^/]*) offset="\d+"', r'\1 offset="9"', book)
    book = re.sub(r'(name="MDUpdateAction"[^/]*) offset="\d+"', r'\1 offset="8"', book)
    book = re.sub(r'(name="MDEntryType"[^/]*) offset="\d+"', r'\1 offset="10"', book)
    book = re.sub(r'(name="MatchEventIndicator"[^/]*) offset="\d+"', r'\1 offset="11"', book)
    book = book.replace('blockLength="11"', 'blockLength="12"')
    wide = book.replace("MDIncrementalRefreshBook46", "MDIncrementalRefreshBookLongQty64").replace('id="46"', 'id="64"')
    wide = wide.replace('type="i32-null" offset="20"', 'type="u64-null" offset="20"')
    later = '<message name="SomethingNew99" id="99" blockLength="8"><field name="X" id="1" type="u64"/></message>'
    path = tmp_path / "later.xml"
    path.write_text(text[:start] + book + wide + later + text[end:])
    return str(path)


def shipped_text() -> str:
    """Return the shipped schema's text."""
    from importlib.resources import files

    return files("simbench.protocol").joinpath("cme_mdp3.xml").read_text()


def test_a_users_schema_moves_every_offset_without_a_recompile(tmp_path: Path) -> None:
    """Fields lie elsewhere and are wider, a template is new: events are as the generic decoder reads them."""
    path = moved(tmp_path)
    schema = user_schema(path)
    options = Options(schema=path)
    assert schema.templates[46].fields[0].offset == 3
    for seed in range(10):
        body = packet(synthetic(schema, 46, seed))
        for protocol, by_order in ((PROTOCOL, False), (PROTOCOL_ORDERS, True)):
            assert expected(schema, body, by_order=by_order) == decoded(protocol, new_state(protocol, options), body)[1]
    entry = {"MDEntryPx": 5, "MDEntrySize": 2**40, "MDEntryType": "1", "MDPriceLevel": 1}
    state = new_state(PROTOCOL, options)
    wide, new = encode_generic(schema, 64, {"NoMDEntries": [entry]}), encode_generic(schema, 99, {"X": 1})
    _, events = decoded(PROTOCOL, state, packet(wide, new))
    assert [(row["side"], row["price"], row["quantity"]) for row in events] == [(1, 5, 2**40)]
    assert (state[UNKNOWN], state[COUNTS + 64], state[COUNTS + 99]) == (0, 1, 1)
    keys = {message.key: message.name for message in with_schema(PROTOCOL, path).messages}
    assert keys["99"] == "SomethingNew99"


def test_the_exchanges_own_files_serve_as_schemas(real_captures: Path) -> None:
    """A version 8 file decodes version 8 messages and counts the later ones as unknown."""
    options = Options(schema=str(real_captures / "schemas" / "cme-templates-v8.xml"))
    schema = user_schema(options.schema or "")
    for number in every_template():
        state = new_state(PROTOCOL, options)
        body = packet(synthetic(shipped(), number, 5))
        _, events = decoded(PROTOCOL, state, body)
        assert expected(schema, body) == events
        assert (number not in schema.templates) == state[UNKNOWN]


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('<type name="exponent" primitiveType="int8" presence="constant">-9</type>', "", "need a constant exponent"),
        (">-9</type>", ">-12</type>", "need a constant exponent"),
        ('name="MDPriceLevel"', 'name="Level"', "there is no field MDPriceLevel"),
        ('name="NoMDFeedTypes"', 'name="FeedTypes"', "there is no group NoMDFeedTypes"),
        ('byteOrder="littleEndian"', 'byteOrder="bigEndian"', "message header is another one"),
    ],
)
def test_a_schema_that_cannot_be_followed_is_refused_in_one_line(
    old: str, new: str, reason: str, tmp_path: Path
) -> None:
    """The line names the file and the template."""
    path = tmp_path / "mine.xml"
    path.write_text(shipped_text().replace(old, new))
    with pytest.raises(SimbenchError, match=reason) as caught:
        new_state(PROTOCOL, Options(schema=str(path)))
    assert "mine.xml" in str(caught.value)


def test_a_schema_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    """The reason is the system's."""
    with pytest.raises(SimbenchError, match="cannot be read: No such file"):
        new_state(PROTOCOL, Options(schema=str(tmp_path / "none.xml")))
    path = tmp_path / "small.xml"
    path.write_text(SMALL.replace("bigEndian", "littleEndian"))
    with pytest.raises(SimbenchError, match="none of its templates"):
        new_state(PROTOCOL, Options(schema=str(path)))
