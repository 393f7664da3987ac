"Commands as users run them: good input gives the numbers, bad input one line and exit status 2, with nothing written."
import json, os, re, subprocess, sys
from pathlib import Path
import numpy as np, pandas as pd
import pytest
from forked import run
from machine_unlearning.page import Page

@pytest.fixture
def records(tmp_path):
    "A small folder in the published layout: 6 examples, 3 classes, 5 + 5 models"
    rng = np.random.default_rng(0)
    z = rng.normal(size=(2, 6, 6, 3)).astype(np.float32)
    z[:, :, 0] = np.eye(3)[np.arange(6) % 3]
    data = tmp_path/'data'
    (data/'mine').mkdir(parents=True)
    np.save(data/'logits_retain.npy', z[0])
    np.save(data/'mine'/'logits_unlearn.npy', z[1])
    for folder in data, data/'mine': (folder/'metrics.csv').write_text('seed,retain_accuracy,forget_accuracy,test_accuracy\n'
        + ''.join(f'{i},1,0.5,0.75\n' for i in range(5)))
    return data

def snapshot(folder): return {p: p.read_bytes() for p in folder.glob('**/*') if p.is_file()}

def refused(folder, pattern, *args):
    "The command exits with status 2 and one matching line, and leaves the folder as it was"
    before = snapshot(folder)
    r = run(*args, cwd=folder)
    assert r.returncode == 2, r.stdout + r.stderr
    assert r.stderr.count('\n') == 1 and re.search(pattern, r.stderr), r.stderr
    assert snapshot(folder) == before

def change(path, edit):
    z = np.load(path)
    np.save(path, edit(z))

def put(i, value):
    def edit(z):
        z[i] = value
        return z
    return edit

def test_good_input(records):
    r = run('mu_table', records)
    assert r.returncode == 0 and len(r.stdout.splitlines()) == 3 and 'mine' in r.stdout
    r = run('mu_attack', records, 'mine')
    assert r.returncode == 0 and 'mine: eps = ' in r.stdout

def test_missing_approach_names_those_that_exist(records):
    refused(records, "no approach 'yours'.*found mine", 'mu_attack', records, 'yours')

@pytest.mark.parametrize('name', ['a/b', '../mine', '..', 'a\\b'])
def test_approach_name_is_no_path(records, name):
    refused(records, 'name of a folder', 'mu_attack', records, name)

def test_other_number_of_examples(records):
    change(records/'mine/logits_unlearn.npy', lambda z: z[:5])
    refused(records, 'mine/logits_unlearn.npy: expected 6 examples.*found 5', 'mu_table', records)

def test_other_number_of_classes(records):
    change(records/'mine/logits_unlearn.npy', lambda z: np.pad(z, [(0, 0), (0, 0), (0, 1)]))
    refused(records, 'expected 3 classes.*found 4', 'mu_table', records)

def test_other_labels(records):
    change(records/'mine/logits_unlearn.npy', put((4, 0), [1, 0, 0]))
    refused(records, 'mine.*expected the labels of the retrained logits, found another one at example 4', 'mu_table', records)

@pytest.mark.parametrize('label', [[0, 0, 0], [1, 1, 0], [.5, .5, 0]])
def test_slot_0_not_one_hot(records, label):
    change(records/'logits_retain.npy', put((2, 0), label))
    refused(records, 'slot 0 must hold the one-hot label.*example 2', 'mu_table', records)

@pytest.mark.parametrize('value', [np.nan, np.inf])
def test_logits_not_finite(records, value):
    change(records/'mine/logits_unlearn.npy', put((3, 1+2, 1), value))
    refused(records, f'mine.*found {value} at example 3, model 2', 'mu_attack', records, 'mine')

def test_too_few_models(records):
    change(records/'mine/logits_unlearn.npy', lambda z: z[:, :2])
    refused(records, 'logits_unlearn.npy: at least 2 models are needed, found 1', 'mu_table', records)

@pytest.mark.parametrize('delta', ['-0.1', '1', '1.5', 'nan'])
def test_delta_outside(records, delta):
    refused(records, r'delta: expected a number in \[0, 1\)', 'mu_table', records, f'--delta={delta}')

def test_object_array(records):
    np.save(records/'logits_retain.npy', np.array([{}], dtype=object), allow_pickle=True)
    refused(records, 'logits_retain.npy: not a complete .npy file of numbers', 'mu_table', records)

def test_truncated_array(records):
    p = records/'mine/logits_unlearn.npy'
    p.write_bytes(p.read_bytes()[:-20])
    refused(records, 'mine/logits_unlearn.npy: not a complete .npy file', 'mu_table', records)

def test_metrics_without_columns(records):
    (records/'mine/metrics.csv').write_text('seed,accuracy\n0,1\n')
    refused(records, 'mine/metrics.csv: expected columns seed, retain_accuracy.*found seed, accuracy', 'mu_table', records)

def test_missing_files(records):
    (records/'mine/metrics.csv').unlink()
    refused(records, 'mine/metrics.csv: no such file', 'mu_table', records)
    refused(records, 'nowhere: no such folder', 'mu_table', 'nowhere')

def test_forget_index_out_of_range(records):
    (records/'forget.txt').write_text('3,17,1200')
    refused(records, 'forget.txt: index 1200 out of range for 1200 training examples', 'mu_demo', '--forget', 'forget.txt')

def test_cifar10_with_wrong_md5(records):
    folder = records/'cifar-10-batches-py'
    folder.mkdir()
    for n in ('test_batch', *(f'data_batch_{i}' for i in range(1, 6))): (folder/n).write_bytes(b'other')
    refused(records, 'data_batch_1: expected MD5 c99cafc152244af753f735de768cd75f, found', 'mu_demo', '--task', 'cifar10', '--data-dir', '.')

small = '--n 2 --limit 60 --width 2 --epochs 1 --approaches finetune --workers 1'.split()

nonsense = {
    '--n 1': 'n: expected a whole number from 2', '--n 1000000000': 'n: expected a whole number from 2',
    '--epochs 0': 'epochs: expected', '--width 0': 'width: expected', '--width -1': 'width: expected',
    '--width 10000000': 'width: expected', '--limit -1': 'limit: expected', '--limit 0': 'limit: expected', '--limit 5': 'forget',
    '--workers 0': 'workers: expected', '--workers 100000': 'workers: expected',
    '--time-budget 0': 'time budget: expected', '--time-budget -5': 'time budget: expected',
    '--time-budget nan': 'time budget: expected', '--time-budget inf': 'time budget: expected',
    '--seed -1': 'seed: expected', f'--seed {2**70}': 'seed: expected',
    '--device gpu': "device: expected cpu, cuda.*found 'gpu'", '--device 0': "found '0'", '--device cuda:99': 'not available',
    '--device meta': 'device: expected', '--device CPU': 'device: expected',
    '--approaches finetun': "expected an approach of original.*found 'finetun'", '--approaches=,': 'approaches: expected names',
    '--originals two': 'originals: expected one or each', '--task cifar-10': 'expected a task of digits, cifar10',
    '--task ./mine.py:make': 'task ./mine.py:make', '--size 16': 'unrecognized arguments: --size 16',
    '--forget 5': 'forget', '--forget 1': 'forget', '--forget=-0.1': 'forget', '--forget nan': 'forget', '--forget inf': 'forget',
    '--design half': "design: expected retrained or halves, found 'half'", '--design halves': 'pool: the design halves needs one',
    '--pool 30': 'pool: expected none in the design retrained', '--design halves --pool 60': 'pool: expected 1 to 59 examples',
    '--design halves --pool 1': 'pool: expected at least 2 candidates', '--design halves --pool 1.5': 'pool fraction: expected',
    '--design halves --pool no.txt': 'no.txt: no such file', '--design halves --pool 30 --forget .1': 'forget: not in the design halves',
    '--design halves --pool 30 --originals one': 'originals: not in the design halves', '--design halves --pool 30 --sham': 'sham: not in',
    '--forget 10%': '10%', '--forget=.5,': '.5,', '--imports nope': 'nope', '--settings none.json': 'none.json',
    '--out mine': 'mine', '--out mine/x': 'mine'}

@pytest.mark.parametrize('line', nonsense)
def test_options_that_cannot_be(line, tmp_path, monkeypatch, capsys):
    "One line, status 2, and nothing written"
    from machine_unlearning.demo import mu_demo
    monkeypatch.chdir(tmp_path)
    Path('mine').write_text('a file')
    out = [] if '--out' in line else ['--out', 'o']
    with pytest.raises(SystemExit) as e: mu_demo.main([*small, *out, *line.split()])
    err = capsys.readouterr().err
    assert e.value.code == 2 and err.count('\n') == 1 and re.search(nonsense[line], err), err
    assert [p.name for p in tmp_path.rglob('*')] == ['mine']

@pytest.mark.parametrize('text', ['{', '[]', '{"approaches": {"finetune": {"settings": {"learning_rate": 1}}}}',
    '{"approaches": {"finetune": {"settings": {"lr": "0.1"}}}}', '{"approaches": {"finetun": {"settings": {"lr": 0.1}}}}', '['*100_000])
def test_settings_that_cannot_be(text, tmp_path, monkeypatch, capsys):
    from machine_unlearning.demo import mu_demo
    monkeypatch.chdir(tmp_path)
    Path('s.json').write_text(text)
    with pytest.raises(SystemExit) as e: mu_demo.main([*small, '--out', 'o', '--settings', 's.json'])
    err = capsys.readouterr().err
    assert e.value.code == 2 and err.count('\n') == 1 and 'settings' in err, err
    assert [p.name for p in tmp_path.rglob('*')] == ['s.json']

helps = '''import contextlib, runpy, sys
for name in sys.argv[1:]:
    sys.argv = [name, '--help']
    with contextlib.suppress(SystemExit): runpy.run_module(f'machine_unlearning.{name}', run_name='__main__')
    print('\\f')
'''

def test_help_of_the_laboratory():
    "An example, and every character of an ascii terminal"
    env = os.environ | dict(COLUMNS='40', LC_ALL='C', PYTHONIOENCODING='ascii', PYTHONUTF8='0')
    names = 'train_retain create_logits demo tune pretrain forget'.split()
    r = subprocess.run([sys.executable, '-c', helps, *names], env=env, capture_output=True, text=True)
    said = [' '.join(text.split()) for text in r.stdout.split('\f')]
    assert r.returncode == 0 and said.pop() == '' and len(said) == len(names), r.stderr
    for name,text in zip(names, said): assert f'Example: mu_{dict(forget="unlearn").get(name, name)}' in text and '--task face-age' in text

@pytest.fixture
def auditable(tmp_path):
    "Like `records`, with enough models for an audit, and a control set"
    rng = np.random.default_rng(0)
    data = tmp_path/'audit'
    (data/'mine').mkdir(parents=True)
    for folder,kind in (data, 'retain'), (data/'mine', 'unlearn'):
        for name,S in ('logits', 8), ('control', 9):
            z = rng.normal(size=(S, 11, 3)).astype(np.float32)
            z[:, 0] = np.eye(3)[np.arange(S) % 3]
            np.save(folder/f'{name}_{kind}.npy', z)
        (folder/'metrics.csv').write_text('seed,retain_accuracy,forget_accuracy,test_accuracy\n' + ''.join(f'{i},1,0.5,0.75\n' for i in range(10)))
    return data

def test_audit(auditable):
    r = run('mu_audit', auditable)
    assert r.returncode == 0, r.stderr
    assert 'mine: ' in r.stdout and (auditable/'audit.csv').is_file() and not list(auditable.glob('audit_*.csv'))
    assert run('mu_audit', auditable, '--examples').returncode == 0 and (auditable/'audit_mine.csv').is_file()
    assert len(list((auditable/'figures').glob('audit_*.png'))) == 5

@pytest.mark.parametrize('alpha', ['0', '1', '-1', 'nan'])
def test_audit_alpha_outside(auditable, alpha):
    refused(auditable, 'alpha: expected a number strictly between 0 and 1', 'mu_audit', auditable, f'--alpha={alpha}')

def test_audit_delta_outside(auditable):
    refused(auditable, r'delta: expected a number in \[0, 1\)', 'mu_audit', auditable, '--delta', '1')

def test_audit_missing_approach(auditable):
    refused(auditable, "no approach 'yours'.*found mine", 'mu_audit', auditable, '--approach', 'yours')

@pytest.mark.parametrize('n', [1, 2, 3])
def test_audit_of_few_models(auditable, n):
    "Nothing is refused for lack of models: what needs many is blank, and what can be said of these is said"
    for folder,kind in (auditable, 'retain'), (auditable/'mine', 'unlearn'):
        for name in 'logits', 'control': change(folder/f'{name}_{kind}.npy', lambda z: z[:, :n+1])
        (folder/'metrics.csv').write_text(''.join((folder/'metrics.csv').read_text().splitlines(True)[:n+1]))
    r = run('mu_audit', auditable)
    assert r.returncode == 0 and f'({n} retrained, {n} unlearned; at least 4 of each would do)' in ' '.join(r.stdout.split()), r.stderr
    row = pd.read_csv(auditable/'audit.csv').set_index('approach').loc['mine']
    assert row.n_unlearn == n and np.isnan(row[['epsilon', 'lira_auc', 'tow']].astype(float)).all() and 0 < row.one_p <= 1
    assert run('mu_report', auditable).returncode == 0 and 'at least 4 models' in (auditable/'report.html').read_text()
    assert run('mu_gate', auditable).returncode == 3

def test_audit_other_number_of_examples(auditable):
    change(auditable/'mine/logits_unlearn.npy', lambda z: z[:7])
    refused(auditable, 'expected 8 examples as in the retrained logits, found 7', 'mu_audit', auditable, '--approach', 'mine')

def test_audit_control_of_other_models(auditable):
    change(auditable/'mine/control_unlearn.npy', lambda z: z[:, :9])
    refused(auditable, 'mine/control_unlearn.npy: expected 10 models as in the logits, found 8', 'mu_audit', auditable)

def test_audit_flat_example(auditable):
    "An example on which all models agree is left out of memory, counted and said; it does not stop the audit"
    def constant(z):
        z[3, 1:] = [0, 1, 2]
        return z
    change(auditable/'mine/logits_unlearn.npy', constant) # a method without randomness, from one original
    r = run('mu_audit', auditable, '--examples')
    assert r.returncode == 0, r.stderr
    assert pd.read_csv(auditable/'audit_mine.csv').epsilon.isna().tolist() == [False]*3 + [True] + [False]*4
    change(auditable/'logits_retain.npy', constant)
    r = run('mu_audit', auditable)
    assert r.returncode == 0, r.stderr
    rows = pd.read_csv(auditable/'audit.csv')
    assert rows.flat.tolist() == [1, 1] and np.isfinite(rows.memory_gap).all()
    assert '1 forget example left out of memory' in ' '.join(r.stdout.split())

def test_audit_of_copies(auditable):
    "Copies of a model are counted, said, and no interval is given; a population that is one model is refused"
    copies = lambda z: z[:, [0, 1, 1, 2, 2, 3, 3, 4, 4, 4, 5]]
    for name in 'logits', 'control': change(auditable/f'mine/{name}_unlearn.npy', copies)
    r = run('mu_audit', auditable)
    assert r.returncode == 0 and '5 of 10 unlearned models differ' in ' '.join(r.stdout.split()), r.stderr
    row = pd.read_csv(auditable/'audit.csv').set_index('approach').loc['mine']
    assert (row.n_unlearn, row.distinct_unlearn) == (10, 5) and np.isnan(row[['epsilon_low', 'klom_excess_high', 'memory_gap_low']].astype(float)).all()
    for name in 'logits', 'control': change(auditable/f'{name}_retain.npy', lambda z: z[:, [0] + [1]*10])
    refused(auditable, 'expected retrained models that differ, found 10 copies of one', 'mu_audit', auditable)

def test_audit_names_once(auditable):
    r = run('mu_audit', auditable, '--approach', 'mine, mine')
    assert r.returncode == 0 and pd.read_csv(auditable/'audit.csv').approach.tolist() == ['baseline', 'mine']
    for command in 'mu_audit', 'mu_report': refused(auditable, 'name of a folder', command, auditable, '--approach', '')

def test_audit_seed_and_out(auditable):
    refused(auditable, 'seed: expected', 'mu_audit', auditable, '--seed=-1')
    (auditable/'a_file').write_text('mine')
    refused(auditable, 'a_file is a file', 'mu_audit', auditable, '--out', auditable/'a_file')
    refused(auditable, 'report: expected the name of an html file', 'mu_report', auditable, '--out', auditable/'report')

def test_audit_control_of_other_examples(auditable):
    change(auditable/'mine/control_unlearn.npy', put((4, 0), [1, 0, 0]))
    refused(auditable, 'control set.*another one at example 4', 'mu_audit', auditable)
    change(auditable/'mine/control_unlearn.npy', lambda z: z[:7])
    refused(auditable, 'expected 9 examples as in the retrained logits, found 7', 'mu_audit', auditable)

def test_audit_rows_and_models(auditable):
    p = auditable/'mine/metrics.csv'
    p.write_text(''.join(p.read_text().splitlines(True)[:-1]))
    refused(auditable, 'mine/metrics.csv: .*10', 'mu_audit', auditable)

def test_audit_in_plain_letters(auditable):
    "Terminals that know neither Greek nor accents; lines of the verdicts fit"
    r = run('mu_audit', auditable)
    text = r.stdout.partition('\ntable')[0]
    assert r.returncode == 0 and text.isascii() and 'control eps' in text, r.stderr
    assert all(len(line) <= 85 for line in text[text.index('confidence'):].splitlines())

def test_audit_of_any_name(auditable):
    "A name that would be a formula, a tag or too long for a figure"
    name = 'a$b$ \U0001f600 <b>' + 'x'*150
    (auditable/'mine').rename(auditable/name)
    r = run('mu_audit', auditable, '--examples')
    assert r.returncode == 0 and 'Warning' not in r.stderr, r.stderr
    assert len(list((auditable/'figures').glob('audit_*.png'))) == 5 and (auditable/f'audit_{name}.csv').is_file()

def test_report(auditable):
    name = '<img src=x onerror=alert(1)>'
    (auditable/'mine').rename(auditable/name)
    (auditable/name/'record.json').write_text(json.dumps({name: [name, {name: name}], 'note': '</td></table><script>alert(1)</script>'}))
    r = run('mu_report', auditable)
    assert r.returncode == 0 and r.stdout.endswith(f'{auditable/"report.html"}\n'), r.stderr
    assert r.stdout.startswith('baseline: ')
    page = Page((auditable/'report.html').read_text())
    loads = [v for tag,attrs in page.tags for k,v in attrs.items() if k in ('src', 'href', 'srcset', 'data', 'action', 'poster')]
    assert len(loads) == 6 and all(v.startswith('data:image/svg+xml;base64,') for v in loads)
    assert [tag for tag,_ in page.tags].count('script') == 1 and not any(k.startswith('on') for _,attrs in page.tags for k in attrs)
    assert run('mu_audit', auditable).returncode == 0
    rows = pd.read_csv(auditable/'audit.csv')
    at = [heading for heading,_ in page.tables[0][0]]
    for i,row in enumerate(page.tables[0][1:]):
        assert row[0] == [rows.approach[i], str(i)]
        for heading,column in ('ε̂', 'epsilon'), ('half have ε ≥', 'certified_median'), ('p', 'p_value'), ('set AUC', 'set_auc'), ('control ε̂', 'control_epsilon'):
            assert float(row[at.index(heading)][1]) == rows[column][i], (i, heading)
    assert [float(x) for _,x in page.tables[1][2][1:4]] == [1, .5, .75]

def test_ages(tmp_path):
    "Numbers instead of classes, through every command: errors in years, and nothing that needs probabilities"
    rng,age = np.random.default_rng(0), np.random.default_rng(1).uniform(0, 70, 17).astype(np.float32)
    for folder,kind,shift in (tmp_path, 'retain', 0), (tmp_path/'mine', 'unlearn', 3):
        folder.mkdir(exist_ok=True)
        for name,part in ('logits', age[:8]), ('control', age[8:]):
            np.save(folder/f'{name}_{kind}.npy', np.concatenate([part[:, None], part[:, None] + rng.normal(shift, 4, (len(part), 10))], 1)[..., None].astype(np.float32))
        (folder/'metrics.csv').write_text('seed,retain_mae,forget_mae,test_mae\n' + ''.join(f'{i},2,{4+shift},5.25\n' for i in range(10)))
    for command,said in dict(mu_table='mine .* 2.00 +7.00 +5.25', mu_audit='mine: .*certified eps', mu_report='report.html').items():
        r = run(command, tmp_path)
        assert r.returncode == 0 and re.search(said, r.stdout.replace('\n', ' ')), r.stdout + r.stderr
    z = [np.load(tmp_path/p)[..., 0] for p in ('logits_retain.npy', 'mine/logits_unlearn.npy')]
    r,u = (x[:, 1:] - x[:, :1] for x in z)
    row = pd.read_csv(tmp_path/'audit.csv').set_index('approach').loc['mine']
    assert row['shift'] == pytest.approx(abs(u.mean(1) - r.mean(1)).mean(), rel=1e-5) and np.isnan(row.js)
    page = Page((tmp_path/'report.html').read_text())
    assert [float(x) for _,x in page.tables[1][2][1:4]] == [2, 7, 5.25] and page.tables[1][2][1][0] == '2.00'

def test_report_refuses(auditable):
    refused(auditable, 'alpha: expected a number strictly between 0 and 1', 'mu_report', auditable, '--alpha', '1')
    refused(auditable, "no approach 'yours'.*found mine", 'mu_report', auditable, '--approach', 'yours')
    refused(auditable, 'expected the name of a file, found a folder', 'mu_report', auditable, '--out', auditable)
    refused(auditable, 'nowhere: no such folder', 'mu_report', 'nowhere')
    (auditable/'mine'/'metrics.csv').write_text('seed\n0\n')
    refused(auditable, 'mine/metrics.csv: expected columns', 'mu_report', auditable, '--out', auditable/'new'/'a.html')
    (auditable/'mine'/'record.json').write_text('{"task": ')
    refused(auditable, 'mine/record.json: expected json', 'mu_report', auditable)

def test_table_of_the_published_logits(shared):
    r = run('mu_table', shared/'forget-with-precision')
    assert r.returncode == 0
    found = [line.split()[:2] for line in r.stdout.splitlines()[1:]]
    assert found == [['baseline', '0.88'], ['finetune', '3.74'], ['poison', '4.16'], ['poison_full', '4.20'], ['hybrid', '2.83'],
                     ['prune', '3.22'], ['prune_last_layer', '2.30'], ['prune_complex', '2.20'], ['activation_reset', '3.58']]

def test_warnings_of_workers_are_lines(tmp_path):
    (tmp_path/'loud.py').write_text('import warnings\nfrom machine_unlearning.unlearn import method\n@method("Loud", reads=["retain"])\ndef loud(model, request):\n    "Warn"\n    warnings.warn("a loud\\n method")\n    return model\n')
    r = run('mu_create_logits', '--epochs', '20', '--limit', '100', '--width', '2', '--n', '2', '--approaches', 'loud', '--imports', 'loud', '--out', 'out', '--workers', '2', cwd=tmp_path)
    assert r.returncode == 0 and 'warning: a loud method\n' in r.stderr and 'loud.py' not in r.stderr, r.stderr

def test_audit_where_some_rows_are_of_few_models(records): # five retrained models are two against three in the baseline
    r = run('mu_audit', records)
    assert r.returncode == 0 and 'Traceback' not in r.stderr, r.stderr
    assert (records/'figures'/'audit_trade_off_mine.png').is_file()
    rows = pd.read_csv(records/'audit.csv')
    assert rows.n_retain.tolist() == [2, 5] and not [c for c in rows if c.startswith('relearn')]
