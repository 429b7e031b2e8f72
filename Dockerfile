# One image for every role: the whole product (default), or `serve --only web|worker|beat`.
FROM python:3.11-slim

RUN apt-get update \
    && apt-get install --yes --no-install-recommends redis-server \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 10001 footnote \
    && install --directory --owner footnote --mode 0700 /data /app

USER footnote
WORKDIR /app
# The locks first: code changes then reuse the installed layer.
COPY --chown=footnote requirements.lock ./
COPY --chown=footnote .requirements .requirements
RUN .requirements/install base node

COPY --chown=footnote . .
RUN .venv/bin/python manage.py assets && rm -rf chatapp/frontend/node_modules

ENV DATA_DIR=/data HOST=0.0.0.0 PORT=8000
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=120s \
    CMD [".venv/bin/python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
ENTRYPOINT [".venv/bin/python", "manage.py"]
CMD ["serve"]
