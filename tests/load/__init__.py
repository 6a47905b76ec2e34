"""Figures of the service under load: ``make load`` prints them. No test: nothing is asserted."""
