"The gate: records × policies with their exit status, seals that are broken, verdicts that fit their schema, and commands without torch."
import contextlib, functools, io, json, shutil, subprocess, sys
from configparser import ConfigParser
import jsonschema, numpy as np, pytest
from conftest import root
from machine_unlearning.audit import gate as gates, result
from machine_unlearning.audit.gate import mu_gate, verdict_schema
from machine_unlearning.audit.halves import planted_halves, write_halves
from machine_unlearning.audit.pair import planted, write_planted
from machine_unlearning.audit.policy import checksum, default_policy, starting_policy
from machine_unlearning.audit.seal import mu_seal
from machine_unlearning.core import write_json

def population(name, n, seed, forget=0.):
    rng = np.random.default_rng(seed)
    labels = {part: np.arange(size) % 3 for part,size in (('forget', 30), ('control', 45))}
    return planted(name, labels, n, rng, forget=forget)

@pytest.fixture(scope='module')
def records(tmp_path_factory):
    "Planted records: many models, few, one, halves, without control set, without originals, and copies of one model"
    folder = tmp_path_factory.mktemp('records')
    retain,original,keeps,forgets = (population(n, 24, i, f) for i,(n,f) in enumerate(dict(retain=0, original=2., keeps=2., forgets=0).items()))
    some = lambda n,*which: [p.part(slice(n), p.name) for p in which]
    write_planted(folder/'many', retain, original, keeps, forgets)
    write_planted(folder/'bare', retain, keeps, forgets)
    write_planted(folder/'few', *some(2, retain, original, keeps, forgets))
    write_planted(folder/'one', *some(1, retain, original, keeps, forgets))
    write_planted(folder/'references', retain, original)
    alike = keeps.part([0]*24, 'keeps')
    alike.metrics['seed'] = np.arange(24)
    write_planted(folder/'copies', retain, original, alike)
    (folder/'halves').mkdir()
    write_halves(folder/'halves', planted_halves(dict(original=1., keeps=1., forgets=0.), runs=6, m=120))
    shutil.copytree(folder/'many', folder/'blind')
    for p in (folder/'blind').rglob('control_*.npy'): p.unlink()
    return folder

@pytest.fixture(autouse=True, scope='module')
def remembered():
    "Audit each record once: policies differ in what they ask"
    kept = functools.cache(lambda path, names, *rest: result.audit(path, list(names), *rest))
    def audit(path, names, alpha, delta, certified_delta, seed, progress, executor, kind):
        return kept(path, tuple(names), alpha, delta, certified_delta, seed, iter, None, kind)
    with pytest.MonkeyPatch.context() as m:
        m.setattr(gates, 'audit', audit)
        yield

def status(record, policy, out, **kw):
    "Exit status, and what was printed on standard error"
    err = io.StringIO()
    args = [str(record), '--out', str(out), *(x for k,v in (dict(policy=policy) | kw).items() if v for x in (f'--{k}', str(v)))]
    with contextlib.redirect_stderr(err), contextlib.redirect_stdout(io.StringIO()):
        try: mu_gate.main(args)
        except SystemExit as e: return e.code, err.getvalue()
    return 0, err.getvalue()

def policy_of(folder, *criteria, **more):
    path = folder/'policy.json'
    write_json(path, dict(criteria=[dict(column=c, **{side: t}) for c,side,t in criteria]) | more)
    return path

keeps,forgets = dict(approaches=['keeps']), dict(approaches=['forgets'])
inf = float('inf')
cases = [
    ('many', [('memory_left', 'most', .5)], forgets, 0), ('many', [('memory_left', 'most', .5)], keeps, 1),
    ('many', [('memory_left', 'most', .5)], {}, 1), ('many', [('memory_left', 'least', .5)], keeps, 0),
    ('many', [('memory_left', 'least', .5)], forgets, 1), ('many', [('memory_left', 'most', .05)], forgets, 3),
    ('many', [('memory_left', 'most', .95)], keeps, 3), ('many', [('memory_left', 'most', 1.9)], {}, 0),
    ('many', [('lira_auc', 'most', .6)], keeps, 1), ('many', [('lira_auc', 'most', .8)], forgets, 0),
    ('many', [('set_certified', 'most', .01)], keeps, 1), ('many', [('set_certified', 'most', 9)], keeps, 3),
    ('many', [('set_certified', 'most', .01)], forgets, 3), ('many', [('set_certified', 'least', .01)], keeps, 0),
    ('many', [('certified_median', 'most', 99)], forgets, 3), ('many', [('certified_median', 'least', 99)], keeps, 3),
    ('many', [('credible_high', 'most', 99)], forgets, 0), ('many', [('credible_high', 'most', 0)], forgets, 3),
    ('many', [('memory_left_high', 'most', .5)], forgets, 0), ('many', [('memory_left_low', 'most', .5)], keeps, 1),
    ('many', [('memory_left_low', 'most', .5)], forgets, 3), ('many', [('memory_p', 'least', .01)], forgets, 0),
    ('many', [('memory_p', 'least', .01)], keeps, 1), ('many', [('n_retain', 'least', 24)], {}, 0),
    ('many', [('n_retain', 'least', 25)], {}, 1), ('many', [('test_accuracy', 'least', 0)], {}, 0),
    ('many', [('test_accuracy', 'least', 1.1)], {}, 1), ('many', [('cost', 'most', 1)], {}, 3),
    ('many', [('k90', 'least', 1)], {}, 0), ('many', [('retain_mae', 'most', 1)], {}, 3),
    ('many', [('memory_left', 'most', .5), ('certified_median', 'most', 99)], forgets, 3),
    ('many', [('memory_left', 'most', .5), ('n_retain', 'least', 24)], forgets, 0),
    ('many', [('memory_left', 'most', .5), ('certified_median', 'most', 99)], keeps, 1),
    ('many', [('memory_left', 'most', .5), ('memory_left', 'least', -.9)], forgets, 0),
    ('many', [('memory_left', 'most', .5)], forgets | dict(alpha=1e-9), 3), ('many', [('lira_tpr_1', 'most', 1)], keeps, 3), ('many', [('lira_accuracy', 'most', 1)], keeps, 0),
    ('bare', [('memory_left', 'most', .9)], {}, 3), ('bare', [('memory_gap', 'most', 1)], forgets, 0),
    ('blind', [('memory_left', 'most', .9)], {}, 3), ('blind', [('lira_auc', 'most', .6)], keeps, 1),
    ('copies', [('lira_auc', 'most', .99)], {}, 3), ('copies', [('n_unlearn', 'least', 24)], {}, 0), ('copies', [('distinct_unlearn', 'least', 2)], {}, 1),
    ('few', [('lira_auc', 'most', 1)], {}, 3), ('few', [('memory_left', 'most', .05)], keeps, 1), ('few', [('one_p', 'least', .01)], keeps, 1),
    ('few', [('one_p', 'least', .01)], forgets, 0), ('few', [('memory_left', 'most', 1.9)], forgets, 0), ('one', [('memory_left', 'most', .05)], forgets, 3),
    ('one', [('memory_left', 'most', .05)], keeps, 1), ('one', [('tow', 'least', 0)], {}, 3), ('one', [('one_epsilon', 'most', 1)], keeps, 3),
    ('halves', [('split_epsilon', 'most', .5)], keeps, 1), ('halves', [('split_epsilon', 'most', .5)], forgets, 3),
    ('halves', [('split_p', 'least', .01)], keeps, 1), ('halves', [('split_p', 'least', .001)], forgets, 0),
    ('halves', [('memory_left', 'most', .5)], keeps, 1), ('halves', [('memory_left', 'most', .5)], forgets, 0),
    ('halves', [('memory_left', 'most', .001)], forgets, 3), ('halves', [('tow', 'least', .5)], {}, 3), ('halves', [('test_accuracy', 'least', 0)], {}, 0),
    ('one', [('n_retain', 'least', 2)], {}, 1), ('references', [('tow', 'least', 0)], {}, 2), ('nowhere', [('tow', 'least', 0)], {}, 2),
    ('many', [('tow', 'least', 0)], dict(approaches=['nobody']), 2), ('many', [('tov', 'least', 0)], {}, 2), ('many', [], {}, 2),
    ('many', [('memory_left', 'most', 20)], {}, 2), ('many', [('tow', 'most', inf)], {}, 2), ('many', [('tow', 'above', 1)], {}, 2)]

@pytest.mark.parametrize('record, criteria, more, wanted', cases, ids=lambda v: None if isinstance(v, (list, dict)) else str(v))
def test_status(records, tmp_path, record, criteria, more, wanted):
    "The expected status; a verdict that fits the schema, or one line and nothing written"
    found,err = status(records/record, policy_of(tmp_path, *criteria, **more), tmp_path)
    assert found == wanted, err
    if wanted == 2:
        assert err.count('\n') == 1 and err.startswith('mu_gate: ') and not (tmp_path/'verdict.json').exists()
        return
    verdict = json.loads((tmp_path/'verdict.json').read_text(), parse_constant=pytest.fail)
    jsonschema.Draft202012Validator(verdict_schema()).validate(verdict)
    assert verdict['outcome'] == {0: 'pass', 1: 'fail', 3: 'not evaluable'}[wanted] and verdict['outcome'] in (tmp_path/'verdict.md').read_text()
    for entry in verdict['inputs']: assert entry['sha256'] == checksum(records/record/entry['file'])
    assert len(verdict['inputs']) == len([p for p in (records/record).rglob('*') if p.is_file()])

def test_there_are_enough_cases(): assert len(cases) >= 30 and {c[3] for c in cases} == {0, 1, 2, 3}

def test_default_policy(records, tmp_path):
    "What forgot nothing fails; what forgot all passes or cannot be judged with so few models"
    assert status(records/'many', None, tmp_path)[0] == 1
    found = json.loads((tmp_path/'verdict.json').read_text())
    by = {a['approach']: a['outcome'] for a in found['approaches']}
    assert by['keeps'] == 'fail' and by['forgets'] != 'fail' and found['policy']['sha256'] == checksum(default_policy())

def test_what_is_installed_is_what_the_notebooks_say():
    assert json.loads(default_policy().read_text()) == json.loads(json.dumps(starting_policy))
    assert json.loads(default_policy().with_name('verdict.schema.json').read_text()) == json.loads(json.dumps(verdict_schema()))

@pytest.mark.parametrize('change', [dict(outcome='passed'), dict(schema=2), dict(policy=None), dict(extra=1), dict(inputs=[dict(file='a', sha256='b')])])
def test_the_schema_refuses(records, tmp_path, change):
    status(records/'one', policy_of(tmp_path, ('tow', 'least', 0)), tmp_path)
    verdict = json.loads((tmp_path/'verdict.json').read_text())
    validator = jsonschema.Draft202012Validator(verdict_schema())
    validator.validate(verdict)
    assert not validator.is_valid(verdict | change)

def test_needed_models(records, tmp_path):
    "More models than there are, of single models more examples, and more runs"
    needed = {}
    for record in 'many', 'one', 'halves':
        status(records/record, policy_of(tmp_path, ('memory_left', 'most', .05), **forgets), tmp_path)
        needed[record] = json.loads((tmp_path/'verdict.json').read_text())['approaches'][0]['criteria'][0]['needed']
    assert needed['many']['n_retain'] > 24 and needed['one']['examples'] > 30 and needed['halves']['runs'] > 6

@pytest.fixture
def sealed(records, tmp_path):
    "A record sealed before unlearning, with policy and forget list, and then unlearned"
    data,policy = tmp_path/'data', policy_of(tmp_path, ('memory_left', 'most', .5), **forgets)
    shutil.copytree(records/'many', data, ignore=shutil.ignore_patterns('keeps', 'forgets'))
    (tmp_path/'forget.txt').write_text('3,17,250'); np.save(data/'members.npy', np.eye(24, 30, dtype=bool))
    with contextlib.redirect_stdout(io.StringIO()):
        mu_seal(str(data), str(policy), str(tmp_path/'forget.txt'), 'a plan', str(tmp_path/'seal.json'))
    shutil.copytree(records/'many'/'forgets', data/'forgets')
    return tmp_path

def sealed_files(folder):
    seal = json.loads((folder/'seal.json').read_text())
    return [folder/'policy.json', folder/'seal.json', *(folder/e['file'] for e in seal['files']), *(folder/'data'/e['file'] for e in seal['record'])]

def test_every_sealed_file(sealed):
    "One changed byte or a deletion fails the gate, with a line that names the file; put back, nothing is broken"
    found = sealed_files(sealed)
    names = 'policy.json seal.json forget.txt members.npy logits_retain.npy control_retain.npy metrics.csv'
    assert {p.name for p in found} >= {*names.split(), 'logits_unlearn.npy', 'control_unlearn.npy'}
    for path in found:
        was = path.read_bytes()
        flipped = was[:-2] + (b' ' if path.suffix == '.json' else bytes([was[-2]^1])) + was[-2:][1:]
        for new in flipped, None:
            if path.name == 'seal.json' and new: new = was.replace(b'a plan', b'b plan')
            path.write_bytes(new) if new else path.unlink()
            code,err = status(sealed/'data', sealed/'policy.json', sealed/'out', seal=sealed/'seal.json')
            gone = path.name == 'seal.json' and not new # a seal that is not there is a wrong call
            assert code == (2 if gone else 1), (path, err)
            if not gone:
                broken = json.loads((sealed/'out'/'verdict.json').read_text())
                jsonschema.validate(broken, verdict_schema())
                assert broken['outcome'] == 'fail' and broken['approaches'] == [] and any(path.name in line for line in broken['seal']['broken'])
            path.write_bytes(was)

@pytest.mark.parametrize('change, line', [
    (dict(criteria=[dict(column='memory_left', most=.9)]), 'sealed was memory_left at most 0.5, found memory_left at most 0.9'),
    (dict(alpha=.5), 'sealed was alpha 0.05, found alpha 0.5'), (dict(seed=3), 'sealed was seed 0, found seed 3'),
    (dict(approaches=[]), 'sealed was approaches forgets, found approaches all'), (dict(title='better'), 'though it asks the same')])
def test_another_policy(sealed, change, line):
    "Thresholds, levels and approaches that are not those sealed"
    write_json(sealed/'other.json', json.loads((sealed/'policy.json').read_text()) | change)
    code,_ = status(sealed/'data', sealed/'other.json', sealed/'out', seal=sealed/'seal.json')
    (said,) = json.loads((sealed/'out'/'verdict.json').read_text())['seal']['broken']
    assert code == 1 and line in said

def test_seals_that_are_too_late_or_written_twice(sealed, records):
    for out,why in ('seal.json', 'a seal is written once'), ('new.json', 'exists already'):
        with pytest.raises(ValueError, match=why): mu_seal(str(sealed/'data'), str(sealed/'policy.json'), out=str(sealed/out))
    assert not (sealed/'new.json').exists()

def test_commands_are_registered_and_need_no_torch():
    ini = ConfigParser(delimiters=['='])
    ini.read(root/'settings.ini', encoding='utf-8')
    scripts = dict(s.split('=') for s in ini['DEFAULT']['console_scripts'].split())
    hide = '''import sys
class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition('.')[0] == 'torch': raise ModuleNotFoundError(name, name=name)
sys.meta_path.insert(0, Hidden())
'''
    show = '''import contextlib, importlib, operator
for module,call in calls:
    with contextlib.suppress(SystemExit): operator.attrgetter(call)(importlib.import_module(module))(['--help'])
'''
    names = 'mu_gate', 'mu_seal', 'mu_judge'
    calls = [scripts[name].split(':') for name in names]
    r = subprocess.run([sys.executable, '-c', f'{hide}calls = {calls}\n{show}'], capture_output=True, text=True)
    said = ' '.join(r.stdout.split())
    assert r.returncode == 0 and all(f'Example: {name}' in said for name in names), r.stderr
