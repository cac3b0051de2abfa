# The builder is the full image: faust-streaming has no wheel for Linux on ARM and needs a
# compiler there.
#
# A tag can be moved to another image, a digest cannot. For what is to be relied on, build with
# DEMAND_DIGESTS=1, and with both images by digest, as `docker buildx imagetools inspect` tells it.
ARG BUILD_IMAGE=python:3.13
ARG RUN_IMAGE=python:3.13-slim

FROM ${BUILD_IMAGE} AS build
ARG BUILD_IMAGE
ARG RUN_IMAGE
ARG DEMAND_DIGESTS=0
RUN for image in "$BUILD_IMAGE" "$RUN_IMAGE"; do \
      if [ "$DEMAND_DIGESTS" != 0 ] && ! echo "$image" | grep -Eq '@sha256:[0-9a-f]{64}$'; then \
        echo "$image has no digest: set BUILD_IMAGE and RUN_IMAGE to NAME:TAG@sha256:..." >&2; \
        exit 2; \
      fi; \
    done
RUN python -m venv /venv
WORKDIR /source
COPY pyproject.toml requirements.lock README.md LICENSE ./
RUN /venv/bin/pip install --no-cache-dir --require-hashes --requirement requirements.lock
COPY domain domain
COPY projections projections
COPY streams streams
RUN /venv/bin/pip install --no-cache-dir --no-deps --no-build-isolation . \
 && /venv/bin/pip uninstall --yes setuptools

FROM ${RUN_IMAGE}
RUN useradd --system --uid 10001 --create-home refusion \
 && install --directory --owner=refusion --mode=700 /state /operations /ledger /lis /security /client
COPY --from=build /venv /venv
USER refusion
WORKDIR /state
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 REFUSION_STATE_DIR=/state
VOLUME /state /operations /ledger /lis
ENTRYPOINT ["refusion"]
CMD ["worker"]
