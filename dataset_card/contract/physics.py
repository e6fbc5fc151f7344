"""The contract of v3: terminal voltage and magnetic field of virtual pouch cells, and the labels behind them."""

from __future__ import annotations

from dataset_card.contract.field import Field

SENSORS, AXES = 24, 3
"""Field sensors above the cell, and components of each: x along the cell, y across it, z away from it."""

STEPS, REST_TIMES = 33, 7
"""Readings of the terminal voltage in one protocol, and readings of the field at rest after the pulse."""

READINGS = SENSORS * AXES
"""Numbers of one reading of the array, sensor by sensor, the three components of each side by side."""

CHEMISTRIES = ("NMC", "LFP")
STACKS = ("symmetric", "asymmetric")
"""20 units, copper at both ends; 19 units, which a load field sees more of."""

SOC_KNOWLEDGE = ("as_received", "known_soc")
"""State of charge: anywhere from 20 to 80 % and not told; or set to 50 %, to within 0.5 %."""

DEFECTS = ("none", "weld", "tear", "layer", "dry", "plating")
PLACED = ("tear", "dry", "plating")
"""Defects with a place in the plane."""

FIELDS = (
    Field("sample_id", "string", "Unique id that tells nothing of the row."),
    Field("cell_id", "string", "Virtual cell, named without meaning: the unit that splits keep whole."),
    Field("visit", "int64", "Number of the visit, from 0: each has a mounting, gains and noise of its own."),
    Field("bridge_version", "string", "Version of the bridge."),
    Field("bridge_config_hash", "string", "First 12 hex digits of the SHA-256 of the bridge configuration."),
    Field("schema_version", "string", "Version of this contract."),
    Field("chemistry", "string", "Cathode; the anode is graphite.", values=CHEMISTRIES),
    Field("stack", "string", "`symmetric`: 20 units; `asymmetric`: 19.", values=STACKS),
    Field(
        "soc_knowledge",
        "string",
        "`as_received`: SOC from 20 to 80 %, not to be used; `known_soc`: 50 %, to within 0.5 %.",
        values=SOC_KNOWLEDGE,
    ),
    Field("soc", "float64", "State of charge before the pulse.", unit="%"),
    Field("soh", "float64", "State of health, capacity over nominal capacity: an outcome of what follows."),
    Field("lli", "float64", "Share of the lithium inventory that is lost, the mean over the cell."),
    Field("lam_pe", "float64", "Share of the cathode's active material that is lost, the mean over the cell."),
    Field("lam_ne", "float64", "Share of the anode's active material that is lost, the mean over the cell."),
    Field("r_ohm", "float64", "Ohmic resistance, as a multiple of the fresh cell's."),
    Field("r_ct", "float64", "Charge-transfer resistance, as a multiple of the fresh cell's."),
    Field("gradient_lli", "float64", "Change of lost lithium from the middle of the stack to its front."),
    Field("gradient_r", "float64", "Relative change of resistance from the middle of the stack to its front."),
    Field("defect", "string", "The cell's defect.", values=DEFECTS),
    Field("share", "float64", "Size of the defect, a share of area, width or foils; null without one.", nullable=True),
    Field("x_mm", "float64", "Centre along the cell; null for defects without a place.", unit="mm", nullable=True),
    Field("y_mm", "float64", "Centre across the cell; null for defects without a place.", unit="mm", nullable=True),
    Field("depth", "int64", "Aluminium foil of a `layer` defect, from 0 at the bottom; else null.", nullable=True),
    Field("voltage", "float32", "Terminal voltage over the protocol's 33 times.", unit="V", length=STEPS),
    Field("load", "float32", "Field at the end of the pulse, 24 sensors of three components.", "nT", READINGS),
    Field(
        "rest",
        "float32",
        "Field at seven times after the pulse, each of 24 sensors of three components.",
        unit="nT",
        length=REST_TIMES * READINGS,
    ),
    Field("scan", "float32", "Field of the cell's moments in an applied field, as `load`.", "nT", READINGS),
)  # fmt: skip
"""Columns of a v3 release."""

CHANNELS = ("voltage", "load", "rest", "scan")
TERMINALS, MAGNETICS = CHANNELS[:1], CHANNELS[1:]
"""What a cycler sees, and what the magnetometers add."""

LABELS = (
    "soc", "soh", "lli", "lam_pe", "lam_ne", "r_ohm", "r_ct", "gradient_lli", "gradient_r", "defect", "share", "x_mm",
    "y_mm", "depth",
)  # fmt: skip
"""Columns that a prediction may be of, and never from."""
