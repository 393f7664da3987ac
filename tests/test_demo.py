"The whole experiment as a command: in a log, with a task of one's own, and on CIFAR-10."
import os, subprocess, sys
from pathlib import Path
from forked import run as run_command
from machine_unlearning.core import Paused
from machine_unlearning.plan import make_plan
from machine_unlearning.population import run

command = str(Path(sys.executable).with_name('mu_demo'))

def table(folder): return (folder/'table.csv').read_text()

mine = '''import numpy as np
from torch import nn
from machine_unlearning.data import Data
from machine_unlearning.task import Task
from machine_unlearning.train import Recipe
from machine_unlearning.unlearn import method
@method('Shrink and train', reads=['retain'])
def shrink(model, request, by=.9):
    for p in model.parameters(): p.data *= by
    return request.train(model, request.retain, 1, .01)
class Net(nn.Sequential):
    def __init__(self, width): super().__init__(nn.Linear(4, width), nn.ReLU(), nn.Linear(width, 3))
def make(width=8, shift=2., epochs=2):
    y = np.arange(300) % 3
    x = np.random.default_rng(0).normal(size=(300, 4)) + shift*np.eye(4)[y]
    data = Data(x.astype(np.float32), y)
    return Task(data[:200], data[200:], Model(width), recipe=Recipe(epochs, .1, 32, 'constant'), forget=.1, control=30)
class Model:
    def __init__(self, width): self.width = width
    def __call__(self): return Net(self.width)
'''

def test_own_task(tmp_path):
    "A task and a method of a file, in worker processes, too; a display that is not there; progress in a log; what to do next"
    (tmp_path/'mine.py').write_text(mine)
    env = {k: v for k,v in os.environ.items() if k != 'TQDM_DISABLE'} | dict(MPLBACKEND='module://no_such_backend', DISPLAY='')
    own = ['--task', 'mine:make', '--shift', '3', '--imports', 'mine', '--approaches', 'shrink']
    call = [command, *own, '--n', '8', '--workers', '2', '--out', 'a $b']
    r = subprocess.run(call, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert r.returncode == 0, r.stderr
    assert "next     mu_audit 'a $b'\n" in r.stdout and len(list(tmp_path.glob('a $b/figures/*.png'))) > 1
    lines = [l for l in r.stderr.splitlines() if '% |' in l]
    assert '\r' not in r.stderr and len(lines) <= 3 and '24 of 24 done' in lines[-1], r.stderr
    r = run_command('mu_demo', *call[1:3], '--help', cwd=tmp_path)
    assert '--shift SHIFT' in r.stdout and '(default: 2.0)' in r.stdout

def test_a_moment_is_enough(tmp_path, capsys):
    "Every call makes a model, or an epoch of one, however short its time"
    plan = make_plan(out=tmp_path, approaches='finetune', n=2, epochs=2, width=2, limit=200)
    said = []
    for _ in range(20):
        try: run(plan, workers=1, time_budget=1e-6)
        except Paused as e: said.append(str(e))
        else: break
    assert 6 <= len(said) < 17 and (tmp_path/'finetune'/'logits_unlearn.npy').is_file(), said
    assert said[0] == '6 of 6 models are left after 1e-06 s; the same call goes on'
    assert '0 models made in this call, 1 begun\n' in capsys.readouterr().err

def test_cifar10(shared, tmp_path):
    data = tmp_path/'data'
    subprocess.run([sys.executable, shared/'restore_cifar10.py', shared, data], check=True, capture_output=True)
    small = '--width 4 --limit 300 --epochs 2 --n 2 --approaches finetune,activation_reset --workers 1'.split()
    r = run_command('mu_demo', '--task', 'cifar10', '--data-dir', data, '--out', tmp_path/'out', *small)
    assert r.returncode == 0, r.stderr
    assert len(table(tmp_path/'out').splitlines()) == 4 and str(tmp_path/'out'/'table.csv') in r.stdout
