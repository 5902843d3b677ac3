"""The architecture's rules as small programs: `python -m checks` runs them all (`make lint`).

Each module has a function `check(project)` that yields findings, each with its place and what to do. Each is
proven by an example in checks/tests that breaks it.
"""
