"Dask as the executor: a killed worker costs only its own unit. That it makes the same numbers is tested in `tutorials/05_anywhere`."
import importlib, os, signal, sys, threading, time
import pytest
from machine_unlearning.engine import Job, work
distributed = pytest.importorskip('distributed')

@pytest.fixture
def cluster():
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster, distributed.Client(cluster) as client: yield cluster, client

module = '''import os, time
from pathlib import Path
def logged(job, deadline):
    with open(Path(job.path).parent.parent/'log', 'a') as f: f.write(f'{job.name} {os.getpid()}\\n')
    time.sleep(.1)
    Path(job.path).write_text(job.name)
'''

def test_killed_worker_costs_its_own_unit(cluster, tmp_path):
    _,client = cluster
    (tmp_path/'logged_job.py').write_text(module)
    client.run(lambda p: sys.path.insert(0, p), str(tmp_path))
    sys.path.insert(0, str(tmp_path))
    f = importlib.import_module('logged_job').logged
    log = lambda: [l.split() for l in (tmp_path/'log').read_text().splitlines()] if (tmp_path/'log').exists() else []
    def kill():
        while len(log()) < 15: time.sleep(.01)
        os.kill(int(log()[-1][1]), signal.SIGKILL)
    killer = threading.Thread(target=kill)
    killer.start()
    jobs = [Job(f'{tmp_path}/units/{i}', str(i)) for i in range(40)]
    failures,left = work(jobs, f, client.get_executor(pure=False, retries=2))
    killer.join()
    sys.path.remove(str(tmp_path))
    assert (failures, left) == ({}, 0)
    assert sum(p.is_file() for p in (tmp_path/'units').iterdir()) == 40
    started = [name for name,_ in log()]
    assert set(started) == {str(i) for i in range(40)} and len(started) == 41
