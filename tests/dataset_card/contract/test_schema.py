import datasets
import pyarrow as pa

from dataset_card.contract.schema import (
    BY_NAME,
    CHANNELS,
    FIELD_NAMES,
    FIELDS,
    METADATA_FIELDS,
    T,
    arrow_schema,
    features,
)


def test_every_description_of_a_row_has_the_same_columns():
    assert tuple(arrow_schema().names) == tuple(features()) == FIELD_NAMES == tuple(field.name for field in FIELDS)
    assert set(METADATA_FIELDS) == set(FIELD_NAMES) - {*CHANNELS, "u_features", "time_norm"}


def test_signals_are_fixed_lists_in_arrow_and_in_datasets():
    assert arrow_schema().field(CHANNELS[0]).type == pa.list_(pa.float64(), T)
    assert features()[CHANNELS[0]] == datasets.List(datasets.Value("float64"), length=T)


def test_what_may_be_null_is_said_in_the_schema():
    nullable = {field.name for field in arrow_schema() if field.nullable}
    assert nullable == {"parent_sample_id", "soh", "u_features", "second_life_class"}
    assert BY_NAME["soh"].nullable
