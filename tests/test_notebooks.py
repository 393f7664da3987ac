"Every notebook runs from top to bottom under nbdev's own rules (`#| eval: false`, `tst_flags`), in a process of its own."
import os
from concurrent.futures import ProcessPoolExecutor
import pytest
from forked import context
from nbdev.config import get_config
from nbdev.doclinks import nbglob
from nbdev.test import test_nb as run_nb

cfg = get_config()

def run_alone(nb, **kw):
    "Run a notebook as on a machine of one core: the other cores have tests of their own"
    os.sched_getaffinity = lambda pid: {0}
    return run_nb(nb, **kw)

@pytest.mark.parametrize('nb', sorted(nbglob(cfg.nbs_path, as_path=True)), ids=lambda p: str(p.relative_to(cfg.nbs_path).with_suffix('')))
def test_notebook(nb):
    with ProcessPoolExecutor(1, context) as pool: # a notebook may register methods or draw figures
        ok,_ = pool.submit(run_alone, nb.absolute(), skip_flags=cfg.tst_flags.split(), basepath=cfg.config_path).result()
    assert ok
