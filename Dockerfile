# The operator's image: it runs without root and without a writable disk.
ARG PYTHON=3.11.15-slim-trixie

FROM python:${PYTHON} AS build
# Bytecode that pip leaves by importing carries the time of files, and compileall would keep it.
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /src
COPY requirements/run.txt requirements/build.txt requirements/
# Dependencies first, in a layer that only a new pin rebuilds.
RUN python -m venv --without-pip /opt/stepdown \
    && python -m pip --python /opt/stepdown/bin/python install --no-compile --require-hashes --only-binary :all: --requirement requirements/run.txt \
    && python -m pip install --require-hashes --only-binary :all: --requirement requirements/build.txt
COPY pyproject.toml README.md LICENSE ./
COPY operator operator
# Compiled here, because nothing is written at run time. Hash-based: times of files do not matter.
RUN python -m pip wheel --no-deps --no-build-isolation --wheel-dir dist . \
    && python -m pip --python /opt/stepdown/bin/python install --no-compile --no-deps dist/*.whl \
    && python -m compileall -q --invalidation-mode unchecked-hash /opt/stepdown/lib

FROM python:${PYTHON}
# kopf asks who is running; USER answers for a uid that is not in /etc/passwd.
ENV PATH=/opt/stepdown/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 USER=stepdown
COPY --from=build /opt/stepdown /opt/stepdown
WORKDIR /
USER 65532:65532
ENTRYPOINT ["stepdown"]
CMD ["run"]
