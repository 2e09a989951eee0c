# Pruning Explorer in a container: CPU only, not root, kept runs and caches in a volume.
#
#   docker build --tag pruning-explorer .
#   docker run --rm --publish 127.0.0.1:8501:8501 --volume explorer-cache:/cache pruning-explorer
#
# The guide's page on the command line says how to put it behind a proxy, and how to leave CUDA out.

FROM python:3.12-slim AS build
# where pip finds PyTorch; this index has wheels for the processor only, "" takes pip's own, 3 GB larger with CUDA
ARG TORCH_INDEX="https://download.pytorch.org/whl/cpu"
# further parts, such as ",hf,onnx"
ARG EXTRAS=""
WORKDIR /source
RUN python -m venv /opt/explorer
RUN /opt/explorer/bin/pip install --no-cache-dir ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} "torch>=2.11,<2.14"
COPY pyproject.toml README.md CHANGELOG.md LICENSE ./
COPY explorer explorer
COPY pages pages
COPY sample_models sample_models
RUN /opt/explorer/bin/pip install --no-cache-dir ".[search${EXTRAS}]"

FROM python:3.12-slim
RUN useradd --create-home --uid 10001 explorer
RUN mkdir /cache
RUN chown explorer /cache
COPY --from=build /opt/explorer /opt/explorer
ENV PATH=/opt/explorer/bin:$PATH PRUNING_EXPLORER_CACHE=/cache PYTHONUNBUFFERED=1
USER explorer
WORKDIR /home/explorer
VOLUME /cache
EXPOSE 8501
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
  CMD ["python", "-m", "explorer.machine.health", "8501"]
ENTRYPOINT ["pruning-explorer", "--host", "0.0.0.0", "--port", "8501", "--no-browser", "--job-log"]
CMD []
