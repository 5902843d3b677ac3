"""Rules of the ai service; no I/O here, apart from reading the files shipped in the package."""
