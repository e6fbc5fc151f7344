"""The contract of v3: terminal voltage and magnetic field of virtual pouch cells, and the labels behind them."""

from dataset_card.contract.field import Field, declared, select

SENSORS, AXES = 24, 3
"""Field sensors above the cell, and components of each: x along the cell, y across it, z away from it."""

STEPS, REST_TIMES = 33, 7
"""Readings of the terminal voltage in one protocol, and readings of the field at rest after the pulse."""

READINGS = SENSORS * AXES
"""Numbers of one reading of the array, sensor by sensor, the three components of each side by side."""

FIELDS = declared(Field, "physics")
"""Columns of a v3 release."""

CHEMISTRIES, STACKS, SOC_KNOWLEDGE, DEFECTS = (
    field.values or () for field in select(FIELDS, ("chemistry", "stack", "soc_knowledge", "defect"))
)
"""What cells differ in. Stacks: 20 units, copper at both ends, or 19, which a load field sees more of. State of charge:
anywhere from 20 to 80 % and not told, or set to 50 %, to within 0.5 %."""

PLACED = ("tear", "dry", "plating")
"""Defects with a place in the plane."""

CHANNELS = ("voltage", "load", "rest", "scan")
TERMINALS, MAGNETICS = CHANNELS[:1], CHANNELS[1:]
"""What a cycler sees, and what the magnetometers add."""

LABELS = (
    "soc", "soh", "lli", "lam_pe", "lam_ne", "r_ohm", "r_ct", "gradient_lli", "gradient_r", "defect", "share", "x_mm",
    "y_mm", "depth",
)  # fmt: skip
"""Columns that a prediction may be of, and never from."""
