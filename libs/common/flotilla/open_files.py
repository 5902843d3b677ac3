"""How many files a process may have open: a connection is a file, and a platform's first limit is often 1,024."""

import resource


def allow_all_files() -> int:
    """Raise this process's limit as far as it is let, which needs no rights: how many it may have open now."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most
