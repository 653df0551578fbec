"""Recipes of the target sysroot; imagegen/cli/support/sysroot.py runs them."""
