"""Shapes that the contract names already and that no field uses yet; clients can generate code for them."""

TYPES = ()
