"""The verbs: what a run does. Knows every layer below, but not pytest."""
