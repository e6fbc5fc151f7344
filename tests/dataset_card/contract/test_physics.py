from dataset_card.contract import physics
from dataset_card.contract.configs import V3_CONFIGS
from dataset_card.contract.editions import V3
from dataset_card.contract.field import names_of


def test_a_row_has_681_numbers_and_every_label():
    lengths = {field.name: field.length for field in physics.FIELDS if field.length}
    assert lengths == {"voltage": 33, "load": 72, "rest": 504, "scan": 72} and tuple(lengths) == physics.CHANNELS
    assert set(physics.LABELS) < set(names_of(physics.FIELDS))
    assert set(physics.PLACED) < set(physics.DEFECTS)


def test_a_tasks_configuration_shows_its_label_and_nothing_else_to_lean_on():
    for config in V3_CONFIGS:
        if config.task:
            others = set(config.columns) - {"sample_id", "cell_id", "bridge_version", *physics.CHANNELS}
            assert others and others <= set(physics.LABELS), config.name


def test_groups_of_files_hold_their_own_rows():
    assert V3.patterns(V3.config("symmetric"))["test"] == [
        f"data/{knowledge}/by-cell-test/by-record-*-*-symmetric.parquet" for knowledge in physics.SOC_KNOWLEDGE
    ]
