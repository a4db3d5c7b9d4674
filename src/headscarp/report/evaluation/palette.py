"""Colours of hits, misses and false alarms: Tol's high-contrast set, told apart in grey and by any eye."""

HIT, MISSED, FALSE = "#004488", "#ddaa33", "#bb5566"
TRUE_NEGATIVE = "#e9e9e4"
NOT_EVALUATED = "#b9bcbf"
