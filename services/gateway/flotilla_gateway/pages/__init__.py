"""The gateway's own pages: the API document, the page to browse it, and what each problem means."""
