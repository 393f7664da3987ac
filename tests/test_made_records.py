"Answers on disk as people have them, given to mu_record: a record that fits its schema, or one line with nothing written."
import json, re
import jsonschema, numpy as np, pandas as pd, pytest
from conftest import root
from machine_unlearning.attack import table
from machine_unlearning.audit.pair import read_population
from machine_unlearning.layout import record_schema
from machine_unlearning.record import mu_record, record

S, C, N, M = 12, 3, 6, 5
names = np.array(['cat', 'dog', 'eel'])

@pytest.fixture
def disk(tmp_path, monkeypatch):
    "Labels and logits of retained and unlearned models, in the current folder"
    rng = np.random.default_rng(0)
    monkeypatch.chdir(tmp_path)
    y = np.r_[0, 1, 2, rng.integers(0, C, S - 3)]
    z = {n: rng.normal(size=(k, S, C)) + 2*np.eye(C)[y] for n,k in (('r', N), ('f', M))}
    np.save('y.npy', y)
    for n in z: np.save(f'{n}.npy', z[n])
    return y, z

def made(*more, labels='y.npy', r='r.npy', f='f.npy', out='out'):
    mu_record.main([out, '--labels', labels, '--retained', r, '--approach', f'mine={f}', *more])
    return read_population(out), read_population(out, 'mine')

def shares(z): return np.exp(z)/np.exp(z).sum(-1, keepdims=True)

def same(populations, z, near=1e-5):
    for p,n in zip(populations, 'rf'):
        found = np.moveaxis(np.asarray(p.logits[:, 1:], float), 1, 0)
        assert np.abs(shares(found) - shares(z[n])).max() < near and p.n == len(z[n])

@pytest.mark.parametrize('sep,index,head', [(',', False, names), (',', True, names), (';', False, None), ('\t', False, [0, 1, 2])])
def test_a_csv_for_each_model(disk, sep, index, head):
    "With class names or without; a pattern finds the models in the order of their numbers"
    y,z = disk
    for n in z:
        for i,model in enumerate(shares(z[n])):
            t = pd.DataFrame(model, columns=head)
            t.to_csv(f'{n}_{i}.csv', sep=sep, index=index, header=head is not None, decimal=',' if sep == ';' else '.')
    pd.Series(names[y], name='class').to_csv('y.csv', index=False)
    same(made(labels='y.csv' if head is names else 'y.npy', r='r_*.csv', f='f_*.csv'), z)

def test_class_names_in_an_order_of_their_own(disk):
    y,z = disk
    order = [2, 0, 1]
    for n in z:
        for i,model in enumerate(shares(z[n])): pd.DataFrame(model[:, order], columns=names[order]).to_csv(f'{n}_{i}.csv')
    np.save('y.npy', names[y])
    same(made(r='r_*.csv', f='f_*.csv'), {n: z[n][..., order] for n in z})
    assert read_population('out').labels.tolist() == [order.index(c) for c in y]
    assert json.loads(open('out/record.json').read())['classes'] == names[order].tolist()

@pytest.mark.parametrize('head', [True, False])
@pytest.mark.parametrize('words', [True, False])
def test_predicted_classes(disk, head, words):
    "As numbers under the numbers of pandas, or as names without a head"
    y,z = disk
    for n in z:
        p = z[n].argmax(-1)
        pd.DataFrame((names[p] if words else p)).to_csv(f'{n}.csv', index=False, header=head)
    if words: np.save('y.npy', names[y])
    for p,n in zip(made(r='r.csv', f='f.csv'), 'rf'):
        assert p.n == len(z[n]) and (p.scores > 0).tolist() == (z[n].argmax(-1) == y).T.tolist()
        assert np.allclose(abs(p.scores), np.log(3), atol=1e-5) # log (1 + ½)/½

@pytest.mark.parametrize('save', [lambda n, z: np.savez(f'{n}.npz', *z), lambda n, z: np.savez(f'{n}.npz', z.astype('>f8')),
    lambda n, z: np.savez(f'{n}.npz', forget=z.astype(np.float16))])
def test_archives(disk, save):
    for n,z in disk[1].items(): save(n, z)
    same(made(r='r.npz', f='f.npz'), disk[1], .003)

def test_parquet(disk):
    pytest.importorskip('pyarrow', reason='pyarrow reads parquet, and no part of the package needs it otherwise')
    for n,z in disk[1].items():
        for i,model in enumerate(z): pd.DataFrame(dict(logits=list(model))).to_parquet(f'{n}_{i}.parquet')
    same(made(r='r_*.parquet', f='f_*.parquet'), disk[1])

def test_parquet_without_its_reader(disk, monkeypatch, capsys):
    def missing(path): raise ImportError
    monkeypatch.setattr(pd, 'read_parquet', missing)
    open('r.parquet', 'w').close()
    with pytest.raises(SystemExit): made(r='r.parquet')
    assert capsys.readouterr().err == 'mu_record: r.parquet: parquet needs another package: pip install pyarrow\n'

def test_accuracies_as_spreadsheets_have_them(disk):
    columns = {'seed': range(M), 'Retain accuracy': [99.5]*M, 'Test accuracy': [90.]*M}
    pd.DataFrame(columns).to_csv('m.csv', sep=';', decimal=',', encoding='utf-8-sig')
    made('--metrics', 'mine=m.csv')
    row = table('out').set_index('approach').loc['mine']
    assert np.allclose(row[['retain_accuracy', 'test_accuracy']].astype(float), [.995, .9])
    assert json.loads(open('out/mine/record.json').read())['unmeasured'] == []

refusals = {
    ('r', 'none.npy'): 'none.npy: no such file', ('r', 'r.h5'): 'r.h5: expected one of .npy', ('r', 'int.npy'): 'found int8; say which',
    ('r', 'obj.npy'): 'obj.npy: not a complete', ('f', 'nan.npy'): 'nan.npy: .* found nan at model 0, example 1',
    ('labels', 'four.npy'): 'r.npy: expected models × 4 examples', ('labels', 'minus.npy'): 'from 0 to 2 for 3 outputs, found -1',
    ('f', 'one.npy'): 'one.npy: shape .5, 12. may be one logit', ('out', 'full'): 'full: expected a new folder', ('out', 'y.npy/x'): 'but y.npy is a file'}

@pytest.mark.parametrize('option,value', refusals)
def test_refusals(disk, capsys, tmp_path, option, value):
    y,z = disk
    np.save('int.npy', (9*z['r']).astype(np.int8)); np.save('obj.npy', np.array([{}], object), allow_pickle=True)
    np.save('nan.npy', np.where(z['f'] == z['f'][0, 1, 2], np.nan, z['f'])); np.save('four.npy', y[:4])
    np.save('minus.npy', np.where(y == 2, -1, y)); np.save('one.npy', z['f'][..., 0])
    (tmp_path/'full').mkdir(); (tmp_path/'full'/'mine').write_text(''); (tmp_path/'r.h5').write_text('')
    before = sorted(p for p in tmp_path.rglob('*'))
    with pytest.raises(SystemExit) as e: made(**{option: value})
    err = capsys.readouterr().err
    assert e.value.code == 2 and err.count('\n') == 1 and re.search(refusals[option, value], err), err
    assert sorted(p for p in tmp_path.rglob('*')) == before

def test_killed_while_writing(disk, monkeypatch, tmp_path):
    "Nothing is left of a record that could not be finished"
    from machine_unlearning import record as module
    def full(*args): raise OSError(28, 'No space left on device')
    monkeypatch.setattr(module, 'write_metrics', full)
    with pytest.raises(OSError): record('out', disk[1]['r'], dict(mine=disk[1]['f']), disk[0])
    assert sorted(p.name for p in tmp_path.iterdir()) == ['f.npy', 'r.npy', 'y.npy']

def validate(path):
    "A record.json fits the published schema, which names all that is in it"
    found,schema = json.loads(path.read_text()), record_schema()
    jsonschema.Draft202012Validator(schema).validate(found)
    assert set(found) <= set(schema['properties']), set(found) - set(schema['properties'])
    return found

def test_records_fit_their_schema(disk):
    assert json.loads((root/'machine_unlearning'/'record.schema.json').read_text()) == json.loads(json.dumps(record_schema()))
    groups = dict(forget=np.arange(S), control=np.arange(S))
    parts = [dict(forget=z, control=z) for z in (disk[1]['r'], disk[1]['f'])]
    record('out', parts[0], dict(mine=parts[1]), dict(forget=disk[0], control=disk[0]), groups=groups, random_split=True)
    for path in 'out/record.json', 'out/mine/record.json': assert validate(root.__class__(path))['schema'] == 1
    kept = list((root/'data').rglob('record.json'))
    for path in kept: validate(path)
    assert len(kept) > 20

@pytest.mark.parametrize('options', [{}, dict(sham=True), dict(design='halves', pool=30)])
def test_records_of_the_laboratory_fit_it_too(tmp_path, options):
    from machine_unlearning.engine import Inline
    from machine_unlearning.plan import Plan
    from machine_unlearning.population import run
    run(Plan(tmp_path/'o', 'digits', dict(width=2, epochs=1, limit=60), ('finetune',), n=2, **options), Inline())
    made = [p for p in (tmp_path/'o').rglob('record.json')]
    assert len(made) > 1 and all(validate(p)['schema'] == 1 for p in made)

@pytest.mark.parametrize('change,why', [(dict(schema=2), 'found version 2; install a newer machine_unlearning'), (dict(schema=0), 'a version from 1')])
def test_a_record_of_another_version(disk, change, why):
    made()
    path = root.__class__('out/mine/record.json')
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ValueError, match=f'mine/record.json: .*{why}'): table('out')
    assert not jsonschema.Draft202012Validator(record_schema()).is_valid(change)
