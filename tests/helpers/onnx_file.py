"""A tiny ONNX network, written without the onnx package: the means of square blocks of what goes in."""

from __future__ import annotations


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _part(field: int, content: bytes | str) -> bytes:
    data = content.encode() if isinstance(content, str) else content
    return _varint(field << 3 | 2) + _varint(len(data)) + data


def _ints(name: str, values: list[int]) -> bytes:
    """A repeated integer attribute (type 7)."""
    return _part(5, _part(1, name) + b"".join(_number(8, value) for value in values) + _number(20, 7))


def _tensor(name: str, shape: list[int]) -> bytes:
    """A float32 input or output."""
    dims = b"".join(_part(1, _number(1, size)) for size in shape)
    return _part(1, name) + _part(2, _part(1, _number(1, 1) + _part(2, dims)))


def block_means(side: int, block: int) -> bytes:
    """Takes (1, 3, side, side), gives (1, 3 n n): the means of blocks by channel, row and column, n = side / block."""
    count = side // block
    pool = _part(1, "x") + _part(2, "y") + _part(4, "AveragePool") + _ints("kernel_shape", [block, block])
    pool += _ints("strides", [block, block])
    flatten = _part(1, "y") + _part(2, "z") + _part(4, "Flatten")
    graph = _part(1, pool) + _part(1, flatten) + _part(2, "means")
    graph += _part(11, _tensor("x", [1, 3, side, side])) + _part(12, _tensor("z", [1, 3 * count * count]))
    return _number(1, 7) + _part(8, _number(2, 12)) + _part(7, graph)
