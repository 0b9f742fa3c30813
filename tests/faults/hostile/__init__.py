"""Radicale behind a hostile launcher, and what becomes of it."""
