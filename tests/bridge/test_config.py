import dataclasses

from bridge.config import BridgeConfig, canonical_json


def test_the_hash_of_the_published_configuration():
    assert BridgeConfig().hash() == "87134d007deb"


def test_any_other_number_is_another_hash():
    default = BridgeConfig()
    for field in dataclasses.fields(default):
        other = dataclasses.replace(default, **{field.name: getattr(default, field.name) + 1})
        assert other.hash() != default.hash(), field.name


def test_the_text_under_a_hash_has_sorted_keys_and_no_spaces():
    assert canonical_json({"b": [1.0, None], "a": "x"}) == '{"a":"x","b":[1.0,null]}'
