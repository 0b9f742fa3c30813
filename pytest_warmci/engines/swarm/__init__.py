"""The engine for Docker Swarm: the recipe's own compose files, deployed as operators do."""
