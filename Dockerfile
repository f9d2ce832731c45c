# The command line without a display, on CPUs:
#   docker build -t napari-bitsnet .
#   docker run --rm -v "$PWD":/images napari-bitsnet xray panel.tif --guide front.png -o out/
FROM python:3.11-slim

# Qt's libraries, as in .ci/run: napari and its offscreen screen run here once `pip install "napari[all]"` is added
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        libegl1 libgl1 libglib2.0-0 libfontconfig1 libxkbcommon0 libdbus-1-3 \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /opt/napari-bitsnet
COPY . .
# uv chooses the builds of PyTorch without CUDA, which are 2 GB smaller
RUN python -m pip install --no-cache-dir uv \
    && uv pip install --system --no-cache --torch-backend cpu -c constraints.txt .

# Not root: the outputs belong to the one who runs it (docker run --user "$(id -u):$(id -g)")
RUN useradd --create-home user
USER user
ENV QT_QPA_PLATFORM=offscreen HOME=/tmp
WORKDIR /images
ENTRYPOINT ["napari-bitsnet"]
CMD ["--help"]
