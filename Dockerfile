# The builder is the full image: faust-streaming has no wheel for Linux on ARM and needs a
# compiler there.
FROM python:3.13 AS build
RUN python -m venv /venv
WORKDIR /source
COPY pyproject.toml requirements.lock README.md LICENSE ./
RUN /venv/bin/pip install --no-cache-dir --require-hashes --requirement requirements.lock
COPY domain domain
COPY projections projections
COPY streams streams
RUN /venv/bin/pip install --no-cache-dir --no-deps --no-build-isolation . \
 && /venv/bin/pip uninstall --yes setuptools

FROM python:3.13-slim
RUN useradd --system --uid 10001 --create-home refusion \
 && install --directory --owner=refusion --mode=700 /state /ledger
COPY --from=build /venv /venv
USER refusion
WORKDIR /state
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 REFUSION_STATE_DIR=/state
VOLUME /state /ledger
ENTRYPOINT ["refusion"]
CMD ["worker"]
