"Folders as people and accidents leave them, given to mu_table and mu_attack: read, or refused in one line with nothing written."
import json, re
import numpy as np
import pytest
from machine_unlearning.attack import mu_attack, mu_table
from machine_unlearning.layout import files
from test_commands import change, put, records, snapshot # noqa: F401

head = 'seed,retain_accuracy,forget_accuracy,test_accuracy'
rows = [f'{i},1,0.5,0.75' for i in range(5)]

def csv(*rows, head=head): return '\n'.join([head, *rows]) + '\n'

@pytest.fixture
def said(capsys):
    "Call a command in this process; returns its exit status, standard output and standard error"
    def call(command, *args):
        try: command.main([str(a) for a in args])
        except SystemExit as e: return (e.code, *capsys.readouterr())
        return (0, *capsys.readouterr())
    return call

def refused(said, folder, pattern, *args, commands=(mu_table, mu_attack)):
    "Each command exits with status 2 and one matching line, and leaves the folder as it was"
    before = snapshot(folder)
    for command in commands:
        status,out,err = said(command, folder, *(['mine'] if command is mu_attack else []), *args)
        assert (status, out, err.count('\n')) == (2, '', 1) and re.search(pattern, err), (status, out, err)
    assert snapshot(folder) == before

@pytest.mark.parametrize('text,why', [
    (csv(*rows[:4]), 'expected 5 rows, one for each model, found 4'),
    (csv(*rows, *rows), 'expected 5 rows, one for each model, found 10'),
    (csv('2,1,0.5,0.75'), 'expected 5 rows, one for each model, found 1'),
    (csv(*rows[:4], rows[0]), 'expected different seeds, found 0 twice'),
    (csv(*(r.replace('0.5', '50') for r in rows)), 'expected fractions from 0 to 1 in forget_accuracy, found 50'),
    (csv(*(r.replace('0.5', '-0.5') for r in rows)), 'expected fractions from 0 to 1 in forget_accuracy, found -0.5'),
    (csv(*(r + ',-1' for r in rows), head=head + ',trained'), 'expected costs of at least 0 in trained, found -1'),
    (csv(*(r.replace(',', ';') for r in rows), head=head.replace(',', ';')), 'expected columns'),
    (csv(*rows).encode('utf-16'), 'expected a csv in UTF-8'), (bytes(range(256)), 'expected'), ('', 'found no rows')])
def test_metrics_that_do_not_fit(records, said, text, why): # noqa: F811
    files(records, 'mine').metrics.write_bytes(text if isinstance(text, bytes) else text.encode())
    refused(said, records, f'mine/metrics.csv: .*{why}')

@pytest.mark.parametrize('text', [csv(*rows).encode('utf-8-sig'), csv(*rows).replace(',', ', '), csv(*rows) + '\n\n',
    csv(*(r + ',node12,' for r in rows), head=head + ',host,note'), csv(*(f'{r[0]},{r}' for r in rows), head=',' + head)])
def test_metrics_that_are_read(records, said, text): # noqa: F811
    want = said(mu_table, records)
    files(records, 'mine').metrics.write_bytes(text if isinstance(text, bytes) else text.encode())
    assert want[0] == 0 and said(mu_table, records) == want

def test_costs_of_zero(records, said): # noqa: F811
    text = csv(*(r + ',0,0' for r in rows), head=head + ',forward,trained')
    for name in None, 'mine': files(records, name).metrics.write_text(text)
    refused(said, records, 'data/metrics.csv: expected costs above 0, found only 0', commands=[mu_table])

@pytest.mark.parametrize('shape', ['(-6, 6, 3)', f'({2**62}, 6, 3)', f'({10**30}, 6, 3)', '(6.0, 6, 3)', 'None'])
def test_damaged_header(records, said, shape): # noqa: F811
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}}}".encode()
    path = files(records, 'mine').logits
    path.write_bytes(b'\x93NUMPY\x01\x00' + len(header).to_bytes(2, 'little') + header + bytes(1000))
    refused(said, records, 'mine/logits_unlearn.npy: ')

def test_file_that_is_none(records, said): # noqa: F811
    path = files(records).logits
    path.unlink(); path.symlink_to(path.name)
    refused(said, records, 'logits_retain.npy: a link that leads to no file')
    status,_,err = said(mu_table, files(records).metrics)
    assert status == 2 and 'expected a folder, found a file' in err

@pytest.mark.parametrize('dtype', ['<f2', '>f4', '<f8', '>f8', 'g'])
def test_types_of_numbers(records, said, dtype): # noqa: F811
    for name in None, 'mine': change(files(records, name).logits, lambda z: np.asfortranarray(z.astype(np.float16)))
    want = said(mu_table, records)
    for name in None, 'mine': change(files(records, name).logits, lambda z: z.astype(dtype))
    assert want[0] == 0 and said(mu_table, records) == want

@pytest.mark.parametrize('edit,why', [
    (lambda z: z.astype(int), 'expected an array of floating-point numbers, found int64'),
    (put((2, 1, 0), -np.inf), 'expected finite logits, found -inf at example 2, model 0'),
    (lambda z: z.astype(float)*np.where(z > 1, 1e300, 1), r'expected outputs of at most 1e\+150 in size')])
def test_values(records, said, edit, why): # noqa: F811
    change(files(records, 'mine').logits, edit)
    refused(said, records, f'mine/logits_unlearn.npy: {why}')

def test_flat_example(records, said): # noqa: F811
    def flat(z):
        z[3, 1:] = [.1, .7, .3]
        return z
    change(files(records, 'mine').logits, flat)
    status,out,_ = said(mu_table, records)
    assert status == 0 and out.splitlines()[2].split()[-1] == '1' and 'missing: left out' in out
    assert ', 1 missing;' in said(mu_attack, records, 'mine')[1]

@pytest.mark.parametrize('text,why', [('[' * 100_000, 'json'), ('{"order": "x"}', 'a whole number as order'),
    ('{"kind": "cats"}', 'classes or number as kind'), ('{"originals": "Each"}', 'one or each as originals'),
    ('[]', 'a json object, found list'), ('\ufffe', 'json')])
def test_about(records, said, text, why): # noqa: F811
    files(records, 'mine').about.write_text(text)
    refused(said, records, f'mine/record.json: expected {why}')

def test_about_with_a_bom(records, said): # noqa: F811
    want = said(mu_table, records)
    files(records, 'mine').about.write_text(json.dumps(dict(title='Mine', kind='classes')), encoding='utf-8-sig')
    assert said(mu_table, records) == want

@pytest.mark.parametrize('name', ['$x_{$', '🦄', 'n'*200, '_a', 'ünï (2)', 'a,b'])
def test_names(records, said, name): # noqa: F811
    (records/'mine').rename(records/name)
    status,out,err = said(mu_table, records)
    assert status == 0 and out.splitlines()[2].startswith(name), err
    assert said(mu_attack, records, name)[1].startswith(f'{name}: eps = ')

def test_names_that_are_left_out(records, said): # noqa: F811
    want = said(mu_table, records)[1]
    for name in 'baseline', '.ipynb_checkpoints':
        (records/name).mkdir()
        for p,q in zip(files(records, 'mine'), files(records, name)):
            if p.exists(): q.write_bytes(p.read_bytes())
    status,out,err = said(mu_table, records)
    assert (status, out) == (0, want) and err == f'{records}/baseline: left out, the baseline is made from the retrained models\n'

def test_one_logit(records, said): # noqa: F811
    "Labels of 0 and 1 beside one output are no regression unless somebody says so"
    def one(z):
        z[:, 0, 0] = np.arange(6) % 2
        return z[..., :1]
    for name in None, 'mine': change(files(records, name).logits, one)
    refused(said, records, 'logits_retain.npy: one output, and only 0 and 1 as the truth: say --kind classes')
    refused(said, records, "kind: expected classes or number, found 'logit'", '--kind', 'logit')
    refused(said, records, 'metrics.csv: expected columns seed, retain_mae', '--kind', 'number')
    one_logit = said(mu_table, records, '--kind', 'classes')
    for name in None, 'mine':
        z = np.load(files(records, name).logits)
        two = np.concatenate([np.zeros_like(z), z], 2)
        two[:, 0] = np.eye(2)[np.arange(6) % 2]
        np.save(files(records, name).logits, two)
    assert one_logit[0] == 0 and said(mu_table, records) == one_logit

def test_csv(records, said): # noqa: F811
    refused(said, records, 'expected the name of a file, found a folder', '--csv', records, commands=[mu_table])
    refused(said, records, 'a file of the record', '--csv', files(records, 'mine').metrics, commands=[mu_table])
    refused(said, records, 'is a file', '--csv', files(records).metrics/'a.csv', commands=[mu_table])
    assert said(mu_table, records, '--csv', records/'new'/'a.csv')[0] == 0
    assert (records/'new'/'a.csv').read_text().startswith('approach,epsilon,retain_accuracy,')

@pytest.mark.parametrize('args', [['--delta', 'x'], ['--delta', '1'], ['--delta=-1'], ['--delta', 'nan'], ['--nothing'], ['more', 'more']])
def test_options(records, said, args): # noqa: F811
    refused(said, records, 'mu_(table|attack): ', *args)

def test_methods_look_different():
    "No two approaches of the library share colour and marker"
    pytest.importorskip('torch')
    from machine_unlearning.figures import style
    from machine_unlearning.unlearn import methods
    looks = {n: str(style(n)) for n in ('baseline', *methods)}
    assert len(set(looks.values())) == len(looks)
