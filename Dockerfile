# sfcutover as a container: docker build --tag sfcutover . && docker run --rm sfcutover --help
FROM python:3.13-slim-bookworm AS build
WORKDIR /src
COPY . .
RUN python -m venv /opt/sfcutover && /opt/sfcutover/bin/python -m pip install --no-cache-dir .

FROM python:3.13-slim-bookworm
RUN useradd --uid 10001 --create-home --shell /usr/sbin/nologin sfcutover
COPY --from=build /opt/sfcutover /opt/sfcutover
# cutover.yaml and .sfcutover/ are mounted here; the user with the number 10001 must be able to write.
WORKDIR /work
RUN chown sfcutover /work
ENV PATH=/opt/sfcutover/bin:$PATH PYTHONUNBUFFERED=1
USER 10001
ENTRYPOINT ["sfcutover"]
