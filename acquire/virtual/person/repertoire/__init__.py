"""The exercises that the virtual person knows, as tables of keys."""

from acquire.virtual.person.repertoire.kicks import KICKS
from acquire.virtual.person.repertoire.steps import STEPS
from acquire.virtual.person.repertoire.strikes import STRIKES
from acquire.virtual.person.repertoire.swings import SWINGS

__all__ = ["KICKS", "STEPS", "STRIKES", "SWINGS"]
