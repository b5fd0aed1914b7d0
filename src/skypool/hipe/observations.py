"""Observations: contexts with levels, calibration and what else belongs to them."""

from __future__ import annotations

from typing import Any, Final

from skypool.errors import ContextRuleException
from skypool.hipe.contexts import MapContext
from skypool.hipe.refs import ProductRef
from skypool.model.kinds import is_context

__all__ = ["ObservationContext", "QualityContext"]

# Property -> roles under which archives and programs have it.
_CHILDREN: Final = {
    "auxiliary": ("auxiliary",),
    "calibration": ("calibration",),
    "telemetry": ("telemetry",),
    "dataframes": ("dataframes",),
    "quality": ("quality",),
    "qualitySummary": ("qualitySummary",),
    "level0": ("level0",),
    "level0_5": ("level0_5",),
    "level1": ("level1",),
    "level2": ("level2",),
    "level2_5": ("level2_5",),
    "level3": ("level3",),
    "observationLog": ("logObsContext", "observationLog"),
    "logObsContext": ("logObsContext",),
    "browseProduct": ("browseProduct",),
    "browseImage": ("browseImageProduct", "browseImage"),
    "browseImageProduct": ("browseImageProduct",),
    "trendAnalysis": ("trendAnalysis",),
    "intermediateProducts": ("intermediateProducts",),
}
_MUST_BE_CONTEXTS: Final = frozenset(
    {"auxiliary", "calibration", "level0", "level0_5", "level1", "level2", "level2_5", "level3"}
)
# State -> the level that it says is there.
_STATES: Final = {
    "CREATED": None,
    "LEVEL0_PROCESSED": "level0",
    "LEVEL0_5_PROCESSED": "level0_5",
    "LEVEL1_PROCESSED": "level1",
    "LEVEL2_PROCESSED": "level2",
    "LEVEL2_5_PROCESSED": "level2_5",
    "LEVEL3_PROCESSED": "level3",
}


def _child(name: str, roles: tuple[str, ...]) -> Any:
    def get(self: ObservationContext) -> Any:
        for role in roles:
            if role in self.refs:
                return self.refs[role].product
        return None

    def put(self: ObservationContext, product: Any) -> None:
        role = next((role for role in roles if role in self.refs), roles[0])
        if product is None:
            self.refs.remove(role)
        else:
            self.setProduct(role, product)

    return property(get, put, doc=f"The product `{name}`; None where there is none.")


def _parameter(name: str) -> Any:
    def get(self: ObservationContext) -> Any:
        found = self.meta.get(name)
        return None if found is None else found.value

    def put(self: ObservationContext, value: Any) -> None:
        if value is None:
            self.meta.remove(name)
        else:
            self.meta[name] = value

    return property(get, put, doc=f"The parameter `{name}`; None where there is none.")


class ObservationContext(MapContext):
    """An observation: levels, calibration, auxiliary, quality and browse products.

    Parameters
    ----------
    description
        What it is.
    **attributes
        Any property: `obsid`, `odNumber`, `instrument`, `level2`, ...
    """

    _type = "OBS"

    def _check(self, key: str, ref: ProductRef) -> None:
        if key in _MUST_BE_CONTEXTS and not is_context(ref.type.kind):
            raise ContextRuleException(
                f"{key!r} of an observation is a context, not a {ref.type.__name__}",
                hint="put the product into a MapContext, and that one here",
            )
        super()._check(key, ref)

    @property
    def obsState(self) -> str:
        """How far it is processed, such as `LEVEL2_PROCESSED`."""
        found = self.meta.get("obsState")
        return "CREATED" if found is None else str(found.value)

    @obsState.setter
    def obsState(self, state: str) -> None:
        if state not in _STATES:
            raise ContextRuleException(
                f"{state!r} is no state of an observation", candidates=list(_STATES)
            )
        needed = _STATES[state]
        if needed is not None and needed not in self.refs:
            raise ContextRuleException(
                f"the state {state} cannot be set because the following required data are not "
                f"found: {needed}"
            )
        self.meta["obsState"] = state


for _name, _roles in _CHILDREN.items():
    setattr(ObservationContext, _name, _child(_name, _roles))
for _name in (
    "obsid", "odNumber", "obsMode", "cusMode", "instMode", "aot", "missionConfig", "slewTime",
    "pmRA", "pmDEC", "object", "proposal", "observer", "telescope", "ra", "dec", "raNominal",
    "decNominal", "posAngle",
):  # fmt: skip
    setattr(ObservationContext, _name, _parameter(_name))


class QualityContext(MapContext):
    """What was found about the quality of an observation."""


for _name in ("state", "action", "obsState", "version", "comments", "proCaveats"):
    setattr(QualityContext, _name, _parameter(_name))
