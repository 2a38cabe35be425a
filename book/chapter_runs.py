"""A Sphinx extension: chapters run two at a time, and explorers become flipbooks meanwhile.

MyST-NB runs one chapter after the other. This runs those that have changed before it looks for
their outputs in its cache; a chapter that fails is left to MyST-NB, which says where and why.
"""

import os
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import nbformat
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from jupyter_cache.executors.utils import single_nb_execution
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
    with ThreadPoolExecutor(AT_ONCE) as pool:
        runs = {
            pool.submit(run, path, notebook, config.execution_timeout): path
            for path, notebook in changed.items()
        }
        for done in as_completed(runs):
            path, result = runs[done], done.result()
            if result.err is None:
                logger.info(f"{path.name} ran in {result.time:.0f} s")
                data = {"execution_seconds": result.time}
                bundle = CacheBundleIn(result.nb, str(path), data=data)
                cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)


def share_cores():
    """Give each of the chapters that run at once its part of the cores: more threads would wait."""
    n_threads = str(max(1, (os.cpu_count() or 1) // AT_ONCE))
    for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS"):
        os.environ.setdefault(name, n_threads)


def run(path, notebook, timeout):
    """Run a chapter in its folder."""
    return single_nb_execution(notebook, cwd=str(path.parent), timeout=timeout, allow_errors=False)


def setup(app):
    """Tell the chapters, which run as child processes, that a page is being made."""
    os.environ["DIGITLAB_FLIPBOOK"] = "1"
    app.connect("builder-inited", run_changed, priority=900)  # once MyST-NB knows its settings
    return {"parallel_read_safe": True}
