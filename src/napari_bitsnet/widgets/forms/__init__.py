"""The form: what there is, how it is separated, where it is computed."""
