"""Simple Binary Encoding: reads an exchange's XML schema into layouts, from which kernels take the numbers they need.

Source: FIX Simple Binary Encoding 1.0 and its release candidate 2, which CME uses.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from xml.etree.ElementTree import TreeBuilder
from xml.parsers import expat

from simbench.errors import SimbenchError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from xml.etree.ElementTree import Element

LITTLE: Final = "littleEndian"
FORMATS: Final = {
    "char": "c",
    "int8": "b",
    "uint8": "B",
    "int16": "h",
    "uint16": "H",
    "int32": "i",
    "uint32": "I",
    "int64": "q",
    "uint64": "Q",
    "float": "f",
    "double": "d",
}
SIZES: Final = {name: struct.calcsize("<" + code) for name, code in FORMATS.items()}
NULLS: Final = {
    "int8": -(2**7),
    "uint8": 2**8 - 1,
    "int16": -(2**15),
    "uint16": 2**16 - 1,
    "int32": -(2**31),
    "uint32": 2**32 - 1,
    "int64": -(2**63),
    "uint64": 2**64 - 1,
    "char": 0,
}
LARGEST_BLOCK: Final = 65_535  # what a 16-bit block length can say


@dataclass(frozen=True, slots=True)
class Leaf:
    """A field as it lies on the wire; composites of several parts are one leaf a part, named "Field.part".

    Attributes:
        name: the schema's.
        offset: bytes from the start of its block; -1 for a constant, which is not on the wire.
        primitive: one of FORMATS.
        length: elements; more than 1 for text and arrays.
        null: the value that says "none", where the field is optional.
        constant: the value of a constant.
        exponent: of ten, where the schema fixes one for the mantissa.
        since: schema version that added it.
    """

    name: str
    offset: int
    primitive: str
    length: int = 1
    null: int | None = None
    constant: int | str | None = None
    exponent: int | None = None
    since: int = 0

    @property
    def size(self) -> int:
        """Bytes on the wire."""
        return 0 if self.offset < 0 else SIZES[self.primitive] * self.length

    @property
    def end(self) -> int:
        """Offset behind its last byte."""
        return self.offset + self.size

    @property
    def kind(self) -> str:
        """Its type as tables show it: "int64", "char[20]", "int64 x 10**-9"."""
        if self.offset < 0:
            return f"{self.primitive} = {self.constant}"
        array = f"[{self.length}]" if self.length > 1 else ""
        scale = "" if self.exponent is None else f" x 10**{self.exponent}"
        return f"{self.primitive}{array}{scale}"


@dataclass(frozen=True, slots=True)
class Group:
    """A repeating group: a head that says how many blocks of which length follow.

    Attributes:
        name: the schema's.
        head: bytes of the head.
        block: the head's field with the length of one block.
        number: the head's field with the number of blocks.
        block_length: of one block in this schema; the wire's own counts.
        fields: of a block.
        groups: inside each block.
        data: variable-length fields behind each block: name and (length primitive, its size).
        since: schema version that added it.
    """

    name: str
    head: int
    block: Leaf
    number: Leaf
    block_length: int
    fields: tuple[Leaf, ...]
    groups: tuple[Group, ...] = ()
    data: tuple[tuple[str, str], ...] = ()
    since: int = 0


@dataclass(frozen=True, slots=True)
class Template:
    """A message type.

    Attributes:
        number: its template id.
        name: the schema's.
        block_length: of the root block in this schema; the wire's own counts.
        fields: of the root block.
        groups: behind it, in the order of the wire.
        data: variable-length fields behind the groups: name and length primitive.
        since: schema version that added it.
    """

    number: int
    name: str
    block_length: int
    fields: tuple[Leaf, ...]
    groups: tuple[Group, ...] = ()
    data: tuple[tuple[str, str], ...] = ()
    since: int = 0


@dataclass(frozen=True, slots=True)
class Schema:
    """A schema: its number, version, byte order, message header and templates by id."""

    number: int
    version: int
    byte_order: str
    header: tuple[Leaf, ...]
    templates: Mapping[int, Template]


def read_schema(text: bytes, name: str = "schema") -> Schema:
    """Read the XML of a schema; entities are refused and nothing outside the text is looked at.

    Args:
        text: the file's bytes.
        name: what to call it where it is wrong.
    """
    try:
        return _Reader(_parse(text)).schema()
    except (KeyError, ValueError, TypeError, AttributeError, struct.error) as error:
        raise SimbenchError(f"{name} is not an SBE schema that can be used: {_reason(error)}") from error
    except expat.ExpatError as error:
        raise SimbenchError(f"{name} is not well-formed XML: {error}") from error
    except RecursionError as error:
        raise SimbenchError(f"{name} nests too deep to be an SBE schema") from error


def layouts(schema: Schema) -> dict[str, list[tuple[str, int, str]]]:
    """Return every block of a schema as rows of (field, offset, type), by "id name" and "id name / group"."""
    tables: dict[str, list[tuple[str, int, str]]] = {}

    def add(title: str, block: Template | Group) -> None:
        tables[title] = [(leaf.name, leaf.offset, leaf.kind) for leaf in block.fields]
        for group in block.groups:
            add(f"{title} / {group.name}", group)

    for number, template in sorted(schema.templates.items()):
        add(f"{number} {template.name}", template)
    return tables


def describe(schema: Schema) -> Iterator[str]:
    """Yield a schema as lines of text: a heading per block, then a line per field."""
    for title, rows in layouts(schema).items():
        yield title
        for field, offset, kind in rows:
            yield f"  {'-' if offset < 0 else offset:>4}  {field:<28} {kind}"


def _parse(text: bytes) -> Element:
    builder = TreeBuilder()
    parser = expat.ParserCreate()

    def refuse(*_: Any) -> None:
        raise ValueError("it declares XML entities")

    parser.EntityDeclHandler = refuse
    parser.StartElementHandler = lambda tag, attributes: builder.start(tag.split(":")[-1], attributes)
    parser.EndElementHandler = lambda tag: builder.end(tag.split(":")[-1])
    parser.CharacterDataHandler = builder.data
    parser.buffer_text = True
    parser.Parse(text, True)
    return builder.close()


def _reason(error: Exception) -> str:
    return f"{error.args[0]} is missing" if isinstance(error, KeyError) else str(error)


class _Reader:
    """Turns the tree of a schema into layouts."""

    def __init__(self, root: Element) -> None:
        if root.tag != "messageSchema":
            raise ValueError(f"its root is <{root.tag[:40]}>, not <messageSchema>")
        self._root = root
        self._types = {
            element.get("name"): element
            for types in root
            if types.tag == "types"
            for element in types
            if element.tag in ("type", "composite", "enum", "set")
        }

    def schema(self) -> Schema:
        root = self._root
        header = self._composite(root.get("headerType") or "messageHeader")
        templates: dict[int, Template] = {}
        for element in root:
            if element.tag == "message":
                template = self._template(element)
                if template.number in templates:
                    raise ValueError(f"template {template.number} stands there twice")
                templates[template.number] = template
        if not templates:
            raise ValueError("it has no <message>")
        names = {leaf.name for leaf in header}
        missing = sorted({"blockLength", "templateId", "schemaId", "version"} - names)
        if missing:
            raise ValueError(f"its message header has no {missing[0]}")
        order = root.get("byteOrder") or LITTLE
        if order not in (LITTLE, "bigEndian"):
            raise ValueError(f"byteOrder {order!r} is neither littleEndian nor bigEndian")
        return Schema(_number(root, "id"), _number(root, "version", 0), order, header, templates)

    def _template(self, element: Element) -> Template:
        name = element.attrib["name"]
        fields, groups, data, used = self._parts(element, name)
        return Template(
            _number(element, "id", largest=65_535),
            name,
            _number(element, "blockLength", used),
            fields,
            groups,
            data,
            _number(element, "sinceVersion", 0),
        )

    def _group(self, element: Element, owner: str) -> Group:
        name = element.attrib["name"]
        fields, groups, data, used = self._parts(element, f"{owner} / {name}")
        head = {leaf.name: leaf for leaf in self._composite(element.get("dimensionType") or "groupSizeEncoding")}
        for part in ("blockLength", "numInGroup"):
            if part not in head or head[part].offset < 0 or head[part].primitive not in ("uint8", "uint16", "uint32"):
                raise ValueError(f"the head of group {name} has no unsigned {part}")
        return Group(
            name,
            max(leaf.end for leaf in head.values()),
            head["blockLength"],
            head["numInGroup"],
            _number(element, "blockLength", used),
            fields,
            groups,
            data,
            _number(element, "sinceVersion", 0),
        )

    def _parts(
        self, element: Element, owner: str
    ) -> tuple[tuple[Leaf, ...], tuple[Group, ...], tuple[tuple[str, str], ...], int]:
        fields: list[Leaf] = []
        groups: list[Group] = []
        data: list[tuple[str, str]] = []
        at = 0
        for part in element:
            if part.tag == "field":
                leaves = self._field(part, at, owner)
                fields.extend(leaves)
                at = max([at, *(leaf.end for leaf in leaves if leaf.offset >= 0)])
            elif part.tag == "group":
                groups.append(self._group(part, owner))
            elif part.tag == "data":
                length = next(leaf for leaf in self._composite(part.attrib["type"]) if leaf.name == "length")
                data.append((part.attrib["name"], length.primitive))
        block_length = _number(element, "blockLength", at)
        if at > block_length:
            raise ValueError(f"the fields of {owner} end at {at}, behind their block of {block_length} bytes")
        return tuple(fields), tuple(groups), tuple(data), at

    def _field(self, element: Element, at: int, owner: str) -> list[Leaf]:
        name = element.attrib["name"]
        kind = element.attrib["type"]
        since = _number(element, "sinceVersion", 0)
        offset = _number(element, "offset", at, largest=LARGEST_BLOCK)
        leaves = self._leaves(kind, offset, name, owner)
        scaled = [leaf for leaf in leaves if leaf.name == "exponent" and leaf.offset < 0]
        if scaled and len(leaves) == 2:
            mantissa = next(leaf for leaf in leaves if leaf.name != "exponent")
            return [_renamed(mantissa, name, since, int(scaled[0].constant or 0))]
        if len(leaves) == 1:
            leaf = leaves[0]
            if element.get("presence") == "constant" and leaf.offset >= 0:
                leaf = Leaf(name, -1, leaf.primitive, leaf.length, None, self._constant(leaf.primitive, element))
            elif element.get("presence") == "optional" and leaf.null is None and leaf.offset >= 0:
                leaf = Leaf(name, leaf.offset, leaf.primitive, leaf.length, NULLS.get(leaf.primitive))
            return [_renamed(leaf, name, since)]
        return [_renamed(leaf, f"{name}.{leaf.name}", since) for leaf in leaves]

    def _leaves(self, kind: str, offset: int, name: str, owner: str) -> list[Leaf]:
        if kind in SIZES:
            return [Leaf(name, offset, kind)]
        element = self._types.get(kind)
        if element is None:
            raise ValueError(f"type {kind!r} of {owner} / {name} is not declared")
        if element.tag == "composite":
            return list(self._composite(kind, offset))
        return [self._simple(element, offset)]

    def _composite(self, kind: str, offset: int = 0) -> tuple[Leaf, ...]:
        element = self._types.get(kind)
        if element is None or element.tag != "composite":
            raise ValueError(f"composite {kind!r} is not declared")
        leaves: list[Leaf] = []
        at = 0
        for part in element:
            if part.tag != "type":
                raise ValueError(f"composite {kind!r} holds a <{part.tag}>, which is not supported")
            leaf = self._simple(part, offset + _number(part, "offset", at, largest=LARGEST_BLOCK))
            leaves.append(_renamed(leaf, part.attrib["name"], leaf.since))
            if leaf.offset >= 0:
                at = leaf.end - offset
        return tuple(leaves)

    def _simple(self, element: Element, offset: int) -> Leaf:
        name = element.get("name", "")
        since = _number(element, "sinceVersion", 0)
        if element.tag in ("enum", "set"):
            encoding = element.attrib["encodingType"]
            if encoding in SIZES:
                return Leaf(name, offset, encoding, since=since)
            inner = self._types.get(encoding)
            if inner is None or inner.tag != "type":
                raise ValueError(f"encoding type {encoding!r} of {name} is not declared")
            return self._simple(inner, offset)
        primitive = element.get("primitiveType", "")
        if primitive not in SIZES:
            raise ValueError(f"type {name} has the unknown primitive type {primitive!r}")
        length = _number(element, "length", 1, largest=LARGEST_BLOCK)
        presence = element.get("presence", "required")
        if presence == "constant":
            return Leaf(name, -1, primitive, length, None, self._constant(primitive, element), since=since)
        null = None
        if presence == "optional" and primitive not in ("float", "double"):
            text = element.get("nullValue")
            null = NULLS[primitive] if text is None else int(text)
        return Leaf(name, offset, primitive, length, null, since=since)

    def _constant(self, primitive: str, element: Element) -> int | str:
        """Return what an element says as its text, or as a reference to a value of an enumeration."""
        value = (element.text or "").strip()
        enum, _, wanted = element.get("valueRef", "").partition(".")
        if wanted:
            choices = {choice.get("name"): choice.text for choice in self._types.get(enum, ())}
            if wanted not in choices:
                raise ValueError(f"{element.get('valueRef')!r} of {element.get('name')} is not declared")
            value = (choices[wanted] or "").strip()
        return value if primitive == "char" else int(value)


def _renamed(leaf: Leaf, name: str, since: int, exponent: int | None = None) -> Leaf:
    return Leaf(
        name,
        leaf.offset,
        leaf.primitive,
        leaf.length,
        leaf.null,
        leaf.constant,
        leaf.exponent if exponent is None else exponent,
        max(since, leaf.since) if leaf.offset >= 0 else 0,
    )


def _number(element: Element, key: str, default: int | None = None, *, largest: int = 2**31) -> int:
    text = element.get(key)
    if text is None:
        if default is None:
            raise ValueError(f"<{element.tag} name={element.get('name')!r}> has no {key}")
        return default
    value = int(text)
    if not 0 <= value <= largest:
        raise ValueError(f"{key}={text} of <{element.tag} name={element.get('name')!r}> is out of range")
    return value
