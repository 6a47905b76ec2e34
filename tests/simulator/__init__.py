"""Tests of the CXone simulator."""
