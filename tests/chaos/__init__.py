"""Crashes everywhere: nothing is lost, nothing is sent twice."""
