"""Write the samples included in the package: 200 rows of each published release, for a look without a build.

    python perf/samples.py magbridge-battery magbridge-battery-v2 magbridge-battery-v3

Rows are evenly spaced over the release, so that every kind is included. Signals are stored in single precision.
"""

import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from dataset_card.storage.reading import read_manifest, read_table
from dataset_card.storage.samples import DIGEST, ROWS, path_of


def main() -> None:
    """Write a sample of each release named on the command line."""
    for release in map(Path, sys.argv[1:]):
        manifest, table = read_manifest(release), read_table(release)
        table = table.take(np.linspace(0, table.num_rows - 1, ROWS).astype(int))
        lists = [field.name for field in table.schema if pa.types.is_fixed_size_list(field.type)]
        for name in lists:
            at = table.schema.get_field_index(name)
            table = table.set_column(at, name, table[name].cast(pa.list_(pa.float32(), table[name].type.list_size)))
        table = table.replace_schema_metadata({DIGEST: manifest["dataset_digest"].encode()})
        pq.write_table(
            table,
            path_of(manifest["name"]),
            compression="zstd",
            compression_level=19,
            use_dictionary=[name for name in table.column_names if name not in lists],
            use_byte_stream_split=[f"{name}.list.element" for name in lists],
        )
        print(f"{path_of(manifest['name']).name}: {path_of(manifest['name']).stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
