"""The exercises that the virtual person knows, as tables of keys."""

from acquire.virtual.repertoire.kicks import KICKS
from acquire.virtual.repertoire.steps import STEPS
from acquire.virtual.repertoire.strikes import STRIKES
from acquire.virtual.repertoire.swings import SWINGS

__all__ = ["KICKS", "STEPS", "STRIKES", "SWINGS"]
