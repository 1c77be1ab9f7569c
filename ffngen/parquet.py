"""Parquet tables from bytes, read in the calling thread.

Arrow's own pools of threads may still be at work when a short process ends, which then aborts once in a while.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq


def decode_table(data: bytes, schema: pa.Schema) -> pa.Table:
    """The columns of a schema; those that the file lacks are null.

    :raises pyarrow.ArrowException, OSError, KeyError: it is no such table.
    """
    table = pq.ParquetFile(pa.BufferReader(data)).read(use_threads=False)
    columns = [
        table[field.name].cast(field.type) if field.name in table.column_names else pa.nulls(len(table), field.type)
        for field in schema
    ]
    return pa.table(columns, schema=schema)
