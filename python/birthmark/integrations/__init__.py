"""Companions for other libraries. Each is imported only when used."""
