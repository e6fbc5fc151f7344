import numpy as np
import pyarrow as pa
import pytest

from bridge.audit.contents import check_table, lists, u_features
from dataset_card.storage.reading import read_table


@pytest.mark.parametrize("name", ["tiny_release", "v3_release"])
def test_rows_are_held_to_their_own_edition(name, request):
    table = read_table(request.getfixturevalue(name))
    where = [f"row {i}" for i in range(table.num_rows)]
    assert not check_table(table, where)
    mixed = table.set_column(
        table.column_names.index("bridge_version"), "bridge_version", pa.array(["v9"] * len(where))
    )
    assert {finding.check for finding in check_table(mixed, where)} >= {"fields"}


def test_time_is_checked_to_the_precision_of_its_column(tiny_release):
    table = read_table(tiny_release).slice(0, 4)
    time = lists(table, "time_norm", 100) + 1e-9
    column = pa.FixedSizeListArray.from_arrays(pa.array(time.ravel()), 100)
    changed = table.set_column(table.column_names.index("time_norm"), table.schema.field("time_norm"), column)
    assert "time_norm" in {finding.check for finding in check_table(changed, list("abcd"))}


def test_pulse_voltages_are_nan_where_there_are_none(v3_release, tiny_release):
    assert np.isnan(u_features(read_table(v3_release))).all()
    assert not np.isnan(u_features(read_table(tiny_release))).all()
