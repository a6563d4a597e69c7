"""Web pages of one site, what is to be extracted from them, and programs of XPaths that do it."""
