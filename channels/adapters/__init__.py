"""One file per kind of service; `registry` says which scheme is served by which."""
