"""The embedded engine: a recipe's services as plain processes, no container engine needed."""
