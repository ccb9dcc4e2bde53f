"""Encodes and decodes whatever an SBE schema describes, slowly and obviously: the second opinion of the tests."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

from simbench.protocol.sbe import FORMATS, LITTLE, SIZES, Group, Leaf, Schema, Template

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def decode_generic(schema: Schema, message: bytes) -> dict[str, Any]:
    """Decode one message, from its SBE header on, by walking the layout; slow and obvious.

    Returns the header's fields under "header", the root's by name, each group as a list of dictionaries. A null and a
    field that the message's version does not have are None; text is cut at its first zero byte; an unknown template
    has its header only. A mantissa stays an integer.

    Raises:
        ValueError: where a length points behind the end of the message.
    """
    order = "<" if schema.byte_order == LITTLE else ">"
    head = max(leaf.end for leaf in schema.header)
    fields = _leaves(schema.header, message, 0, head, order, 1 << 16)
    out: dict[str, Any] = {"header": fields}
    template = schema.templates.get(fields["templateId"])
    if template is None or fields["schemaId"] != schema.number:
        return out
    _block(template, message, head, fields["blockLength"], order, fields["version"], out)
    return out


def _block(
    block: Template | Group, message: bytes, at: int, length: int, order: str, version: int, out: dict[str, Any]
) -> int:
    if at + length > len(message):
        raise ValueError(f"block of {block.name} ends behind the message")
    out.update(_leaves(block.fields, message, at, length, order, version))
    at += length
    for group in block.groups:
        rows: list[dict[str, Any]] = []
        out[group.name] = rows
        if version < group.since or at == len(message):
            continue
        if at + group.head > len(message):
            raise ValueError(f"head of {group.name} ends behind the message")
        head = _leaves((group.block, group.number), message, at, group.head, order, version)
        at += group.head
        for _ in range(head["numInGroup"]):
            row: dict[str, Any] = {}
            rows.append(row)
            at = _block(group, message, at, head["blockLength"], order, version, row)
    for name, primitive in block.data:
        if at + SIZES[primitive] > len(message):
            raise ValueError(f"length of {name} ends behind the message")
        (count,) = struct.unpack_from(order + FORMATS[primitive], message, at)
        at += SIZES[primitive]
        if at + count > len(message):
            raise ValueError(f"{name} ends behind the message")
        out[name] = message[at : at + count]
        at += count
    return at


def _leaves(leaves: tuple[Leaf, ...], message: bytes, at: int, length: int, order: str, version: int) -> dict[str, Any]:
    return {leaf.name: _value(leaf, message, at, length, order, version) for leaf in leaves}


def _value(leaf: Leaf, message: bytes, at: int, length: int, order: str, version: int) -> Any:
    if leaf.offset < 0:
        return leaf.constant
    if version < leaf.since or leaf.end > length:
        return None
    start = at + leaf.offset
    if leaf.primitive == "char":
        text = message[start : start + leaf.length]
        text = text.split(b"\0", 1)[0]
        return text.decode("latin-1") or None
    values = struct.unpack_from(f"{order}{leaf.length}{FORMATS[leaf.primitive]}", message, start)
    if leaf.length > 1:
        return values
    return None if leaf.null is not None and values[0] == leaf.null else values[0]


def encode_generic(schema: Schema, number: int, values: Mapping[str, Any], version: int | None = None) -> bytes:
    """Encode one message, SBE header first, as `decode_generic` returns it.

    Args:
        schema: with the template.
        number: of the template.
        values: fields by name and groups as lists of such; what is left out is null, or zero where it has none.
        version: to write into the header; the schema's own where it is left out.
    """
    template = schema.templates[number]
    order = "<" if schema.byte_order == LITTLE else ">"
    head = {
        "blockLength": template.block_length,
        "templateId": number,
        "schemaId": schema.number,
        "version": schema.version if version is None else version,
    }
    length = max(leaf.end for leaf in schema.header)
    return _pack(schema.header, head, length, order) + _pack_block(template, values, order)


def _pack_block(block: Template | Group, values: Mapping[str, Any], order: str) -> bytes:
    out = _pack(block.fields, values, block.block_length, order)
    for group in block.groups:
        rows: Sequence[Mapping[str, Any]] = values.get(group.name, ())
        head = {group.block.name: group.block_length, group.number.name: len(rows)}
        out += _pack((group.block, group.number), head, group.head, order)
        out += b"".join(_pack_block(group, row, order) for row in rows)
    for name, primitive in block.data:
        data = values.get(name, b"")
        out += struct.pack(order + FORMATS[primitive], len(data)) + data
    return out


def _pack(leaves: Sequence[Leaf], values: Mapping[str, Any], length: int, order: str) -> bytes:
    out = bytearray(length)
    for leaf in leaves:
        if leaf.offset < 0:
            continue
        value = values.get(leaf.name)
        if leaf.primitive == "char":
            out[leaf.offset : leaf.end] = (value or "").encode("latin-1")[: leaf.length].ljust(leaf.length, b"\0")
            continue
        if value is None:
            value = leaf.null or 0
        items = list(value) if isinstance(value, tuple | list) else [value] * leaf.length
        struct.pack_into(f"{order}{leaf.length}{FORMATS[leaf.primitive]}", out, leaf.offset, *items)
    return bytes(out)
