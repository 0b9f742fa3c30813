"""The ground of tests on Docker Swarm: a private engine, one node, and images made here.

Each pytest process has its own, in namespaces of its own, so the machine's firewall, its links and a
Docker that runs there are untouched. `ground.swarm()` is the way in, `images.provide` the second step.
"""
