# JupyterLab with the chapters as plain notebooks: for one person, or as the image of a JupyterHub.
#
#     docker build --tag hearing-digits .
#     docker run --rm --publish 127.0.0.1:8888:8888 --volume digits:/home/jovyan hearing-digits
#
# The last lines that it prints hold the address to open. Your work stays in the volume `digits`.
FROM python:3.11-slim

# yes: fetch the Free Spoken Digit Dataset (16 MB, CC BY-SA 4.0) into the image.
ARG FSDD=no
# A version, such as 5.2.1, where a JupyterHub starts the image: the one that its chart names.
ARG JUPYTERHUB=
# The address that pytorch.org names for builds without GPU libraries, which take several GB.
ARG TORCH_INDEX=

ENV PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_ROOT_USER_ACTION=ignore \
    JUPYTER_PATH=/opt/hearing-digits/book/jupyter \
    GOMP_SPINCOUNT=10000

# 1000 and jovyan are what Zero to JupyterHub expects.
RUN useradd --create-home --uid 1000 --shell /bin/bash jovyan

WORKDIR /opt/hearing-digits
COPY constraints.txt ./
RUN if [ -n "$TORCH_INDEX" ]; then \
        pip install --no-deps --constraint constraints.txt --index-url "$TORCH_INDEX" torch; \
    fi

COPY pyproject.toml setup.py MANIFEST.in README.md LICENSE ./
COPY digitlab digitlab
RUN pip install --constraint constraints.txt \
        --editable '.[torch,keras,onnx,serve,cluster,book]' \
    && python -m compileall -q digitlab

# What a hub needs: its server, and git for the button that brings a chapter there.
RUN if [ -n "$JUPYTERHUB" ]; then \
        apt-get update \
        && apt-get install --yes --no-install-recommends git \
        && rm -rf /var/lib/apt/lists/* \
        && pip install --constraint constraints.txt "jupyterhub==$JUPYTERHUB" nbgitpuller; \
    fi

# Where everybody can read it; the folder is laid out as DIGITLAB_DATA wants it.
RUN mkdir /opt/recordings \
    && if [ "$FSDD" = yes ]; then \
        DIGITLAB_CACHE=/opt/recordings digitlab data fetch fsdd \
        && chmod -R a+rX /opt/recordings; \
    fi

COPY book book

USER jovyan
WORKDIR /home/jovyan
EXPOSE 8888

# Notebooks that were changed are kept, the others are written anew.
CMD ["/bin/sh", "-c", "\
if [ -d /opt/recordings/fsdd ]; then \
    export DIGITLAB_DATA=\"${DIGITLAB_DATA:-/opt/recordings}\"; \
fi; \
python /opt/hearing-digits/book/plain_notebooks.py \"$HOME/hearing-digits\" \
&& exec jupyter lab --ip=0.0.0.0 --port=8888 --no-browser \"$HOME/hearing-digits\""]
