"What pip installs: source and binary distribution, each in a fresh environment, which has no torch; there the audit half does all its work."
import json, os, shutil, subprocess, sys, tarfile, zipfile
from importlib import metadata
import numpy as np, pandas as pd, pytest
from packaging.requirements import Requirement
from conftest import root

@pytest.fixture(scope='module')
def built(tmp_path_factory):
    "Both distributions, made from a copy of what git has; the binary one is made from the source one"
    copy,dist = tmp_path_factory.mktemp('project'), tmp_path_factory.mktemp('dist')
    names = subprocess.run(['git', 'ls-files', '-z'], cwd=root, capture_output=True, check=True, text=True).stdout.split('\0')
    for name in filter(None, names):
        if name.startswith(('nbs/', 'data/')) or not (root/name).is_file(): continue
        (copy/name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(root/name, copy/name)
    subprocess.run([sys.executable, '-m', 'build', '--no-isolation', '--outdir', dist, copy], check=True, capture_output=True)
    return next(dist.glob('*.tar.gz')), next(dist.glob('*.whl'))

def quietly(*command): subprocess.run([*map(str, command)], check=True, capture_output=True)

def fresh(folder):
    "Make an environment in which nothing is installed; how to call pip for it"
    quietly(sys.executable, '-m', 'venv', '--without-pip', folder)
    return sys.executable, '-m', 'pip', '--python', folder/'bin'/'python'

def site(commands): return next(commands.parent.glob('lib/python*/site-packages'))

def link_required(wheel, folder):
    "Link into a folder what a wheel requires, and what that requires, from the running environment"
    (about,) = metadata.distributions(name='machine_unlearning', path=[str(wheel)])
    todo,seen = about.requires, set()
    while todo:
        r = Requirement(todo.pop())
        if r.name in seen or r.marker and not r.marker.evaluate(dict(extra='')): continue
        found = metadata.distribution(r.name)
        assert r.specifier.contains(found.version), f'{r}: found {found.version}'
        seen.add(r.name)
        todo += found.requires or []
        tops = {f.parts[0] for f in found.files} - {'..', '__pycache__'}
        for top in tops: (folder/top).symlink_to(found.locate_file(top))

@pytest.fixture(scope='module')
def wheel(built, tmp_path_factory):
    "A fresh environment with the binary distribution and what it requires, and nothing else; returns its folder of commands"
    folder = tmp_path_factory.mktemp('wheel')
    pip = fresh(folder)
    quietly(*pip, 'install', '--no-deps', '--no-compile', built[1])
    link_required(built[1], site(folder/'bin'))
    quietly(*pip, 'check')
    return folder/'bin'

@pytest.fixture(scope='module')
def sdist(built, wheel, tmp_path_factory):
    "A fresh environment with the source distribution alone; what it requires is looked up in that of `wheel`"
    folder = tmp_path_factory.mktemp('sdist')
    pip = fresh(folder)
    quietly(sys.executable, '-m', 'pip', 'wheel', '--no-deps', '--no-build-isolation', '-w', folder, built[0])
    quietly(*pip, 'install', '--no-deps', '--no-compile', *folder.glob('*.whl'))
    (site(folder/'bin')/'required.pth').write_text(f'{site(wheel)}\n')
    return folder/'bin'

@pytest.fixture(scope='module')
def record(tmp_path_factory):
    "A folder in the published layout: 8 models of each kind, 12 forget and 20 control examples of 4 classes"
    folder,rng = tmp_path_factory.mktemp('record'), np.random.default_rng(0)
    def outputs(labels, memory):
        logits = rng.normal(size=(len(labels), 8, 4)) + (2 + memory)*np.eye(4)[labels][:, None]
        return np.concatenate([np.eye(4)[labels][:, None], logits], 1).astype(np.float32)
    forget,control = rng.integers(0, 4, 12), rng.integers(0, 4, 20)
    for place,kind,memory in (folder, 'retain', 0), (folder/'finetune', 'unlearn', 1):
        place.mkdir(exist_ok=True)
        np.save(place/f'logits_{kind}.npy', outputs(forget, memory))
        np.save(place/f'control_{kind}.npy', outputs(control, 0))
        accuracies = {f'{part}_accuracy': rng.uniform(.8, 1, 8) for part in ('retain', 'forget', 'test')}
        pd.DataFrame(dict(seed=range(8)) | accuracies).to_csv(place/'metrics.csv', index=False)
    return folder

def call(command, *args, cwd=None):
    env = {k: v for k,v in os.environ.items() if k not in ('PYTHONPATH', 'MPLBACKEND', 'PYTHONDONTWRITEBYTECODE')} # compile once
    return subprocess.run([command, *map(str, args)], cwd=cwd, env=env, capture_output=True, text=True)

def test_distributions_hold_what_they_need(built):
    sdist,wheel = built
    with tarfile.open(sdist) as tar: held = {n.partition('/')[2] for n in tar.getnames()}
    data = {f'machine_unlearning/{name}.json' for name in ('audit/policy', 'audit/verdict.schema', 'protocol')}
    assert {'settings.ini', 'README.md', 'LICENSE', 'CITATION.cff', 'machine_unlearning/attack.py'} | data <= held
    with zipfile.ZipFile(wheel) as z:
        assert {'machine_unlearning/attack.py', 'machine_unlearning/unlearn/finetune.py'} | data <= set(z.namelist())
        about = z.read(next(n for n in z.namelist() if n.endswith('METADATA'))).decode()
    needed = [l.partition(': ')[2] for l in about.splitlines() if l.startswith('Requires-Dist') and 'extra ==' not in l]
    assert not any(n.startswith(('torch', 'scikit', 'safetensors', 'filelock')) for n in needed) and any(n.startswith('numpy') for n in needed)
    extras = {l.split()[1] for l in about.splitlines() if l.startswith('Provides-Extra')}
    assert extras == {'lab', 'dask', 'tune', 'all', 'dev'}
    assert all(word in about for word in ('Classifier: Development Status', 'Keywords: ', 'Project-URL: Documentation', 'License'))

@pytest.mark.parametrize('kind', ['wheel', 'sdist'])
def test_table_from_a_fresh_environment(kind, record, tmp_path, request):
    commands = request.getfixturevalue(kind)
    where = call(commands/'python', '-c', 'import machine_unlearning as m; print(m.__file__)', cwd=tmp_path)
    assert where.stdout.startswith(str(commands.parent)), where.stderr
    r = call(commands/'mu_table', record, cwd=tmp_path)
    assert r.returncode == 0 and 'finetune' in r.stdout, r.stderr

several = '''import json, sys
from importlib.metadata import entry_points
scripts = {s.name: s for s in entry_points(group='console_scripts')}
for name,*args in json.loads(sys.argv[1]):
    sys.argv,status = [name, *args], 0
    try: scripts[name].load()()
    except SystemExit as e: status = e.code
    print(f'{name} ended with {status}')
'''

def test_the_audit_needs_no_torch(wheel, record, tmp_path):
    "All commands of the audit, one after the other in a process"
    assert call(wheel/'python', '-c', 'import torch', cwd=tmp_path).returncode == 1
    seal = tmp_path/'seal.json'
    commands = [('mu_attack', record, 'finetune'), ('mu_audit', record, '--out', tmp_path), ('mu_report', record, '--out', tmp_path/'r.html'),
        ('mu_seal', tmp_path/'to come', '--out', seal), ('mu_gate', record, '--seal', seal, '--out', tmp_path),
        ('mu_judge', '--unlearned', record/'finetune', '--retained', record)]
    r = call(wheel/'python', '-c', several, json.dumps(commands, default=str), cwd=tmp_path)
    assert r.returncode == 0, r.stderr
    ends = {line.split()[0]: line.split()[-1] for line in r.stdout.splitlines() if ' ended with ' in line}
    assert ends == {name: '0' for name,*_ in commands} | dict(mu_gate='3'), r.stderr # no originals, so memory left is not evaluable
    assert 'AUC' in r.stdout and '<html' in (tmp_path/'r.html').read_text()
    assert all((tmp_path/name).is_file() for name in ('audit.csv', 'seal.json', 'verdict.json'))
    short = 'import machine_unlearning as mu, sys; print(len(mu.table(sys.argv[1])), mu.audit(sys.argv[1])[0].approach.tolist())'
    r = call(wheel/'python', '-c', short, record, cwd=tmp_path)
    assert r.stdout.split(maxsplit=1)[0] == '2', r.stderr

@pytest.mark.parametrize('name', ['demo', 'train_retain', 'create_logits', 'tune', 'pretrain', 'unlearn', 'submit'])
def test_laboratory_commands_say_what_is_missing(wheel, tmp_path, name):
    r = call(wheel/f'mu_{name}', cwd=tmp_path)
    assert r.returncode == 2 and r.stdout == '' and "machine_unlearning[lab]" in r.stderr and len(r.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []
