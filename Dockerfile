# The image is given by its digest: a tag can be moved to another image. The digest is the one by
# which public repositories pin this tag (2026-11-28).
ARG PYTHON_IMAGE=python:3.13.12-slim@sha256:f1927c75e81efd1e091dbd64b6c0ecaa5630b38635a3d1c04034ac636e1f94c8

# faust-streaming has no wheel for Linux on ARM, and needs a compiler there.
FROM ${PYTHON_IMAGE} AS build
RUN apt-get update \
 && apt-get install --yes --no-install-recommends gcc libc6-dev \
 && rm -rf /var/lib/apt/lists/*
RUN python -m venv /venv
WORKDIR /source
COPY pyproject.toml requirements.lock README.md LICENSE ./
RUN /venv/bin/pip install --no-cache-dir --require-hashes --requirement requirements.lock
COPY domain domain
COPY projections projections
COPY streams streams
COPY docs docs
RUN /venv/bin/pip install --no-cache-dir --no-deps --no-build-isolation . \
 && /venv/bin/pip uninstall --yes setuptools

FROM ${PYTHON_IMAGE}
RUN useradd --system --uid 10001 --create-home refusion \
 && install --directory --owner=refusion --mode=700 \
    /state /operations /ledger /lis /public /security /client
COPY --from=build /venv /venv
USER refusion
WORKDIR /state
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 REFUSION_STATE_DIR=/state
VOLUME /state /operations /ledger /lis
ENTRYPOINT ["refusion"]
CMD ["worker"]
