# One image for every process of Conclave: Spark master, workers and jobs, council, dashboard. It runs as a plain user.
FROM python:3.11-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN apt-get update && apt-get install -y --no-install-recommends openjdk-17-jre-headless && rm -rf /var/lib/apt/lists/*
RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH
COPY requirements.txt /tmp/requirements.txt
RUN pip install --require-hashes -r /tmp/requirements.txt
WORKDIR /opt/conclave
COPY pyproject.toml README.md ./
COPY store store
COPY trust trust
COPY pipelines pipelines
COPY observe observe
COPY notify notify
COPY desk desk
COPY assistant assistant
COPY schedule schedule
COPY gateway gateway
COPY jobs jobs
COPY rag rag
COPY dashboard dashboard
COPY cli cli
# All jars: a pod may have no way to a registry, and its root file system is read-only.
RUN pip install --no-deps --editable . && python -m jobs.jars s3a abfss gs

FROM python:3.11-slim-bookworm
# procps: Spark's own scripts call ps.
RUN apt-get update && apt-get install -y --no-install-recommends openjdk-17-jre-headless procps \
  && rm -rf /var/lib/apt/lists/* \
  && groupadd --gid 10001 conclave && useradd --uid 10001 --gid conclave --create-home --home-dir /home/conclave conclave \
  && install -d -o conclave -g conclave /var/lib/conclave
COPY --from=build /opt/venv /opt/venv
COPY --from=build /opt/conclave /opt/conclave
COPY data /opt/conclave/data
COPY deploy /opt/conclave/deploy
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYSPARK_PYTHON=/opt/venv/bin/python \
    SPARK_WORKER_DIR=/tmp/spark-work \
    CONCLAVE_HOME=/var/lib/conclave
# Spark on Kubernetes looks for its own home and work there.
ENV SPARK_HOME=/opt/venv/lib/python3.11/site-packages/pyspark
WORKDIR /opt/conclave
USER conclave
VOLUME /var/lib/conclave
ENTRYPOINT ["/opt/conclave/deploy/entrypoint.sh"]
CMD ["conclave", "--help"]
