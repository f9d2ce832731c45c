"""Image files: one format a file in `readers`; `read.read_image` picks the one that recognises the contents."""
