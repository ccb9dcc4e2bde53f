"""The bytes of a capture file, decompressed on the way: told by content, bounded in memory, honest about their end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol, Self, cast

from simbench.errors import SimbenchError

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType
    from typing import IO

GZIP: Final = b"\x1f\x8b"
ZSTD: Final = b"\x28\xb5\x2f\xfd"
CHUNK: Final = 1 << 17  # bytes of compressed input at a time
PIECE: Final = 1 << 16  # bytes of output at a time: what damage inside a compressed stream can cost
WINDOW: Final = 1 << 27  # the largest zstd window accepted, 128 MiB, which is also the zstd tool's default limit
NESTED: Final = 3  # compressions inside each other


class Source(Protocol):
    """Whatever fills a buffer with the next bytes."""

    @property
    def problem(self) -> str:
        """Why the bytes ended before they should have; "" when they did not."""

    def readinto(self, view: memoryview) -> int:
        """Fill the front of view; return the number of bytes, 0 at the end."""


class Stream:
    """A capture file's content from its first byte on.

    Attributes:
        compression: "none", "gzip", "zstd", or several from outside in.
    """

    def __init__(self, path: Path) -> None:
        """Open the file and find out how it is compressed.

        Raises:
            SimbenchError: it cannot be read, or is no file, or is compressed too often.
        """
        if not path.exists():
            raise SimbenchError(f"there is no file {path}")
        if not path.is_file():
            raise SimbenchError(f"{path} is not a file: a capture is read from an ordinary file")
        self._layers: list[Source] = []
        try:
            self._file = path.open("rb", buffering=0)
        except OSError as error:
            raise SimbenchError(f"cannot read {path}: {error.strerror}") from None
        kinds: list[str] = []
        while True:
            self._file.seek(0)
            self._source = _stack(self._file, kinds)
            head = bytearray(4)
            fill(self._source, memoryview(head))
            kind = _compression(head)
            if not kind:
                break
            kinds.append(kind)
            if len(kinds) > NESTED:
                self._file.close()
                raise SimbenchError(f"{path} is compressed more than {NESTED} times over: decompress it first")
        self._file.seek(0)
        self._source = _stack(self._file, kinds)
        self.compression = ", ".join(kinds) or "none"

    @property
    def problem(self) -> str:
        """Why the bytes ended early; "" when they did not."""
        return self._source.problem

    def readinto(self, view: memoryview) -> int:
        """Fill view as far as the content goes; return the number of bytes."""
        return fill(self._source, view)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def fill(source: Source, view: memoryview) -> int:
    """Read until view is full or the source ends; return the number of bytes."""
    at = 0
    while at < len(view):
        count = source.readinto(view[at:])
        if count == 0:
            break
        at += count
    return at


def _compression(head: bytearray) -> str:
    if head.startswith(GZIP):
        return "gzip"
    if head == ZSTD or _skippable(head):
        return "zstd"
    return ""


def _skippable(head: bytes | bytearray) -> bool:
    return len(head) == 4 and 0x184D2A50 <= int.from_bytes(head, "little") <= 0x184D2A5F


def _stack(file: _File, kinds: list[str]) -> Source:
    source: Source = Plain(file)
    for kind in kinds:
        source = Gzip(source) if kind == "gzip" else Zstd(source)
    return source


class _File(Protocol):
    def readinto(self, view: memoryview, /) -> int | None: ...


class Plain:
    """A file as it is."""

    def __init__(self, file: _File) -> None:
        """Read from an unbuffered file."""
        self._file = file
        self.problem = ""

    def readinto(self, view: memoryview) -> int:
        """Read straight into the buffer."""
        try:
            return self._file.readinto(view) or 0
        except OSError as error:
            self.problem = f"the file cannot be read further: {error.strerror}"
            return 0


class Gzip:
    """Gzip members, one after another (RFC 1952), by ISA-L."""

    def __init__(self, source: Source) -> None:
        """Decompress what the source yields."""
        self._source = source
        self._own = ""
        self._ended = False
        self._begun = False
        self._input = b""
        self._chunk = memoryview(bytearray(CHUNK))
        self._member = _gzip_member()

    @property
    def problem(self) -> str:
        """Why the bytes ended early."""
        return self._source.problem or self._own

    def readinto(self, view: memoryview) -> int:
        """Decompress into the buffer, at most PIECE bytes."""
        room = min(len(view), PIECE)
        while not self._ended:
            if self._member.eof and not self._next_member():
                break
            if not self._input:
                self._input = self._more()
                if not self._input:
                    self._stop("the gzip stream ends early")
                    break
            try:
                output = self._member.decompress(self._input, room)
            except Exception as error:  # noqa: BLE001 - its error class is private to the C extension
                self._stop(f"the gzip stream is damaged ({error})")
                break
            self._input = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
            if output:
                view[: len(output)] = output
                return len(output)
        return 0

    def _more(self) -> bytes:
        return bytes(self._chunk[: self._source.readinto(self._chunk)])

    def _next_member(self) -> bool:
        """Start the next member; zeros behind the last one are padding, anything else is worth a word."""
        rest = self._input.lstrip(b"\0")
        while len(rest) < len(GZIP):
            more = self._more()
            if not more:
                break
            rest = (rest + more).lstrip(b"\0")
        if not rest.startswith(GZIP):
            self._stop("bytes that are not gzip follow the gzip stream" if rest else "")
            return False
        self._input = rest
        self._member = _gzip_member()
        return True

    def _stop(self, problem: str) -> None:
        self._own = problem
        self._ended = True


class Zstd:
    """Zstandard frames, one after another (RFC 8878)."""

    def __init__(self, source: Source) -> None:
        """Decompress what the source yields."""
        import zstandard

        self._tap = _Tap(source)
        self._error = zstandard.ZstdError
        self._reader = zstandard.ZstdDecompressor(max_window_size=WINDOW).stream_reader(
            cast("IO[bytes]", self._tap), read_size=CHUNK, read_across_frames=True, closefd=False
        )
        self._own = ""
        self._ended = False

    @property
    def problem(self) -> str:
        """Why the bytes ended early."""
        return self._tap.source.problem or self._own

    def readinto(self, view: memoryview) -> int:
        """Decompress into the buffer, at most PIECE bytes."""
        if self._ended:
            return 0
        try:
            count: int = self._reader.readinto(view[:PIECE])
        except self._error as error:
            self._own = f"the zstd stream is damaged ({str(error).removeprefix('zstd decompress error: ')})"
            self._ended = True
            return 0
        if count == 0:
            self._ended = True
            if not self._tap.frames.whole:
                self._own = "the zstd stream ends early"
        return count


class _Tap:
    """Hand a source to zstandard and follow the frames that pass."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.frames = ZstdFrames()

    def read(self, size: int) -> bytes:
        chunk = bytearray(size)
        count = self.source.readinto(memoryview(chunk))
        passed = bytes(memoryview(chunk)[:count])
        self.frames.feed(passed)
        return passed


class ZstdFrames:
    """Follow the frames of a zstd stream: the library does not tell a stream that is cut from one that is whole.

    Attributes:
        whole: whether what was fed so far ends where a frame ends.
    """

    def __init__(self) -> None:
        """Start before the first frame."""
        self.whole = True
        self._skip = 0
        self._head = bytearray()
        self._want = 4
        self._next = self._magic
        self._checksum = False

    def feed(self, data: bytes) -> None:
        """Follow data (RFC 8878, section 3.1.1)."""
        at = 0
        while at < len(data):
            if self._skip:
                step = min(self._skip, len(data) - at)
                self._skip -= step
                at += step
            else:
                step = self._want - len(self._head)
                self._head += data[at : at + step]
                at += step
                if len(self._head) < self._want:
                    break
                head, self._head = bytes(self._head), bytearray()
                self._next(head)
        self.whole = not self._skip and not self._head and self._next == self._magic

    def _expect(self, want: int, skip: int = 0) -> None:
        self._want, self._skip = want, skip

    def _magic(self, head: bytes) -> None:
        if _skippable(head):
            self._next = self._skippable_size
            self._expect(4)
        else:
            self._next = self._descriptor
            self._expect(1)

    def _skippable_size(self, head: bytes) -> None:
        self._next = self._magic
        self._expect(4, int.from_bytes(head, "little"))

    def _descriptor(self, head: bytes) -> None:
        single = head[0] >> 5 & 1
        self._checksum = bool(head[0] >> 2 & 1)
        window = 1 - single
        dictionary = (0, 1, 2, 4)[head[0] & 3]
        size = (single, 2, 4, 8)[head[0] >> 6]
        self._next = self._block
        self._expect(3, window + dictionary + size)

    def _block(self, head: bytes) -> None:
        word = int.from_bytes(head, "little")
        size = 1 if word >> 1 & 3 == 1 else word >> 3  # one byte, repeated
        if word & 1:
            self._next = self._magic
            self._expect(4, size + 4 * self._checksum)
        else:
            self._expect(3, size)


class _Member(Protocol):
    eof: bool
    unused_data: bytes
    unconsumed_tail: bytes

    def decompress(self, data: bytes, max_length: int) -> bytes: ...


def _gzip_member() -> _Member:
    from isal import isal_zlib

    member: _Member = isal_zlib.decompressobj(31)  # 31: with the gzip header and checksum
    return member
