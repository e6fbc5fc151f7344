import dataclasses

from bridge.config import BridgeConfig


def test_the_hash_of_the_published_configuration():
    assert BridgeConfig().hash() == "87134d007deb"


def test_any_other_number_is_another_hash():
    default = BridgeConfig()
    for field in dataclasses.fields(default):
        other = dataclasses.replace(default, **{field.name: getattr(default, field.name) + 1})
        assert other.hash() != default.hash(), field.name
