"""The design of a pouch cell: geometry, foils, tabs and inventories; its presets cite a source for every value."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bridge.v3 import chemistry
from dataset_card.errors import MagBridgeError
from dataset_card.storage.documents import packaged

CODES = {"NMC": chemistry.NMC, "LFP": chemistry.LFP, "NMC111": chemistry.NMC111}
"""Material code of each chemistry's cathode."""

PRESETS = Path(__file__).with_name("presets.yaml")


@dataclass(frozen=True)
class PouchCell:
    """A pouch cell of N coated pairs (units) in parallel: copper outside, aluminium between, tabs on short edges.

    x runs along the length from the positive tab's edge, y along the width, z through the stack from its middle.

    Attributes:
        chemistry: `NMC` (NMC811), `LFP` or `NMC111` (NMC811 potentials, NMC111 moments); graphite anode.
        length_mm, width_mm: Size of the coated area along x and y.
        units: Number of coated pairs; even stacks end in copper on both faces.
        nominal_Ah: Capacity to which SOH and C rates refer.
        n_p_Ahm2, n_n_Ahm2, n_li_Ahm2: Cathode sites, anode sites and lithium of one pair.
        v_min, v_max: Voltage window in V.
        tau_p_s, tau_n_s: Diffusion times R^2 / D.
        r_0_ohmcm2, r_ct_ohmcm2, tau_ct_s: Ohmic and charge-transfer resistance of one pair, and the time constant of
            the latter.
        active_p, active_n: Volume share of active material in the coatings.
        separator_um, foil_p_um, foil_n_um: Thicknesses.
        sigma_p_Sm, sigma_n_Sm: Conductivities of the foils.
        tab_width_mm, tab_length_mm, tab_p_mm, tab_n_mm: Tabs: width, length, centres along y.
        opposite: Whether the negative tab is on the far edge, x = length.
        lead_mm: Length of the straight leads.
        closed_leads: Whether a wire joins the leads' far ends, so that the circuit is closed.
        pitch_um: Thickness of a unit; derived from the coatings if None.
        solid_p_um, solid_n_um: Solid thickness of active material; derived from the sites if None.
        dry_p, dry_n: Stoichiometries of a dry region; those of the empty fresh cell if None.
        two_modes: Whether to use the prototype's diffusion (see `impedance.ladder`).
        whole_end_foils: Whether end foils, coated on one side, count as whole in the sheet conductance. They carry half
            a foil's current, so counted as half foils they have the same potential as the others.

    Raises:
        MagBridgeError: If a value is impossible.

    Examples:
        >>> cell = PouchCell.preset("nmc")
        >>> round(cell.thickness_mm, 2)
        2.76
    """

    chemistry: str
    length_mm: float
    width_mm: float
    units: int
    nominal_Ah: float
    n_p_Ahm2: float
    n_n_Ahm2: float
    n_li_Ahm2: float
    v_min: float
    v_max: float
    tau_p_s: float
    tau_n_s: float
    r_0_ohmcm2: float
    r_ct_ohmcm2: float
    tau_ct_s: float
    active_p: float
    active_n: float
    separator_um: float
    foil_p_um: float
    foil_n_um: float
    sigma_p_Sm: float
    sigma_n_Sm: float
    tab_width_mm: float
    tab_length_mm: float
    tab_p_mm: float
    tab_n_mm: float
    opposite: bool
    lead_mm: float
    closed_leads: bool = True
    pitch_um: float | None = None
    solid_p_um: float | None = None
    solid_n_um: float | None = None
    dry_p: float | None = None
    dry_n: float | None = None
    two_modes: bool = False
    whole_end_foils: bool = False

    def __post_init__(self) -> None:
        if self.chemistry not in CODES:
            raise MagBridgeError(f"chemistry {self.chemistry!r}: expected one of {', '.join(CODES)}")
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.type == "bool":
                if not isinstance(value, bool):
                    raise MagBridgeError(f"{field.name} {value!r}: expected true or false")
            elif field.name != "chemistry" and not (value is None and field.default is None):
                check_number(field.name, value, above=0)
        if not isinstance(self.units, int) or not 1 <= self.units <= 200:
            raise MagBridgeError(f"units {self.units!r}: expected a whole number from 1 to 200")
        for name in ("active_p", "active_n"):
            check_number(name, getattr(self, name), above=0, most=1)
        if self.v_max <= self.v_min:
            raise MagBridgeError(f"v_max {self.v_max} V: expected more than v_min, {self.v_min} V")
        half, width = self.tab_width_mm / 2, self.width_mm
        for name, place in (("tab_p_mm", self.tab_p_mm), ("tab_n_mm", self.tab_n_mm)):
            if not half <= place <= width - half:
                found = f"{name} {place:g} mm: the tab, {2 * half:g} mm wide, extends beyond the edge of {width:g} mm"
                raise MagBridgeError(f"{found}; expected {half:g} to {width - half:g}")
        if not self.opposite and abs(self.tab_p_mm - self.tab_n_mm) < self.tab_width_mm:
            raise MagBridgeError(f"tabs at y = {self.tab_p_mm:g} and {self.tab_n_mm:g} mm overlap: move one of them")
        if self.n_li_Ahm2 >= self.n_p_Ahm2 + self.n_n_Ahm2:
            raise MagBridgeError(f"n_li_Ahm2 {self.n_li_Ahm2:g}: expected less than n_p_Ahm2 + n_n_Ahm2, the sites")

    @classmethod
    def preset(cls, name: str = "nmc", **changes) -> PouchCell:
        """Return a cell of `presets.yaml`, with changes.

        Args:
            name: Name of the preset.
            **changes: New values of fields, by name.

        Raises:
            MagBridgeError: If the preset or a field is unknown, or if a value is impossible.
        """
        values = {field: entry[0] for field, entry in preset_entries(name).items()}
        known = {field.name for field in dataclasses.fields(cls)}
        for field in sorted(changes.keys() - known):
            raise MagBridgeError(f"design field {field!r}: expected one of {', '.join(sorted(known))}")
        return cls(**(values | changes))

    @property
    def material(self) -> int:
        """The cathode's code in compiled loops."""
        return CODES[self.chemistry]

    @property
    def area_m2(self) -> float:
        """Area of one coated face in m2."""
        return self.length_mm * self.width_mm * 1e-6

    @property
    def solid_m(self) -> tuple[float, float]:
        """Solid thickness of the cathode's and the anode's active material in a unit, in m: n V_m / F unless given."""
        derived = (
            3600 * sites * chemistry.MOLAR_VOLUME[material] / chemistry.FARADAY
            for sites, material in ((self.n_p_Ahm2, self.material), (self.n_n_Ahm2, chemistry.GRAPHITE))
        )
        given = (self.solid_p_um, self.solid_n_um)
        p, n = (own if value is None else value * 1e-6 for own, value in zip(derived, given, strict=True))
        return p, n

    @property
    def pitch_m(self) -> float:
        """Thickness of a unit in m: both coatings, the separator and half of each foil, unless given."""
        if self.pitch_um is not None:
            return self.pitch_um * 1e-6
        p, n = self.solid_m
        foils = (self.foil_p_um + self.foil_n_um) / 2
        return p / self.active_p + n / self.active_n + (self.separator_um + foils) * 1e-6

    @property
    def thickness_mm(self) -> float:
        """Thickness of the stack in mm."""
        return self.units * self.pitch_m * 1e3

    @property
    def foil_z(self) -> np.ndarray:
        """(N + 1,) z of the foils in m; even-numbered foils are copper."""
        return (np.arange(self.units + 1) - self.units / 2) * self.pitch_m

    @property
    def sheet_S(self) -> tuple[float, float]:
        """Sheet conductance of all aluminium and all copper foils in S."""
        foils = np.full(self.units + 1, 1.0)
        if not self.whole_end_foils:
            foils[[0, -1]] = 0.5
        aluminium = float(foils[1::2].sum()) * self.foil_p_um * 1e-6 * self.sigma_p_Sm
        return aluminium, float(foils[::2].sum()) * self.foil_n_um * 1e-6 * self.sigma_n_Sm


def check_number(name: str, value, above: float = -np.inf, least: float = -np.inf, most: float = np.inf) -> None:
    """Raise an error unless a value is a finite number in a range.

    Args:
        name: Name of the value, for the error.
        value: The value to check.
        above: Exclusive lower bound.
        least: Inclusive lower bound.
        most: Inclusive upper bound.

    Raises:
        MagBridgeError: If `value` is not a finite number or is out of range.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not np.isfinite(value):
        raise MagBridgeError(f"{name} {value!r}: expected a number")
    if value <= above or not least <= value <= most:
        low = f"more than {above:g}" if above > -np.inf else f"at least {least:g}" if least > -np.inf else "a number"
        raise MagBridgeError(f"{name} {value:g}: expected {low}" + (f" and at most {most:g}" if most < np.inf else ""))


def number(default: Any, **bounds: float) -> Any:
    """Declare a field of `Bounded` with the bounds that `check_number` takes."""
    return dataclasses.field(default=default, metadata=bounds)


class Bounded:
    """A dataclass whose numbers, including those in tuples, must be within the bounds that `number` declares.

    Raises:
        MagBridgeError: If a value is impossible.
    """

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            for part in (value if isinstance(value, tuple) else (value,)) if field.metadata else ():
                check_number(field.name, part, **field.metadata)


def _presets() -> dict[str, dict]:
    return packaged("bridge.v3", PRESETS.name)


def preset_entries(name: str) -> Mapping[str, list]:
    """Return value and source of each field of a preset.

    Raises:
        MagBridgeError: If the preset is unknown.
    """
    if name not in _presets():
        raise MagBridgeError(f"preset {name!r}: expected one of {', '.join(_presets())}")
    own = dict(_presets()[name])
    base = own.pop("preset", None)
    return own if base is None else {**preset_entries(base), **own}
