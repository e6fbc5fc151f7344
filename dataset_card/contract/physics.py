"""The contract of v3: terminal voltage and magnetic field of virtual pouch cells, and the labels behind them."""

from dataset_card.contract.field import Field, declared, select

SENSORS, AXES = 24, 3
"""Number of field sensors above the cell, and of components of each: x along the cell, y across it, z away from it."""

STEPS, REST_TIMES = 33, 7
"""Number of voltage readings in one protocol, and of field readings at rest after the pulse."""

READINGS = SENSORS * AXES
"""Values in one reading of the array, sensor by sensor, with the three components of each sensor side by side."""

FIELDS = declared(Field, "physics")
"""Columns of a v3 release."""

CHEMISTRIES, STACKS, SOC_KNOWLEDGE, DEFECTS = (
    field.values or () for field in select(FIELDS, ("chemistry", "stack", "soc_knowledge", "defect"))
)
"""Properties in which cells differ. Stacks have 20 units with copper at both ends, or 19, which the field under load
shows more strongly. The state of charge is undisclosed, between 20 and 80 %, or set to 50 %, to within 0.5 %."""

PLACED = ("tear", "dry", "plating")
"""Defects that have a position in the plane."""

CHANNELS = ("voltage", "load", "rest", "scan")
TERMINALS, MAGNETICS = CHANNELS[:1], CHANNELS[1:]
"""Channels that a cycler records, and those that the magnetometers add."""

LABELS = (
    "soc", "soh", "lli", "lam_pe", "lam_ne", "r_ohm", "r_ct", "gradient_lli", "gradient_r", "defect", "share", "x_mm",
    "y_mm", "depth",
)  # fmt: skip
"""Columns that may be predicted but never used as inputs."""
