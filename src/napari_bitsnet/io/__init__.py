"""Image files to arrays: one format a file in `readers`; `read_image` picks the one that recognises the
contents."""
