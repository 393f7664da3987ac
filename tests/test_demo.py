"The whole experiment in processes of its own: repeated, killed, and on CIFAR-10."
import os, signal, subprocess, sys, time
from pathlib import Path
import pytest

demo = [str(Path(sys.executable).with_name('mu_demo')), '--approaches', 'finetune,prune_last_layer', '--n', '4', '--epochs', '20', '--width', '4', '--limit', '500']

def table(folder): return (folder/'table.csv').read_text()

@pytest.fixture(scope='module')
def undisturbed(tmp_path_factory):
    "The table of a run in one process"
    out = tmp_path_factory.mktemp('undisturbed')
    subprocess.run([*demo, '--out', out, '--workers', '1'], check=True, capture_output=True)
    return out

def test_same_seeds_give_the_same_table(undisturbed, tmp_path):
    subprocess.run([*demo, '--out', tmp_path, '--workers', '2'], check=True, capture_output=True)
    assert table(tmp_path) == table(undisturbed)

@pytest.mark.parametrize('after', [0, 1, 5, 10])
def test_killed_and_started_again(undisturbed, tmp_path, after):
    "Kill everything once so many models are finished; the next run ends with the same table"
    p = subprocess.Popen([*demo, '--out', tmp_path, '--workers', '2'], start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    done = lambda: list(tmp_path.glob('units/*/[!.]*.safetensors'))
    while len(done()) < after and p.poll() is None: time.sleep(.01)
    os.killpg(p.pid, signal.SIGKILL)
    p.wait()
    finished = {f: f.stat().st_mtime_ns for f in done()}
    assert not (tmp_path/'table.csv').exists()
    subprocess.run([*demo, '--out', tmp_path, '--workers', '2'], check=True, capture_output=True)
    assert table(tmp_path) == table(undisturbed)
    assert all(f.stat().st_mtime_ns == t for f,t in finished.items())    # nothing finished is made again

def test_killed_worker(undisturbed, tmp_path):
    "A worker that dies costs one clear line; the next run ends with the same table"
    p = subprocess.Popen([*demo, '--out', tmp_path, '--workers', '2'], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    while not list(tmp_path.glob('units/retain-*/*.safetensors')): time.sleep(.01)
    children = [int(c) for c in Path(f'/proc/{p.pid}/task/{p.pid}/children').read_text().split()]
    worker = next(c for c in children if b'spawn_main' in Path(f'/proc/{c}/cmdline').read_bytes())
    os.kill(worker, signal.SIGKILL)
    _,err = p.communicate()
    assert p.returncode == 1 and 'could not be made' in err.splitlines()[-1] and 'Traceback' not in err, err
    subprocess.run([*demo, '--out', tmp_path, '--workers', '2'], check=True, capture_output=True)
    assert table(tmp_path) == table(undisturbed)

def test_cifar10(shared, tmp_path):
    data = tmp_path/'data'
    subprocess.run([sys.executable, shared/'restore_cifar10.py', shared, data], check=True, capture_output=True)
    r = subprocess.run([demo[0], '--task', 'cifar10', '--data-dir', data, '--out', tmp_path/'out', '--width', '4', '--limit', '300', '--epochs', '2',
        '--n', '2', '--approaches', 'finetune,activation_reset'], capture_output=True, text=True)
    assert r.returncode == 0, r.stderr
    assert len(table(tmp_path/'out').splitlines()) == 4 and str(tmp_path/'out'/'table.csv') in r.stdout
