"""Reads Parquet through pyarrow, which datasets brings; a file of others within bounds."""

from pathlib import Path

from toolkit.core.errors import DataError, first_line
from toolkit.data.json_rows import as_conversation
from toolkit.data.records import MAX_BYTES, Record, Records

BATCH_ROWS = 256  # a compressed file may be many times larger in memory, so it is counted as it is read


def parquet_records(path: Path, data: bytes) -> Records:
    """The rows of a Parquet file. Raises DataError for a damaged or too large one."""
    import pyarrow as pa
    from pyarrow import parquet

    rows: list[Record] = []
    size = 0
    try:
        for batch in parquet.ParquetFile(pa.BufferReader(data)).iter_batches(batch_size=BATCH_ROWS):
            size += batch.nbytes
            if size > MAX_BYTES:
                raise DataError(f"{path} has over {MAX_BYTES / 1e9:.0f} GB when unpacked.", next="Split it.")
            start = len(rows) + 1
            rows += ((number, as_conversation(row)) for number, row in enumerate(batch.to_pylist(), start=start))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DataError(f"{path} is not a Parquet file that can be read: {first_line(error)}.",
                        next="Copy it again from its source, or write it as JSONL.") from None  # fmt: skip
    return Records(container="Parquet", items=tuple(rows))
