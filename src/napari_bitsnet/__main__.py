"""``python -m napari_bitsnet``: the command line."""

from napari_bitsnet.cli import main

if __name__ == "__main__":
    main()
