"""The `warmci` command."""
