"Runs that are killed, interrupted, shared, and on broken disks: the next one ends with the undisturbed numbers."
import os, re, signal, subprocess, time
from importlib import metadata
from pathlib import Path
import numpy as np
import pytest
from forked import Started
from forked import run as run_command
from machine_unlearning.core import Paused
from machine_unlearning.engine import Inline
from machine_unlearning.experiment import Experiment
from machine_unlearning.population import run
from machine_unlearning.plan import make_plan

options = dict(approaches='finetune,prune_last_layer', n=3, epochs=10, width=4, limit=200, originals='one')
command = ['mu_create_logits', *(w for k,v in options.items() for w in (f'--{k}', str(v)))]

def plan(out, **kw): return make_plan(out=out, **(options | kw))
def numbers(folder): return {str(p.relative_to(folder)): np.load(p) for p in folder.glob('**/*.npy')}
def finished(folder): return list(folder.glob('units/*/[!.]*.safetensors'))
def call(out, *args): return run_command(*command, '--out', out, *args)
def start(out, workers='2', **kw): return Started(*command, '--out', out, '--workers', workers, **kw)

def workers(pid):
    children = Path(f'/proc/{pid}/task/{pid}/children').read_text().split()
    return [int(c) for c in children if b'spawn_main' in Path(f'/proc/{c}/cmdline').read_bytes()]
def alive(pid):
    try: return ' Z ' not in Path(f'/proc/{pid}/stat').read_text()
    except (FileNotFoundError, ProcessLookupError): return False

def wait(condition, seconds=120):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, 'it never happened'
        time.sleep(.01)

@pytest.fixture(scope='module')
def undisturbed(tmp_path_factory): return numbers(run(plan(tmp_path_factory.mktemp('undisturbed')), Inline()))

def same(out, undisturbed):
    found = numbers(out)
    return found.keys() == undisturbed.keys() and all((found[k] == v).all() for k,v in undisturbed.items())

def ends_well(out, undisturbed):
    "The next run ends with the undisturbed numbers and makes nothing a second time"
    before = {f: f.stat().st_mtime_ns for f in finished(out)}
    run(plan(out), Inline())
    assert same(out, undisturbed)
    assert all(f.stat().st_mtime_ns == t for f,t in before.items())
    assert not list(out.glob('units/*/.running/*'))

@pytest.mark.parametrize('after', [0, 5, 9])
def test_kill_everything(undisturbed, tmp_path, after):
    p = start(tmp_path, session=True)
    wait(lambda: len(finished(tmp_path)) >= after or p.ended())
    mine = [] if p.ended() else workers(p.pid)
    os.killpg(p.pid, signal.SIGKILL)
    p.result()
    wait(lambda: not any(map(alive, mine)), 60) # on a busy machine a killed process holds its locks for a while
    ends_well(tmp_path, undisturbed)

def test_kill_driver(undisturbed, tmp_path):
    "Its workers end by themselves"
    p = start(tmp_path)
    wait(lambda: finished(tmp_path))
    mine = workers(p.pid)
    os.kill(p.pid, signal.SIGKILL)
    p.result()
    wait(lambda: not any(map(alive, mine)), 10)
    ends_well(tmp_path, undisturbed)

def test_kill_worker(undisturbed, tmp_path):
    "The run goes on with other workers"
    p = start(tmp_path)
    wait(lambda: len(finished(tmp_path)) >= 2)
    os.kill(workers(p.pid)[0], signal.SIGKILL)
    r = p.result()
    assert r.returncode == 0, r.stderr
    assert same(tmp_path, undisturbed)

def test_kill_by_keyboard(undisturbed, tmp_path):
    p = start(tmp_path, session=True)
    wait(lambda: finished(tmp_path))
    os.killpg(p.pid, signal.SIGINT)
    r = p.result()
    assert r.returncode == 130 and 'Traceback' not in r.stderr and r.stderr.strip().endswith('interrupted; what was finished is kept'), r.stderr
    ends_well(tmp_path, undisturbed)

def test_two_drivers(undisturbed, tmp_path):
    "They divide the work and end with the same numbers"
    both = [start(tmp_path, workers='1') for _ in range(2)]
    for p in both:
        r = p.result()
        assert r.returncode == 0, r.stderr
    assert same(tmp_path, undisturbed)
    assert not list(tmp_path.glob('units/*/.running/*')) and not list(tmp_path.glob('**/*.tmp*'))

def test_time_budget(undisturbed, tmp_path):
    "Shorter than one training: every call goes on in the middle of it"
    interrupted = set()
    for attempt in range(500):
        try: run(plan(tmp_path), Inline(), time_budget=.05)
        except Paused as e: assert re.fullmatch(r'\d+ of 10 models are left after 0.05 s; the same call goes on', str(e))
        else: break
        interrupted |= {p.parent.name.partition('-')[0] for p in tmp_path.glob('units/*/*.pt')}
    assert attempt > 3 and interrupted >= {'original', 'retain'}
    assert same(tmp_path, undisturbed)
    assert not list(tmp_path.glob('units/*/*.pt'))

def test_time_budget_of_a_command(tmp_path):
    r = call(tmp_path, '--workers', '1', '--time-budget', '.1')
    assert r.returncode == 75 and r.stderr.splitlines()[-1].startswith('mu_create_logits: 10 of 10 models are left after 0.1 s'), r.stderr
    r = call(tmp_path, '--time-budget', '0')
    assert r.returncode == 2 and 'time budget: expected seconds above 0, found 0' in r.stderr

def test_broken_records(undisturbed, tmp_path, capsys):
    run(plan(tmp_path), Inline())
    retained,tuned = (sorted(tmp_path.glob(f'units/{a}-*/*.safetensors')) for a in ('retain', 'finetune'))
    good = [p for p in finished(tmp_path) if p not in (retained[0], retained[1], tuned[0], tuned[2])]
    before = [p.stat().st_mtime_ns for p in good]
    retained[0].write_bytes(retained[0].read_bytes()[:-100])            # cut
    retained[1].write_bytes(b'')                                        # empty
    whole = tuned[2].read_bytes()
    tuned[2].write_bytes(whole[:-5] + bytes([whole[-5]^64]) + whole[-4:]) # one bit
    tuned[0].write_bytes(tuned[1].read_bytes())                         # another model's
    for p in tmp_path.glob('**/*.npy'): p.unlink()
    run(plan(tmp_path), Inline())
    assert same(tmp_path, undisturbed)
    assert [p.stat().st_mtime_ns for p in good] == before
    assert sorted(p.name for p in tmp_path.glob('units/*/*.broken')) == ['0000.broken', '0000.broken', '0001.broken', '0002.broken']
    assert capsys.readouterr().err.count('set aside') == 4

def test_changed_setting_makes_new_models(undisturbed, tmp_path):
    "Records of other settings are never used, and never lost"
    run(plan(tmp_path, approaches='finetune'), Inline())
    records = {p: p.read_bytes() for p in finished(tmp_path)}
    with pytest.raises(ValueError, match='holds an experiment with'): run(plan(tmp_path, epochs=11), Inline())
    assert {p: p.read_bytes() for p in finished(tmp_path)} == records
    ends_well(tmp_path, undisturbed)

def test_update_makes_no_model_again(undisturbed, tmp_path, monkeypatch):
    "Another release of the library, and of torch, finds the models of this one"
    run(plan(tmp_path, approaches='finetune'), Inline())
    before = {f: f.stat().st_mtime_ns for f in finished(tmp_path)}
    known = metadata.version
    monkeypatch.setattr(metadata, 'version', lambda name: '9.9.9' if name in ('machine_unlearning', 'torch') else known(name))
    run(plan(tmp_path, approaches='finetune'), Inline())
    assert {f: f.stat().st_mtime_ns for f in finished(tmp_path)} == before

@pytest.fixture
def small_disk(tmp_path):
    "A file system of 600 kB; only root can make one"
    disk = tmp_path/'disk'
    disk.mkdir()
    if os.geteuid() or subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=600k', 'tmpfs', disk], capture_output=True).returncode: pytest.skip('no permission to mount')
    yield disk
    subprocess.run(['umount', '-l', disk], check=True)

def test_full_disk(undisturbed, small_disk):
    r = call(small_disk, '--workers', '1')
    assert r.returncode == 1 and 'Traceback' not in r.stderr, r.stderr
    last = r.stderr.splitlines()[-1]
    assert re.search(r'models could not be made: \w+ \d: .*No space left on device', last), last
    assert not list(small_disk.glob('**/*.tmp*'))
    subprocess.run(['mount', '-o', 'remount,size=60m', small_disk], check=True)
    ends_well(small_disk, undisturbed)

sick = '''import torch
from machine_unlearning.models import ResNet18
from machine_unlearning.task import digits
bad = {BAD}
def network():
    model = ResNet18(4, 1)
    if torch.initial_seed() in bad: model.fc.weight.data[0, 0] = float('nan')
    return model
def task(**options):
    t = digits(**options)
    t.model = network
    return t
'''

def test_failing_seeds(tmp_path):
    "A training that yields NaN is a failed unit: it is listed, the others are made, and the next run tries only it"
    bad = {Experiment(plan(tmp_path)).seed_of('retain', i) for i in (0, 2)}
    (tmp_path/'sick_task.py').write_text(sick.replace('{BAD}', repr(bad)))
    for tried in 10, 2:
        r = run_command(*command, '--task', 'sick_task:task', '--workers', '1', '--out', tmp_path/'out', cwd=tmp_path)
        last = r.stderr.splitlines()[-1]
        assert r.returncode == 1 and f'2 of {tried} models could not be made' in last, r.stderr
        for i in 0, 2: assert f'retain {i}: FloatingPointError: the loss became nan in epoch 1 of 10' in last
        assert len(finished(tmp_path/'out')) == 8
    assert (tmp_path/'out'/'finetune'/'logits_unlearn.npy').is_file() and not (tmp_path/'out'/'logits_retain.npy').exists()
