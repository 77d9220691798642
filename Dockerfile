# One image for web, worker and beat; which of them it is, the command says. Alone it serves everything: `cairn up`.

ARG PYTHON=python:3.13.9-slim-bookworm

FROM ${PYTHON} AS build
WORKDIR /srv/cairn
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy
COPY . .
# The same set-up as on a developer's machine; the caches stay outside the image.
RUN --mount=type=cache,target=/root/.cache --mount=type=cache,target=/root/.npm \
    tools/python tools/setup.py run \
    && .venv/bin/python -m compileall -q app workers migrations \
    && rm -rf .cairn node_modules

FROM ${PYTHON}
# 10001: a user that exists on no host, so that a file that escapes belongs to nobody.
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin cairn \
    && install --directory --owner cairn --group cairn --mode 700 /data
COPY --from=build /srv/cairn /srv/cairn
WORKDIR /srv/cairn
ENV PATH=/srv/cairn/.venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    CAIRN_HOST=0.0.0.0 \
    CAIRN_DATA_DIR=/data
USER 10001:10001
VOLUME /data
EXPOSE 8000
CMD ["cairn", "up"]
