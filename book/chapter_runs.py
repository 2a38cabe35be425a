"""A Sphinx extension: chapters run two at a time, and explorers become flipbooks meanwhile.

MyST-NB runs one chapter after the other. This runs those that have changed before it looks for
their outputs in its cache; a chapter that fails is left to MyST-NB, which says where and why.
"""

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import nbformat
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from sphinx.util import logging

AT_ONCE = 2
logger = logging.getLogger(__name__)


def run_changed(app):
    """Run the chapters that the cache does not hold, the last and longest first."""
    config = app.env.mystnb_config
    if config.execution_mode != "cache":
        return
    cache = get_cache(config.execution_cache_path)
    kept = {record.hashkey for record in cache.list_cache_records()}
    paths = sorted(Path(app.srcdir, "book").glob("[0-9]*_*.ipynb"), reverse=True)
    notebooks = {path: nbformat.read(path, 4) for path in paths}
    changed = {
        path: notebook
        for path, notebook in notebooks.items()
        if cache.create_hashed_notebook(notebook)[1] not in kept
    }
    if len(changed) > 1:
        share_cores()
    compiled = Path(config.execution_cache_path).with_name(".numba")
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="chapters") as pool:
        runs = {
            pool.submit(run, path, notebook, config.execution_timeout, compiled): path
            for path, notebook in changed.items()
        }
        for done in as_completed(runs):
            path, seconds = runs[done], done.result()
            if seconds is not None:
                logger.info(f"{path.name} ran in {seconds:.0f} s")
                data = {"execution_seconds": seconds}
                bundle = CacheBundleIn(changed[path], str(path), data=data)
                cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)


def share_cores():
    """Give each of the chapters that run at once its part of the cores: more threads would wait."""
    n_threads = str(max(1, (os.cpu_count() or 1) // AT_ONCE))
    for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS"):
        os.environ.setdefault(name, n_threads)


def run(path, notebook, timeout, compiled):
    """Run a chapter in its folder; return its seconds, or None where it fails.

    What Numba compiles for librosa is kept for each thread apart. Two kernels that compile the same
    function at once mix their files, and then each kernel that loads them crashes.
    """
    folder = compiled / threading.current_thread().name
    resources = {"metadata": {"path": str(path.parent)}}
    start = time.perf_counter()
    try:
        client = NotebookClient(
            notebook,
            timeout=timeout,
            resources=resources,
            record_timing=False,  # with times in it, the cache holds another notebook
        )
        client.execute(env=os.environ | {"NUMBA_CACHE_DIR": str(folder.absolute())})
    except (CellExecutionError, CellTimeoutError, DeadKernelError):
        return None
    return time.perf_counter() - start


def setup(app):
    """Tell the chapters, which run as child processes, that a page is being made."""
    os.environ["DIGITLAB_FLIPBOOK"] = "1"
    app.connect("builder-inited", run_changed, priority=900)  # once MyST-NB knows its settings
    return {"parallel_read_safe": True}
