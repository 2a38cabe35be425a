"""JupyterLab on a folder of notebooks, for the tests that drive it in a browser."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager

from conftest import ROOT

READY = "jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'"


def set_lab(settings, plugin, values):
    """Change settings of a plug-in, such as ``@jupyterlab/notebook-extension/tracker``."""
    file = settings / f"{plugin}.jupyterlab-settings"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(values))


@contextmanager
def served(folder, settings):
    """Serve a folder in JupyterLab, which reads its settings from another; give its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}/lab"
    options = {
        "ServerApp.port": address.rsplit(":")[-1].removesuffix("/lab"),
        "ServerApp.root_dir": folder,
        "IdentityProvider.token": "",
        "LabApp.expose_app_in_browser": True,
    }
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
    command += [f"--{name}={value}" for name, value in options.items()]
    environment = os.environ | {
        "JUPYTERLAB_SETTINGS_DIR": str(settings),
        "JUPYTER_PATH": str(ROOT / "book/jupyter"),  # as `make lab` does
    }
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as server:
        try:
            wait_for(address)
            yield address
        finally:
            server.terminate()


def wait_for(address, seconds=60):
    """Wait until a server answers."""
    end = time.monotonic() + seconds
    while True:
        try:
            return urllib.request.urlopen(address).close()
        except OSError:
            assert time.monotonic() < end, f"{address} does not answer"
            time.sleep(0.2)
