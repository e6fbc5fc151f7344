import pyarrow as pa
import pytest

from dataset_card.contract.editions import EDITIONS
from dataset_card.contract.field import Field, arrow_schema_of, features_of, metadata_of, names_of, select


def test_lists_have_a_fixed_length_and_their_own_type():
    assert Field("a", "float32", "", length=3).arrow_type == pa.list_(pa.float32(), 3)
    assert Field("a", "int64", "").arrow_type == pa.int64()


@pytest.mark.parametrize("edition", EDITIONS.values(), ids=lambda edition: edition.bridge)
def test_what_follows_from_the_fields_of_an_edition_agrees(edition):
    names = names_of(edition.fields)
    assert len(set(names)) == len(names)
    assert arrow_schema_of(edition.fields).names == list(names) == list(features_of(edition.fields))
    assert set(metadata_of(edition.fields)) | set(edition.channels) <= set(names)
    assert names_of(select(edition.fields, names[::-1])) == names[::-1]
