# pyproc serve in a container: `make image`, and docs/deployment/docker.md for how to build on it.
ARG RUST=rust:1.95-slim-trixie
ARG BASE=python:3.13-slim-trixie

# The program that packs the wheel; it is one static file.
FROM ${BASE} AS maturin
COPY requirements/maturin.txt /tmp/
RUN --mount=type=cache,target=/var/cache/pip \
    python3 -m pip install --cache-dir /var/cache/pip --no-deps --require-hashes --target /opt/maturin --requirement /tmp/maturin.txt

FROM ${RUST} AS build
COPY --from=maturin /opt/maturin/bin/maturin /usr/local/bin/
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/src/target \
    cargo build --release --locked --package pyproc-cli \
    && maturin build --release --locked --auditwheel skip --manifest-path python/Cargo.toml --out /out \
    && cp target/release/pyproc /out/

FROM ${BASE}
ARG VERSION
LABEL org.opencontainers.image.title="pyproc" \
    org.opencontainers.image.description="Python functions behind HTTP" \
    org.opencontainers.image.licenses="Apache-2.0" \
    org.opencontainers.image.version="${VERSION}"
COPY --from=build /out/pyproc /usr/local/bin/
COPY requirements/image.txt /tmp/pyproc/
COPY --from=build /out/*.whl /tmp/pyproc/
RUN --mount=type=cache,target=/var/cache/pip \
    python3 -m pip install --cache-dir /var/cache/pip --require-hashes --requirement /tmp/pyproc/image.txt \
    && python3 -m pip install --no-index --no-deps /tmp/pyproc/*.whl \
    && rm -r /tmp/pyproc
COPY deploy/image/worker.py deploy/image/pyproc.toml /app/
WORKDIR /app
# Shows that the image works, and leaves the bytecode of what a worker imports: the root is read-only later.
RUN pyproc list worker.py

# A user without a name and without a home: any other will do as well.
USER 65532:65532
ENV HOME=/tmp PYTHONDONTWRITEBYTECODE=1
EXPOSE 8080 9090
ENTRYPOINT ["pyproc"]
CMD ["serve", "--config", "/app/pyproc.toml"]
